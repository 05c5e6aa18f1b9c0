"""A notebook finds its project wherever it is opened, and names missing artifacts."""

from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from foundling.reporting.notebook import PROJECT, open_project


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with a model, and the current folder deep within it."""
    for name in ("conf/config.yaml", "dvc.yaml", "models/base/config.json", "notebooks/deep/x.ipynb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.delenv(PROJECT, raising=False)
    monkeypatch.chdir(tmp_path / "notebooks/deep")
    return tmp_path


def test_it_goes_to_the_root_from_below_and_stays_there(made: Path) -> None:
    with plt.rc_context():
        assert open_project("models/base") == Path.cwd() == made
        assert open_project() == made


def test_another_project_can_be_named(made: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROJECT, str(root))
    with plt.rc_context():
        assert open_project() == Path.cwd() == root


def test_what_is_missing_is_named_with_what_makes_it(made: Path) -> None:
    with pytest.raises(ValueError, match=r"has no plots/a\.csv, models/chat; run `dvc repro` there"):
        open_project("plots/a.csv", "models/base", "models/chat")
    assert Path.cwd() == made / "notebooks/deep"


def test_outside_of_a_project_the_error_says_so(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (made / "dvc.yaml").unlink()
    with pytest.raises(ValueError, match=r"no Foundling project in .*; open the notebook in the project"):
        open_project()
