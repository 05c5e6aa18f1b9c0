"""A full disk: one clear error, nothing half-written under a final name, and old files unchanged."""

import os
import resource
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from foundling.artifacts import atomic_file, atomic_folder, sha256
from foundling.data.corpora import Document
from foundling.data.fetching import fetch
from foundling.data.shards import write
from foundling.model.gpt import GPT
from foundling.settings.datasets import Dataset, Source
from foundling.text.tiktoken_tokenizer import GPT2_PATTERN, TiktokenTokenizer
from foundling.text.tokenizer import END_OF_TEXT, Tokenizer
from foundling.validation import build
from foundling.weights import folder as model_folder
from foundling.weights import gguf, huggingface_export

ROOM = 40_000  # bytes that a file, or the disk, has
Full = tuple[Path, Callable[[], AbstractContextManager[None]]]


@contextmanager
def _no_file_above(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # the kernel refuses larger files to all users alike
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def _filled(folder: Path) -> Iterator[None]:
    """Leave as little room as that."""
    with open(folder / "ballast", "wb") as file:
        stats = os.statvfs(folder)
        file.write(bytes(max(0, stats.f_bavail * stats.f_frsize - ROOM)))
    try:
        yield
    finally:
        (folder / "ballast").unlink()


@pytest.fixture(params=["a limit", "a small disk"])
def full(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Full]:
    """A folder, and a context in which its disk is full."""
    if request.param == "a limit":
        (tmp_path / "disk").mkdir()
        yield tmp_path / "disk", lambda: _no_file_above(ROOM)
        return
    place = tmp_path / "mount"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk; the limit on a file's size is tried instead")
    try:
        yield place, lambda: _filled(place)
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return TiktokenTokenizer({bytes([i]): i for i in range(256)}, GPT2_PATTERN, [END_OF_TEXT])


@pytest.fixture(scope="module")
def model(gpt_config: Callable[..., Any]) -> GPT:
    torch.manual_seed(0)
    return GPT(gpt_config("llama", 257, n_layer=1, n_embd=64, n_head=2, n_kv_head=2, n_ffn=128))


TEXT = "The fox went home. " * 4000


def _raw(folder: Path, source: dict[str, Any]) -> None:
    with atomic_folder(folder) as beside:
        dataset = build(Dataset, {"name": "test", "sources": [{"name": "one", **source}]}, "test")
        fetch(dataset, beside / "raw", None)


def _packed(place: Path, kind: str) -> Path:
    (place / "a.txt").write_text(TEXT)
    if kind == "zip":
        with zipfile.ZipFile(place / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(place / "a.txt", "a.txt")
    else:
        with tarfile.open(place / f"a.{kind}", "w:gz") as tar:
            tar.add(place / "a.txt", "a.txt")
    return place / f"a.{kind}"


WRITERS: dict[str, Callable[[Path, Path, GPT, Tokenizer], None]] = {
    "shards": lambda goal, _, model, tokenizer: write(  # type: ignore[dict-item]
        [Document("a", split, TEXT) for split in ("train", "validation")],
        tokenizer,
        goal,
        [Source(name="a", path="x")],
        {},
        "auto",
    ),
    "a model": lambda goal, _, model, tokenizer: model_folder.save(goal, model, tokenizer, {"config": {}}),
    "a tokenizer": lambda goal, _, model, tokenizer: TiktokenTokenizer(
        {bytes([i]): i for i in range(256)}
        | {bytes([i, j]): 256 + 64 * i + j for i in range(64) for j in range(64)},
        GPT2_PATTERN,
        [END_OF_TEXT],
    ).save(goal),
    "raw rows": lambda goal, *_: _raw(goal, {"generate": {"name": "stories", "seed": 1, "megabytes": 0.2}}),
    "a raw text": lambda goal, elsewhere, *_: _raw(
        goal, {"path": str(_packed(elsewhere, "zip").with_suffix(".txt"))}
    ),
    "a raw zip": lambda goal, elsewhere, *_: _raw(goal, {"path": str(_packed(elsewhere, "zip"))}),
    "a raw tar": lambda goal, elsewhere, *_: _raw(goal, {"path": str(_packed(elsewhere, "tar.gz"))}),
    "transformers' files": lambda goal, _, model, tokenizer: huggingface_export.export(
        goal, model, tokenizer
    ),
    "a GGUF file": lambda goal, _, model, tokenizer: gguf.export(goal, model, tokenizer),
}


@pytest.mark.parametrize("what", WRITERS)
def test_a_full_disk_is_one_error_and_leaves_the_old_whole(
    full: Full, tmp_path: Path, model: GPT, tokenizer: Tokenizer, what: str
) -> None:
    disk, is_full = full
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    _packed(elsewhere, "zip")
    _packed(elsewhere, "tar.gz")
    for before in (False, True):
        goal = disk / "goal"
        if before:
            goal.mkdir()
            (goal / "old").write_text("what was there before")
        was = sha256(goal) if before else None
        with is_full(), pytest.raises(OSError, match=r"File too large|No space left") as told:
            WRITERS[what](goal, elsewhere, model, tokenizer)
        assert told.value.errno
        assert "\n" not in str(told.value)
        left = [path for path in disk.rglob("*") if not path.is_dir()]
        assert left == ([goal / "old"] if before else [])
        assert (sha256(goal) if before else None) == was
        assert not list(disk.rglob("*.part"))


def test_a_full_disk_leaves_an_old_file_whole(full: Full) -> None:
    disk, is_full = full
    (disk / "a.json").write_text("old")
    with (
        is_full(),
        pytest.raises(OSError, match=r"File too large|No space left"),
        atomic_file(disk / "a.json") as file,
    ):
        file.write(TEXT)
    assert [path.name for path in disk.iterdir()] == ["a.json"]
    assert (disk / "a.json").read_text() == "old"


def test_a_full_disk_is_an_error_that_says_how_to_resume(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from foundling.__main__ import _exit

    with pytest.raises(SystemExit):
        _exit(OSError(28, "No space left on device", "models/base"), [])
    assert "No space left on device: 'models/base'; free some disk space" in capfd.readouterr().err
