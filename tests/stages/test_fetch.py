from collections.abc import Callable
from pathlib import Path
from typing import Any

from foundling.stages import fetch


def test_a_folder_without_datasets_is_not_empty(job: Callable[..., Any], tmp_path: Path) -> None:
    """DVC prints a warning about an empty folder in each stage that depends on it."""
    fetch.run(job("evaluate=held_out", "fetch.dataset=benchmarks", out=tmp_path))
    assert [file.name for file in (tmp_path / "data/raw/benchmarks").iterdir()] == ["empty.txt"]
