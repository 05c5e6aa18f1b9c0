"""Training in a few steps, with the settings of the default pretraining."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from lightning import Callback

Fit = Callable[..., Any]  # fit(module, data, folder, *callbacks, **changes)


@pytest.fixture(scope="session")
def settings(bare_project: Path) -> Any:
    """The default settings, on one CPU and without W&B."""
    from foundling.config import compose
    from foundling.settings import Job

    return Job.of(compose(["trainer=cpu", "logger=none", "runtime.progress=false"]), Path()).settings


@pytest.fixture(scope="session")
def fit(settings: Any) -> Fit:
    """`fit` with the default settings and changed fields of Faults, Loop, Pretrain and Runtime."""
    from foundling.training.fit import fit
    from foundling.training.module import Loop

    def changed(values: Any, changes: dict[str, Any]) -> Any:
        return replace(values, **{f.name: changes.pop(f.name) for f in fields(values) if f.name in changes})

    def run(module: Any, data: Any, folder: Path, *callbacks: Callback, **changes: Any) -> Any:
        faults = changed(settings.pretrain.faults, changes)
        loop = changed(Loop(settings.pretrain, data.order.steps, validate_every=10), changes)
        loop = replace(loop, settings=changed(replace(settings.pretrain, faults=faults), changes))
        runtime = changed(settings.runtime, changes)
        assert not changes
        return fit(module, data, loop, runtime, folder, callbacks)

    return run
