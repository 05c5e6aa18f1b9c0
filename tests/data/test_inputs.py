"""Own files are hashed by name and content, and read again only if size or times changed."""

import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from foundling.artifacts import read_json
from foundling.config import compose
from foundling.data import digests
from foundling.data.digests import digest
from foundling.data.fetching import fetch
from foundling.data.inputs import inputs, own_digests
from foundling.settings import Job, Settings
from foundling.settings.datasets import Benchmark, Dataset, File
from foundling.settings.weights import Weights
from foundling.validation import build

Now = Callable[..., Any]

NONE: dict[str, Any] = {
    name: {}
    for name in ("corpus", "benchmarks", "classify", "instruct", "train_translator", "weights", "pretrain")
}


@pytest.fixture(scope="module")
def default() -> Settings:
    """The default settings, which have no own files."""
    return Job.of(compose([]), Path()).settings


def dataset(**source: Any) -> Dataset:
    return build(Dataset, {"name": "mine", "sources": [{"name": "files", **source}]}, "mine")


def corpus(default: Settings, path: str) -> Settings:
    """The settings with a corpus at a path."""
    return replace(default, corpus=replace(default.corpus, sources=dataset(path=path).sources))


@pytest.fixture(autouse=True)
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = Path("texts")
    (folder / "b").mkdir(parents=True)
    (folder / "a.txt").write_text("one")
    (folder / "b/c.txt").write_text("two")
    return folder


@pytest.fixture
def now(default: Settings) -> Callable[..., Any]:
    """What is recorded of the texts now."""
    return lambda path="texts": inputs(corpus(default, path), {})["corpus"]["files"]


def test_without_own_files_nothing_is_recorded(default: Settings) -> None:
    assert inputs(default, {}) == NONE


@pytest.mark.parametrize(
    "change",
    [
        lambda: Path("texts/a.txt").write_text("six"),
        lambda: Path("texts/b/c.txt").unlink(),
        lambda: Path("texts/d.txt").write_text(""),
        lambda: os.rename("texts/a.txt", "texts/e.txt"),
    ],
    ids=["another text", "a file less", "a file more", "another name"],
)
def test_a_change_is_noticed_and_taken_back(texts: Path, change: Callable[[], Any], now: Now) -> None:
    before = now()
    change()
    assert now() != before
    for file in texts.glob("*.txt"):
        file.unlink()
    (texts / "a.txt").write_text("one")
    (texts / "b/c.txt").write_text("two")
    assert now() == before


def test_the_hash_is_that_of_the_files_that_fetch_reads(texts: Path, now: Now) -> None:
    before = now()
    assert before["files"] == 2
    (texts / ".hidden.txt").write_text("not read")
    os.utime(texts / "a.txt", (1, 1))
    assert now() == before
    assert now("texts/*.txt")["files"] == 1
    os.rename("texts", "elsewhere")
    assert now("elsewhere") == now(str(Path("elsewhere").absolute())) == before


def test_an_unchanged_file_is_not_read_again(texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "SETTLED", -1.0)  # the files may be as new as they are here
    read: list[Path] = []
    hash_file = digests.sha256
    monkeypatch.setattr(digests, "sha256", lambda file: read.append(file) or hash_file(file))
    files = [(texts / "a.txt", Path("a.txt")), (texts / "b/c.txt", Path("c.txt"))]
    before = digest(files)
    assert len(read) == 2
    assert digest(files) == before
    assert len(read) == 2
    (texts / "a.txt").write_text("six")
    assert digest(files) != before
    assert read[2:] == [texts / "a.txt"]


def test_a_file_that_may_still_change_is_read_again(texts: Path) -> None:
    digest([(texts / "a.txt", Path("a.txt"))])
    assert not digests.CACHE.exists() or "a.txt" not in digests.CACHE.read_text()


def test_a_damaged_cache_is_made_anew(monkeypatch: pytest.MonkeyPatch, now: Now) -> None:
    monkeypatch.setattr(digests, "SETTLED", -1.0)
    before = now()
    for damage in ("[", "[]", digests.CACHE.read_text().replace("[", '["x", ')):
        digests.CACHE.write_text(damage)
        assert now() == before


def test_files_that_are_gone_stay_as_they_were_recorded(texts: Path, caplog: Any, default: Settings) -> None:
    settings = corpus(default, "texts")
    recorded = inputs(settings, {})
    os.rename("texts", "elsewhere")
    assert inputs(settings, recorded) == recorded
    assert "corpus.files stays as it was fetched, since its files are gone" in caplog.text
    assert inputs(settings, {}) == NONE | {"corpus": {"files": None}}


def test_each_kind_of_own_file_counts(texts: Path, default: Settings) -> None:
    files: list[dict[str, Any]] = [
        {"path": "texts/a.txt"},
        {"path": "texts/none", "url": "https://example.org/none"},
    ]
    named, hashed = dataset(files=files[:1]), dataset(files=[{"path": "texts/a.txt", "sha256": "0" * 64}])
    settings = replace(
        default,
        evaluate=replace(
            default.evaluate,
            few_shot=None,
            benchmarks={
                name: Benchmark(name=name, sources=those.sources, scoring="minimal_pairs")
                for name, those in {"own": named, "other": hashed}.items()
            },
        ),
        classify=replace(default.classify, dataset=dataset(path="texts/a.txt")),
        weights=Weights(init_from="x", files=tuple(File(**file) for file in files), hub=None),
        pretrain=replace(default.pretrain, init_from="texts"),
    )
    made = inputs(settings, {})
    counts = {(name, source): entry["files"] for name, of in made.items() for source, entry in of.items()}
    assert counts == {
        ("benchmarks", "own.files"): 1,
        ("classify", "files"): 1,
        ("weights", "weights"): 1,
        ("pretrain", "init_from"): 2,
    }


@pytest.mark.parametrize("init_from", ["data/raw/weights", "models/base", "models/chat"])
def test_what_the_pipeline_writes_itself_does_not_count(init_from: str, default: Settings) -> None:
    settings = replace(default, pretrain=replace(default.pretrain, init_from=init_from))
    assert inputs(settings, {}) == NONE


def test_fetch_records_the_files_that_it_read(texts: Path) -> None:
    fetch(dataset(path="texts"), Path("raw"), None)
    ((source, path, there),) = own_digests(dataset(path="texts"))
    assert (source, path) == ("files", texts)
    assert read_json("raw/meta.json")["own"] == {"files": asdict(there)}


def test_a_temporary_copy_reads_the_projects_files(
    texts: Path, monkeypatch: pytest.MonkeyPatch, default: Settings, now: Now
) -> None:
    before, project = now(), Path.cwd()
    copy = project / ".dvc/tmp/exps/tmp123/deeper"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("DVC_ROOT", str(project))
    assert now() == now("texts/**/*.txt") == before
    fetch(dataset(path="texts"), Path("raw"), None)
    assert Path("raw/files/b/c.txt").read_text() == "two"
    with pytest.raises(
        ValueError, match=r"init_from=texts is not in the temporary copy .* use an absolute path"
    ):
        inputs(replace(default, pretrain=replace(default.pretrain, init_from="texts")), {})
    monkeypatch.setenv("DVC_ROOT", str(copy))
    assert inputs(corpus(default, "texts"), {})["corpus"] == {"files": None}
