"""foundling verify prints each record of the chain, and succeeds only if all are intact."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundling.artifacts import read_json, sha256, write_json
from foundling.commands import verify
from foundling.data.fetching import fetch
from foundling.settings import Job


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """models/two, made from models/one, made from data/x."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("data/x").write_text("x")
    for name, parent in (("one", None), ("two", Path("models/one"))):
        place = Path("models") / name
        place.mkdir(parents=True)
        (place / "weights").write_text(name)
        inputs = {"data/x": sha256(Path("data/x"))} if parent is None else {}
        made = {"files": {"weights": sha256(place / "weights")}, "inputs": inputs}
        write_json(
            place / "provenance.json", made | {"parent": {str(parent): sha256(parent)} if parent else None}
        )


@pytest.fixture
def run(job: Callable[..., Job]) -> Callable[..., None]:
    return lambda model="models/two": verify.run(
        job(f"verify.model={model}", "corpus=files", "corpus.path=texts")
    )


def test_an_intact_chain_is_reported(run: Any, capsys: Any) -> None:
    run()
    out = capsys.readouterr().out
    assert (
        f"models/two is intact: all 4 hashes match their records; its own is {sha256(Path('models/two'))}"
        in out
    )
    assert out.count(" intact ") >= 2


def test_the_fault_nearest_to_the_data_is_named_and_all_are_shown(run: Any, capsys: Any) -> None:
    Path("data/x").write_text("y")
    Path("models/two/weights").unlink()
    with pytest.raises(
        ValueError, match=r"^models/two is not intact: data/x differs from .* \(1 more are listed above\)"
    ):
        run()
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 not intact data/x differs from the hash in models/one/provenance.json" in shown
    assert "models/two/weights is missing" in shown


def test_no_model_at_all_is_one_line(run: Any) -> None:
    with pytest.raises(ValueError, match=r"models/none/provenance\.json is missing; run the stage"):
        run("models/none")


def test_own_files_that_changed_since_fetching_are_a_fault(
    run: Any, job: Callable[..., Job], capsys: Any
) -> None:
    Path("texts").mkdir()
    Path("texts/a.txt").write_text("one")
    fetch(job("corpus=files", "corpus.path=texts").settings.corpus, Path("data/raw/corpus"), None)
    meta = Path("data/raw/corpus/meta.json")
    made = read_json("models/one/provenance.json")
    write_json("models/one/provenance.json", made | {"inputs": {str(meta): sha256(meta)}})
    run("models/one")
    assert "models/one is intact: " in capsys.readouterr().out
    Path("texts/b.txt").write_text("two")
    with pytest.raises(ValueError, match=r"models/one is not intact: texts has changed since it was fetched"):
        run("models/one")
    shutil.rmtree("texts")  # then nobody can know
    run("models/one")
