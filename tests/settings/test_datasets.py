"""Errors in the settings of datasets name the key as the user wrote it, and what is allowed."""

from typing import Any

import pytest

from foundling.settings.datasets import Corpus, Dataset, Source
from foundling.settings.weights import Weights
from foundling.validation import build

SHARED = {"clean": {"min_characters": 1, "deduplicate": True}, "split": {"validation": 0.1, "by": "document"}}


def refused(cls: type, values: Any, where: str) -> str:
    """The one line of the error."""
    with pytest.raises(ValueError, match=r"\S") as error:
        build(cls, values, where)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 600
    return str(error.value)


FILES: dict[str, tuple[Any, str]] = {
    "a mirror path above": ({"mirror": "../../etc/passwd"}, "must be a path below the mirror folder"),
    "an absolute mirror path": ({"mirror": "/etc/passwd"}, "must be a path below the mirror folder"),
    "a mirror path to no file": ({"mirror": "a/.."}, "must be a path below the mirror folder"),
    "a mirror that is a number": ({"mirror": 5}, "mirror=5: must be a string, not an integer"),
    "a URL without a name": ({"url": "?download"}, "the file's name ''"),
    "a URL that ends in ..": ({"url": "https://example.org/.."}, "the file's name '..'"),
    "a name that is too long": ({"path": "x" * 300}, "at most 200 characters"),
    "a URL that is a mapping": ({"url": {"a": 1}}, "url={'a': 1}: must be a string, not a mapping or a list"),
    "a URL list of numbers": ({"url": [1, 2]}, "url.0=1: must be a string"),
    "a checksum that is none": (
        {"path": "a.txt", "sha256": "abc"},
        "sha256='abc': must be 64 hexadecimal digits",
    ),
    "a checksum that is a number": ({"path": "a.txt", "sha256": 5}, "sha256=5: must be a string"),
    "a size that is a text": ({"path": "a.txt", "size": "9"}, "size='9': must be an integer"),
    "a file that is a text": ("a.txt", "corpus.sources.0.files.0='a.txt': must be a mapping"),
    "a file of no place": ({"note": "nowhere"}, "mirror: one of mirror, path and url must be set"),
    "an unknown key": (
        {"path": "a.txt", "exec": "rm"},
        "corpus.sources.0.files.0.exec: unknown key; remove it",
    ),
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_at_a_place_that_is_none(what: str) -> None:
    file, says = FILES[what]
    assert says in refused(Dataset, {"name": "test", "sources": [{"name": "a", "files": [file]}]}, "corpus")


ONE_ORIGIN = "exactly one of files, path, hub, generate must be set"
SOURCES: dict[str, tuple[Any, str]] = {
    "no origin": ({"settings": "classify"}, f"{ONE_ORIGIN}; for your own texts set classify.path=my_texts"),
    "two origins": ({"path": "x", "hub": {"id": "y"}}, f"{ONE_ORIGIN}, not path and hub"),
    "files that are a text": ({"files": "a.txt"}, "files='a.txt': must be a list"),
    "files that are a mapping": ({"files": {"url": "x"}}, "must be a list, not a mapping"),
    "a hub that is a text": ({"hub": "owner/name"}, "hub='owner/name': must be a mapping"),
    "a hub above": ({"hub": {"id": "../../etc"}}, "hub.id='../../etc': must be <owner>/<name>"),
    "a hub at the root": ({"hub": {"id": "/etc"}}, "must be <owner>/<name>"),
    "a hub that is a list": ({"hub": {"id": ["x"]}}, "hub.id=['x']: must be a string"),
    "an unknown key of a hub": ({"hub": {"id": "y", "splt": "train"}}, "hub.splt: unknown key"),
    "an unknown key": ({"path": "x", "wieght": 2}, "corpus.sources.0.wieght: unknown key; remove it"),
    "a generator that is a text": ({"generate": "stories"}, "generate='stories': must be a mapping"),
    "a generator without a name": (
        {"generate": {"seed": 1}},
        "generate.name must be the name of a generator",
    ),
    "a path that is a list": ({"path": ["x"]}, "path=['x']: must be a string"),
    "columns that are a text": ({"path": "x", "columns": "a,b"}, "columns='a,b': must be a list"),
    "columns that are numbers": ({"path": "x", "columns": [1, 2]}, "columns.0=1: must be a string"),
    "a header that is a text": ({"path": "x", "header": "yes"}, "header='yes': must be true or false"),
    "a delimiter of two characters": (
        {"path": "x", "delimiter": "::"},
        "delimiter='::': must be one character",
    ),
    "members that are a list": ({"path": "x", "members": ["*"]}, "members=['*']: must be a string"),
    "an unknown format": (
        {"path": "x", "format": "pickle"},
        "format='pickle': must be one of txt, md, lines",
    ),
    "a limit below 0": ({"path": "x", "record_megabytes": -1}, "record_megabytes=-1: must be above 0"),
    "a weight of 0": ({"path": "x", "weight": 0}, "weight=0: must be above 0"),
    "a weight of nan": ({"path": "x", "weight": float("nan")}, "weight=nan: must be a finite number"),
    "a weight of inf": ({"path": "x", "weight": float("inf")}, "weight=inf: must be a finite number"),
    "a weight of text": ({"path": "x", "weight": "1"}, "weight='1': must be a number"),
    "a weight of true": ({"path": "x", "weight": True}, "weight=true: must be a number"),
    "first for all steps": ({"path": "x", "first": 1}, "first=1: must be below 1"),
    "first below 0": ({"path": "x", "first": -0.1}, "first=-0.1: must be at least 0"),
    "a pattern that is none": ({"path": "x", "begins": "(["}, "begins='([': must be a regular expression"),
}


@pytest.mark.parametrize("what", SOURCES)
def test_a_source_that_cannot_be_fetched_or_read(what: str) -> None:
    source, says = SOURCES[what]
    assert says in refused(Dataset, {"name": "test", "sources": [{"name": "a", **source}]}, "corpus")


@pytest.mark.parametrize("encoding", ["rot13", "hex", "none", "utf-9", "../../x", "a\0b"])
def test_an_unknown_encoding(encoding: str) -> None:
    values = {"name": "test", "sources": [{"name": "a", "path": "x", "encoding": encoding}]}
    assert "must be one of Python's encodings" in refused(Dataset, values, "corpus")


@pytest.mark.parametrize("limit", [0, -1, "1", None, True, float("nan")])
def test_a_limit_that_is_none(limit: Any) -> None:
    values = {"name": "test", "sources": [{"name": "a", "path": "x", "record_megabytes": limit}]}
    assert refused(Dataset, values, "corpus").startswith("corpus.sources.0.record_megabytes=")


NAMES = ["../up", "a/b", "/root", "..", ".", ".hidden", "", "a\nb", "a\0b", "x" * 300, "a\\b", 5, None, ["a"]]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:20])
def test_a_source_whose_name_is_no_folders(name: Any) -> None:
    line = refused(Dataset, {"name": "test", "sources": [{"name": name, "path": "x"}]}, "corpus")
    assert line.startswith("corpus.sources.0.name=")


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        ("text", "corpus.sources='text': must be a list, not a string"),
        (["a"], "corpus.sources.0='a': must be a mapping"),
        ([], "corpus.sources: must list at least one source"),
        (
            [{"name": "a", "path": "x"}, {"name": "a", "path": "y"}],
            "corpus.sources: must have different names; a",
        ),
    ],
)
def test_sources_that_are_none(sources: Any, says: str) -> None:
    assert says in refused(Dataset, {"name": "test", "sources": sources}, "corpus")


@pytest.mark.parametrize("name", [None, 5, "a\nb", ["x"]])
def test_a_dataset_without_a_name(name: Any) -> None:
    assert "corpus.name" in refused(
        Dataset, {"name": name, "sources": [{"name": "a", "path": "x"}]}, "corpus"
    )


@pytest.mark.parametrize(
    ("split", "says"),
    [
        ({"validation": 2, "by": "document"}, "corpus.split.validation=2: must be below 1"),
        ({"validation": 0, "by": "document"}, "corpus.split.validation=0: must be above 0"),
        ({"validation": float("nan"), "by": "document"}, "corpus.split.validation=nan: must be"),
        ({"validation": 0.1, "by": "luck"}, "corpus.split.by='luck': must be one of document or position"),
    ],
)
def test_a_split_that_means_nothing(split: dict[str, Any], says: str) -> None:
    corpus = {"name": "a", "sources": [{"name": "a", "path": "x"}], **SHARED, "split": split}
    assert says in refused(Corpus, corpus, "corpus")


def test_a_setting_that_a_source_repeats_is_named_once() -> None:
    source = {"name": "files", "settings": "corpus", "path": "x", "encoding": "utf-9"}
    line = refused(Corpus, {"name": "a", **SHARED, "encoding": "utf-9", "sources": [source]}, "corpus")
    assert line == "corpus.encoding='utf-9': must be one of Python's encodings, such as latin-1, or auto"


@pytest.mark.parametrize("hub", ["../../etc", "/etc", "a/b/c", "a b", "", 5])
def test_weights_of_a_hub_id_that_is_a_path(hub: Any) -> None:
    values = {"init_from": "x", "files": [], "hub": {"id": hub, "revision": None, "files": ["*"]}}
    assert refused(Weights, values, "weights").startswith("weights.hub.id=")


@pytest.mark.parametrize("spelt", ["\\t", "tab", "\t"])
def test_a_command_line_spells_tabs_and_line_ends(spelt: str) -> None:
    source = Source(name="a", path="x", delimiter=spelt, separator="\\n--\\n")
    assert (source.delimiter, source.separator) == ("\t", "\n--\n")


def test_messages_name_a_setting_as_a_shell_takes_it() -> None:
    own = Source(name="a", path="x", settings="classify")
    assert own.setting("columns") == "classify.columns"
    assert own.setting("delimiter", "';'") == "\"classify.delimiter=';'\""
    assert Source(name="a", path="x").setting("errors", "replace") == "`errors: replace` in its source"
