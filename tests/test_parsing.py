"""The jobs of a grid are those of Hydra's own sweeper, in its order."""

from pathlib import Path

import pytest

from foundling.config import loading
from foundling.parsing import grid, parse


@pytest.mark.parametrize(
    "swept",
    [
        ["model=nano,micro", "seed=range(1,4)"],
        ["model=glob(mi*)", "pretrain.optimizer.lr=choice(1e-3,0.2)"],
        ["pretrain.sample.prompt='a,b','c'", "pretrain.optimizer.betas=[0.9,0.95],[0.8,0.9]"],
        [],
    ],
)
def test_a_grid_is_that_of_hydras_sweeper(
    root: Path, monkeypatch: pytest.MonkeyPatch, swept: list[str]
) -> None:
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    monkeypatch.chdir(root)
    with loading() as loader:
        (jobs,) = BasicSweeper.split_arguments(parse(swept, loader), None)
        assert [list(job) for job in grid(swept, loader)] == jobs
        assert grid([*swept, "seed=interval(1,2)"], loader) == []
