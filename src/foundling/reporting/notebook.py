"""Set up a notebook: change to the project's root, check its artifacts, use the report's style of plots."""

import os
import warnings
from pathlib import Path
from typing import Any

from foundling.reporting.drawing import STYLE

PROJECT = "FOUNDLING_PROJECT"  # the root of another project, whose artifacts are read instead
SHOWN: dict[Any, Any] = {
    "figure.figsize": (7.2, 3.2),
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "axes.axisbelow": True,
}
ROOT_FILES = ("conf/config.yaml", "dvc.yaml")


def open_project(*needed: str) -> Path:
    """Change to the project's root and set the style of plots; returns the root.

    The project is that of FOUNDLING_PROJECT, or else the one that contains the notebook. `needed` are paths
    relative to it; missing ones raise ValueError.
    """
    import matplotlib.pyplot as plt

    root = _project(Path(os.environ.get(PROJECT) or ".").absolute())
    missing = [name for name in needed if not (root / name).exists()]
    if missing:
        raise ValueError(
            f"{root} has no {', '.join(missing)}; run `dvc repro` there, which writes all of them, then this "
            "notebook again"
        )
    os.chdir(root)
    warnings.filterwarnings("ignore", message="IProgress not found")  # by tqdm without ipywidgets
    plt.rcParams.update(STYLE | SHOWN)
    return root


def _project(start: Path) -> Path:
    for folder in (start, *start.parents):
        if all((folder / name).is_file() for name in ROOT_FILES):
            return folder
    raise ValueError(
        f"no Foundling project in {start} or above it; open the notebook in the project's folder notebooks/, "
        f"or set {PROJECT} to the project's root"
    )
