"""How a notebook begins: in the project's root, with its artifacts there, in the reports' style."""

import os
import warnings
from pathlib import Path
from typing import Any

from foundling.reporting.figures import STYLE

PROJECT = "FOUNDLING_PROJECT"  # another project's root, whose artifacts are to be read
SHOWN: dict[Any, Any] = {
    "figure.figsize": (7.2, 3.2),
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "axes.axisbelow": True,
}
ROOT_HAS = ("conf/config.yaml", "dvc.yaml")


def begin(*needed: str) -> Path:
    """Go to the project's root and set the style of plots; returns the root.

    It is the project that FOUNDLING_PROJECT names, or else the one that the notebook lies in. Each of the `needed`
    paths, relative to it, has to be there: ValueError says which are missing and what makes them.
    """
    import matplotlib.pyplot as plt

    root = _project(Path(os.environ.get(PROJECT) or ".").absolute())
    missing = [name for name in needed if not (root / name).exists()]
    if missing:
        raise ValueError(
            f"{root} lacks {', '.join(missing)}; run `dvc repro` there, which makes all of it, then this notebook again"
        )
    os.chdir(root)
    warnings.filterwarnings("ignore", message="IProgress not found")  # tqdm's, wherever ipywidgets is not installed
    plt.rcParams.update(STYLE | SHOWN)
    return root


def _project(start: Path) -> Path:
    for folder in (start, *start.parents):
        if all((folder / name).is_file() for name in ROOT_HAS):
            return folder
    raise ValueError(
        f"found no Foundling project in {start} or above it; open the notebook where it lies in the project, or set "
        f"{PROJECT} to the project's folder"
    )
