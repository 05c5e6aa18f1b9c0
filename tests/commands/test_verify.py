"""foundling verify prints each record of the chain and ends well only if all is intact."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from foundling.artifacts import sha256, write_json
from foundling.commands import verify


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
        write_json(place / "provenance.json", made | {"parent": {str(parent): sha256(parent)} if parent else None})


def run(model: str = "models/two") -> None:
    verify.run(OmegaConf.create({"verify": {"model": model}}), Path())


def test_an_intact_chain_is_said_to_be_so(capsys: Any) -> None:
    run()
    out = capsys.readouterr().out
    assert f"models/two is intact: 4 hashes are what was recorded. Its own: {sha256(Path('models/two'))}" in out
    assert out.count(" intact ") >= 2


def test_the_fault_nearest_to_the_data_is_named_and_all_are_shown(capsys: Any) -> None:
    Path("data/x").write_text("y")
    Path("models/two/weights").unlink()
    with pytest.raises(
        ValueError, match=r"^models/two is not intact: data/x is not what .* \(1 more are named above\)"
    ):
        run()
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 not intact data/x is not what models/one/provenance.json recorded" in shown
    assert "models/two/weights is missing" in shown


def test_no_model_at_all_is_one_line() -> None:
    with pytest.raises(ValueError, match=r"models/none/provenance\.json is missing; run the stage"):
        run("models/none")
