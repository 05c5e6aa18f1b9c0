"""Own files are hashed by name and content, read again only if size or times changed, wherever they lie."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundling.artifacts import read_json
from foundling.data import digests
from foundling.data.digests import digest
from foundling.data.fetching import fetch
from foundling.data.inputs import inputs, own_digests

GENERATED = {"name": "none", "sources": [{"name": "drills", "generate": {"name": "drills", "seed": 1, "count": 2}}]}
NONE: dict[str, Any] = {
    name: {} for name in ("corpus", "benchmarks", "classify", "instruct", "train_translator", "weights", "pretrain")
}


def recipe(**changes: Any) -> dict[str, Any]:
    """Composed settings without own files, but for the changes."""
    settings: dict[str, Any] = {
        "corpus": GENERATED,
        "evaluate": {"benchmarks": {}},
        "classify": {"dataset": GENERATED},
        "instruct": {"dataset": GENERATED},
        "train_translator": {"dataset": GENERATED},
        "weights": {"files": []},
        "pretrain": {"init_from": "scratch"},
    }
    return settings | changes


def corpus(path: str | None) -> dict[str, Any]:
    return {"name": "mine", "sources": [{"name": "files", "path": path}]}


@pytest.fixture(autouse=True)
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = Path("texts")
    (folder / "b").mkdir(parents=True)
    (folder / "a.txt").write_text("one")
    (folder / "b/c.txt").write_text("two")
    return folder


def now(path: str = "texts") -> Any:
    return inputs(recipe(corpus=corpus(path)), None, {})["corpus"]["files"]


def test_without_own_files_nothing_is_recorded() -> None:
    assert inputs(recipe(), None, {}) == NONE


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
def test_a_change_is_noticed_and_taken_back(texts: Path, change: Callable[[], Any]) -> None:
    before = now()
    change()
    assert now() != before
    for file in texts.glob("*.txt"):
        file.unlink()
    (texts / "a.txt").write_text("one")
    (texts / "b/c.txt").write_text("two")
    assert now() == before


def test_the_hash_is_that_of_the_files_that_fetch_reads(texts: Path) -> None:
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


def test_a_damaged_cache_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "SETTLED", -1.0)
    before = now()
    for damage in ("[", "[]", digests.CACHE.read_text().replace("[", '["x", ')):
        digests.CACHE.write_text(damage)
        assert now() == before


def test_files_that_are_gone_stay_as_they_were_recorded(texts: Path, caplog: Any) -> None:
    settings = recipe(corpus=corpus("texts"))
    recorded = inputs(settings, None, {})
    os.rename("texts", "elsewhere")
    assert inputs(settings, None, recorded) == recorded
    assert "corpus.files stays as it was fetched, since its files are gone" in caplog.text
    assert inputs(settings, None, {}) == NONE | {"corpus": {"files": None}}
    assert inputs(recipe(corpus=corpus(None)), None, {}) == NONE


def test_each_kind_of_own_file_counts(texts: Path) -> None:
    named = {"name": "mine", "sources": [{"name": "one", "files": [{"path": "texts/a.txt"}]}]}
    hashed = {"name": "mine", "sources": [{"name": "one", "files": [{"path": "texts/a.txt", "sha256": "0" * 64}]}]}
    made = inputs(
        recipe(
            evaluate={"benchmarks": {"own": named, "other": hashed}},
            classify={"dataset": corpus("texts/a.txt")},
            weights={"files": [{"path": "texts/a.txt"}, {"path": "texts/none", "url": "https://example.org/none"}]},
            pretrain={"init_from": "texts"},
        ),
        None,
        {},
    )
    counts = {(name, source): entry["files"] for name, of in made.items() for source, entry in of.items()}
    assert counts == {
        ("benchmarks", "own.one"): 1,
        ("classify", "files"): 1,
        ("weights", "weights"): 1,
        ("pretrain", "init_from"): 2,
    }


@pytest.mark.parametrize("init_from", ["data/raw/weights", "models/base", "models/chat"])
def test_what_the_pipeline_writes_itself_does_not_count(init_from: str) -> None:
    assert inputs(recipe(pretrain={"init_from": init_from}), None, {}) == NONE


def test_fetch_records_the_files_that_it_read(texts: Path) -> None:
    fetch(corpus("texts"), Path("raw"), None)
    ((source, path, there),) = own_digests(corpus("texts"))
    assert (source, path) == ("files", texts)
    assert read_json("raw/meta.json")["own"] == {"files": there}


def test_a_temporary_copy_reads_the_projects_files(texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, project = now(), Path.cwd()
    copy = project / ".dvc/tmp/exps/tmp123/deeper"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("DVC_ROOT", str(project))
    assert now() == now("texts/**/*.txt") == before
    fetch(corpus("texts"), Path("raw"), None)
    assert Path("raw/files/b/c.txt").read_text() == "two"
    with pytest.raises(ValueError, match=r"init_from=texts is not in the temporary copy .* use an absolute path"):
        inputs(recipe(pretrain={"init_from": "texts"}), None, {})
    monkeypatch.setenv("DVC_ROOT", str(copy))
    assert inputs(recipe(corpus=corpus("texts")), None, {})["corpus"] == {"files": None}
