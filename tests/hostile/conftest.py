"""What each hostile input must end in: one clear line, and a disk as it was."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from foundling.__main__ import one_line

Refuses = Callable[[Callable[[], Any], str], str]


def listing(folder: Path) -> dict[str, int]:
    """Every name below a folder, with its size."""
    return {
        path.relative_to(folder).as_posix(): path.lstat().st_size if not path.is_dir() else -1
        for path in folder.rglob("*")
    }


@pytest.fixture
def refuses(tmp_path: Path) -> Refuses:
    """Run what must be refused: a ValueError of one line that says it; nothing is left in tmp_path.

    Gives the line.
    """

    def check(act: Callable[[], Any], says: str) -> str:
        before = listing(tmp_path)
        with pytest.raises(ValueError, match=re.compile(says, re.DOTALL)) as refusal:
            act()
        line = one_line(refusal.value)
        assert line.isprintable()
        assert 20 < len(line) < 1500
        assert "Traceback" not in line
        assert listing(tmp_path) == before
        return line

    return check


@pytest.fixture(scope="session")
def read_or_refused() -> Callable[..., AbstractContextManager[None]]:
    """For inputs that may be valid by chance: only a ValueError with one of the words is raised."""

    @contextmanager
    def check(*words: str) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            if not any(word in one_line(error) for word in words):
                raise

    return check
