import os
from pathlib import Path

import pytest

from foundling import artifacts
from foundling.artifacts import (
    atomic_file,
    atomic_folder,
    fingerprint,
    publish,
    read_json,
    sha256,
    write_json,
)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    with pytest.raises(OSError, match="full"), atomic_file(file) as out:
        out.write("new")
        raise OSError("disk full")
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "made") as folder:
        (folder / "x").write_text("1")
        assert not (tmp_path / "made").exists()
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "made") as folder:
        (folder / "y").write_text("2")
        raise RuntimeError
    with atomic_folder(tmp_path / "second"):
        pass
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")) == [
        "made",
        "made/x",
        "second",
    ]
    with atomic_folder(tmp_path / "made") as folder:
        (folder / "z").write_text("3")
    assert os.listdir(tmp_path / "made") == ["z"]


def test_results_are_published_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def results(text: str) -> dict[Path, str]:
        folder = tmp_path / "scratch" / text
        (folder / "model").mkdir(parents=True)
        for name in ("model/weights", "a.json", "b.csv"):
            (folder / name).write_text(text)
        return {
            folder / "model": "models/base",
            folder / "a.json": "metrics/a.json",
            folder / "b.csv": "plots/b.csv",
        }

    def texts() -> dict[str, str]:
        return {f.relative_to(out).as_posix(): f.read_text() for f in out.rglob("*") if f.is_file()}

    out = tmp_path / "out"
    publish(results("old"), out)
    assert texts() == dict.fromkeys(["models/base/weights", "metrics/a.json", "plots/b.csv"], "old")

    def full(source: Path, path: Path) -> None:
        if source.name == "b.csv":
            raise OSError("disk full")
        path.write_bytes(source.read_bytes())

    with monkeypatch.context() as patched, pytest.raises(OSError, match="disk full"):
        patched.setattr(artifacts.shutil, "copy2", full)
        publish(results("new"), out)
    assert set(texts().values()) == {"old"}
    assert len(texts()) == 3
    publish(results("newer"), out)
    assert set(texts().values()) == {"newer"}
    (tmp_path / "scratch/newer/b.csv").write_text("a resumed run writes on")
    assert set(texts().values()) == {"newer"}


def test_hashes_see_content_and_names_but_not_key_order(tmp_path: Path) -> None:
    assert (
        fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1}) != fingerprint({"a": 1, "b": [3]})
    )
    (tmp_path / "one").mkdir()
    (tmp_path / "one/f").write_text("x")
    (tmp_path / "two").mkdir()
    (tmp_path / "two/g").write_text("x")
    assert sha256(tmp_path / "one") != sha256(tmp_path / "two")
    assert sha256(tmp_path / "one/f") == sha256(tmp_path / "two/g")


def test_json_round_trips_and_invalid_json_is_named(tmp_path: Path) -> None:
    write_json(tmp_path / "v.json", {"é": [1, None]})
    assert read_json(tmp_path / "v.json") == {"é": [1, None]}
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ValueError, match=r"bad\.json is not valid JSON"):
        read_json(tmp_path / "bad.json")
    with pytest.raises(ValueError, match=r"none\.json is missing; run the stage"):
        read_json(tmp_path / "none.json")
