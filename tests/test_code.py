"""A stage's hash depends only on what its code does and on the code that it imports."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from foundling.code import stage_hashes

FILES = {
    "__init__.py": "",
    "config.py": "VALUE = 1\n",
    "stages/__init__.py": "",
    "stages/compose.py": "from package.data.words import WORDS\n",
    "stages/train.py": '''
        """Train."""

        from typing import TYPE_CHECKING

        from package.config import VALUE
        from package.model import gpt

        if TYPE_CHECKING:
            from package.data import words


        def run(text: str) -> str:
            """Do it."""
            import package.model.layers.norm

            return f"{gpt.WIDTH:>{VALUE}}" "…" + text  # a comment
        ''',
    "stages/read.py": "from ..data.words import WORDS\n",
    "model/__init__.py": "",
    "model/gpt.py": "WIDTH = 64\n",
    "model/layers/__init__.py": "",
    "model/layers/norm.py": "EPSILON = 1e-5\n",
    "data/__init__.py": "",
    "data/words.py": '"""Words."""\nWORDS = "tables/words.txt"\n',
    "data/tables/words.txt": "some words\n",
    "data/unread.py": "OTHER = 1\n",
}
Change = Callable[[str, str, str], None]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / "package" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")
    return tmp_path / "package"


def changed(package: Path, file: str, old: str, new: str) -> set[str]:
    """The stages whose hash changes when `old` is replaced in a file, which is created if there is none."""
    before = stage_hashes(package, {})
    path = package / file
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    assert old in text
    path.parent.mkdir(exist_ok=True)
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    after = stage_hashes(package, {})
    assert set(after) == set(before) == {"train", "read"}
    return {stage for stage in after if after[stage] != before[stage]}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Train."""', '"""Train a model, on texts."""'),
        ('"""Train."""\n', ""),
        ('"""Do it."""', '"""Do it,\n\n    and do it well."""'),
        ("  # a comment", "\n"),
        ("\n\n\ndef", "\n# here it begins\n\ndef"),
        ('f"{gpt.WIDTH:>{VALUE}}" "…" + text', "(\n        f'{gpt.WIDTH:>{VALUE}}…' + text)"),
        ("import words", "import words, unread"),
    ],
)
def test_what_does_nothing_when_the_code_runs_changes_no_hash(package: Path, old: str, new: str) -> None:
    assert changed(package, "stages/train.py", old, new) == set()


@pytest.mark.parametrize(
    ("file", "old", "new", "stages"),
    [
        ("stages/train.py", "+ text", "+ text.upper()", {"train"}),
        ("model/gpt.py", "64", "65", {"train"}),
        ("model/gpt.py", "64", "64.0", {"train"}),
        ("model/layers/norm.py", "1e-5", "1e-6", {"train"}),
        ("model/layers/__init__.py", "", "READY = True", {"train"}),
        ("model/table.json", "", "[]", {"train"}),
        ("data/words.py", "WORDS =", "MORE = WORDS =", {"read"}),
        ("data/tables/words.txt", "some", "other", {"read"}),
        ("data/tables/more.txt", "", "more", {"read"}),
        ("data/unread.py", "1", "2", set()),
        ("config.py", "1", "2", set()),
        ("stages/compose.py", "WORDS", "WORDS as LIST", set()),
        ("__init__.py", "", "VERSION = 1", {"train", "read"}),
    ],
)
def test_a_change_reaches_exactly_the_stages_that_import_it(
    package: Path, file: str, old: str, new: str, stages: set[str]
) -> None:
    assert changed(package, file, old, new) == stages


def test_a_new_import_is_noticed_without_being_listed(package: Path) -> None:
    assert changed(package, "model/gpt.py", "", "from package.data import unread\n\n") == {"train"}
    assert changed(package, "data/unread.py", "1", "2") == {"train"}


def test_modules_that_import_each_other_are_hashed(package: Path) -> None:
    assert changed(package, "model/gpt.py", "", "from package.stages import train\n\n") == {"train"}


def test_the_hash_is_the_same_on_each_version_of_python(package: Path) -> None:
    """The values were computed by Python 3.11.7, 3.12.1 and 3.13.0."""
    (package / "model/gpt.py").write_text(dedent(SYNTAX), encoding="utf-8")
    assert stage_hashes(package, {}) == {
        "read": "d074e61653607ccc296a621169fbd1bba4f2fa4449722f7045785feb3a74d1df",
        "train": "10e354dc2230991bb33640ee5b1cd39e0550d22531a025f640c7d76a1ed85f9e",
    }


# syntax that ast.dump writes differently on these versions, and one of nearly each other kind of node
SYNTAX = r"""
    from dataclasses import dataclass

    WIDTH, NAMES, NOTHING = 64, ("ä", "\U0001fae8", "\ud800", b"\x00", 1e400, 2j, -0.0), ...


    @dataclass(frozen=True)
    class Shape(object):
        width: int = WIDTH
        depth: "list[int] | None" = None


    async def read(first, /, *rest: int, key=None, **others):
        global NAMES
        async with first as opened, rest[0]:
            async for line in opened:
                yield f"{line!r:>{key}}{key=}" "" f"" f"{{}}" "}\N{BULLET}"
        try:
            pass
        except* (ValueError, TypeError) as group:
            raise group from None
        match others:
            case {"a": [1, *_], **more} if more:
                pass
            case Shape(width=3) | None:
                del others["a"][1:2, ::3], more
            case _:
                assert (found := first) and (lambda x: x), u"text"


    ALL = [x for y in NAMES if y for x in (*y,)], {**{1: 2}}, {k: v for k, v in ()}, {*()}
    SUM = WIDTH if ALL else -WIDTH
"""


def test_code_that_cannot_be_parsed_is_one_line(package: Path) -> None:
    (package / "model/gpt.py").write_text("WIDTH = (\n")
    with pytest.raises(ValueError, match=r"gpt\.py:1 is not valid Python \('\(' was never closed\); fix"):
        stage_hashes(package, {})


def test_what_the_settings_of_a_stage_name_counts_as_imported(package: Path) -> None:
    plain = stage_hashes(package, {})
    target = {"_target_": "package.data.unread.Data", "size": 2}
    recipe = {"train": {"rate": 1.0, "parts": {"data": target}, "other": {"_target_": "elsewhere.Data"}}}
    named = stage_hashes(package, recipe)
    assert named["read"] == plain["read"]
    assert named["train"] != plain["train"]
    (package / "data/unread.py").write_text("OTHER = 2\n")
    assert stage_hashes(package, {}) == plain
    assert stage_hashes(package, recipe)["train"] != named["train"]
