"""What tests of commands share."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from foundling.command_line import with_section
from foundling.settings import Job


@pytest.fixture
def workspace(
    job: Callable[..., Job], root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, Sequence[str]], Job]:
    """An empty project with the real conf/; makes the job of a command line in it."""
    monkeypatch.chdir(tmp_path)
    Path("conf").symlink_to(root / "conf")
    return lambda command, arguments: job(*with_section(command, arguments))
