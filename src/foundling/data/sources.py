"""Dataset configs to records: what a config may say of its sources, and the records of those that were fetched.

A dataset config (a corpus, a benchmark) lists its sources; each takes its data from exactly one of

    files     named files, each looked for in the mirror, on disk and at its URL (data/places.py)
    path      the user's own file, folder or glob
    hub       a dataset of the Hugging Face hub (data/hub.py)
    generate  a generator of the embedded world: {name, …} (fables/)

How its files are written (`format`, `columns`, `encoding`, …) is told in data/formats.py, how much they may hold in
data/limits.py. `text` names the field that holds the text; `members` is a glob of the names to take out of an archive;
`weight`, `first` and `begins` are read in data/corpora.py; `settings` is the section of the config where the source's
settings are plain ones (data/naming.py). data/fetching.py brings the files.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundling.artifacts import fingerprint, read_json
from foundling.data import limits
from foundling.data.formats import read
from foundling.data.naming import setting
from foundling.data.tables import SPELLED

META = "meta.json"
ORIGINS = ("files", "path", "hub", "generate")
READING = ("format", "text", "separator", "columns", "header", "delimiter", "quoting", "encoding", "errors", "members")
SOURCE_KEYS = ("name", "weight", "first", *ORIGINS, *READING, *limits.SETTINGS, "begins", "settings")
FILE_KEYS = ("mirror", "path", "url", "size", "sha256", "note")
HUB_KEYS = ("id", "config", "split", "revision", "files", "columns", "streaming", "limit")
# what a source's settings are, where they are given
KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("format", "text", "encoding", "errors", "members", "begins", "settings"), str),
    **dict.fromkeys(("delimiter", "separator"), str),
    **dict.fromkeys(("header", "quoting"), bool),
    **dict.fromkeys(("path",), str),
    **dict.fromkeys(("files", "columns"), list),
    **dict.fromkeys(("hub", "generate"), dict),
}
FILE_KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("mirror", "path", "sha256", "note"), str),
    "url": (str, list),
    "size": int,
}
NAME = re.compile(r"\w[\w .+-]{0,99}")  # of a dataset or source: it is a folder's name, too
HUB_ID = re.compile(r"(\w[\w.-]*/)?\w[\w.-]*")
SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Row:
    """A record, the name of its source, and where it stands, for errors: "a/b.csv:3 of source mine"."""

    source: str
    place: str
    record: dict[str, Any]


def records(
    folder: Path, dataset: Mapping[str, Any], tally: Counter[str] | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Stream (source name, record) in the config's order; a record without the text field that is set raises.

    `tally` counts what is left out or changed on the way, by reason.
    """
    counted = Counter[str]() if tally is None else tally
    for row in rows(folder, dataset, defaultdict(lambda: counted)):
        yield row.source, row.record


def rows(folder: Path, dataset: Mapping[str, Any], tallies: Mapping[str, Counter[str]] | None = None) -> Iterator[Row]:
    """The same as rows that know their place; `tallies` count by source what is left out or changed, by reason."""
    check(dataset)
    meta = read_json(folder / META)
    if meta.get("settings") != fingerprints(dataset):
        raise ValueError(
            f"{folder} was fetched with other sources than {dataset['name']} has now; run `dvc repro fetch` first"
        )
    for source in dataset["sources"]:
        field, name = source.get("text"), source["name"]
        tally = Counter[str]() if tallies is None else tallies[name]
        for path in _files(folder, meta, name):
            file = path.relative_to(folder / name).as_posix()
            for line, record in read(path, source, tally):
                if field and not isinstance(record.get(field), str):
                    found = "no text" if field in record else f"only {', '.join(map(str, record)) or 'nothing'}"
                    raise ValueError(
                        f"{path}:{line} has no text field {field!r} (found {found}); fix that row, or set "
                        f"{setting(source, 'text')} to the field that holds the text"
                    )
                yield Row(name, f"{file}:{line} of source {name}", record)


def left_out(folder: Path) -> dict[str, dict[str, Any]]:
    """The files that fetching left out, by source and reason: how many, and the first ones' names."""
    found = read_json(folder / META).get("left_out")
    return found if isinstance(found, dict) else {}


def _files(folder: Path, meta: Mapping[str, Any], source: str) -> Iterator[Path]:
    """The files that meta.json lists for a source; one that is not below the source's folder is refused."""
    listed = (meta.get("sources") or {}).get(source)
    for file in listed if isinstance(listed, list) else [None]:
        name = file.get("file") if isinstance(file, dict) else None
        if not isinstance(name, str) or Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(
                f"{folder / META} lists {name!r} for source {source}; allowed are files below {folder / source}; "
                "fetch it again with `dvc repro --force fetch`"
            )
        yield folder / source / name


def check(dataset: Mapping[str, Any]) -> None:
    """Refuse a dataset config that cannot be fetched or read, and say what would."""
    name, sources = dataset.get("name"), dataset.get("sources") or []
    if not isinstance(name, str) or not name.isprintable():
        raise ValueError(f"found a dataset named {name!r}; allowed is a word; give it a `name`")
    if not sources:
        raise ValueError(f"dataset {name} lists no sources; give it one, as in conf/corpus/files.yaml")
    if not isinstance(sources, list) or not all(isinstance(source, Mapping) for source in sources):
        raise ValueError(
            f"dataset {name} has sources of {type(sources).__name__}; allowed is a list of mappings, each with its "
            "name and place; see conf/corpus/files.yaml"
        )
    names = [str(source.get("name") or "") for source in sources]
    for source in names:
        if not NAME.fullmatch(source) or names.count(source) > 1:
            raise ValueError(
                f"dataset {name} has a source named {source[:99]!r}; each needs a name of its own, of letters, digits, "
                "_ . + and -, without slashes"
            )
    for source in sources:
        where = f"source {source['name']} of {name}"
        _known(source, SOURCE_KEYS, where, ["name"])
        _of_kind(source, KINDS, where)
        limits.Limits.of(source)
        origins = [origin for origin in ORIGINS if source.get(origin)]
        section = source.get("settings") or "corpus"
        if len(origins) != 1:
            raise ValueError(
                f"{where} has {' and '.join(origins) or 'no place to come from'}; exactly one of {', '.join(ORIGINS)} "
                f"is needed{f'; for your own texts set {section}.path=my_texts' if not origins else ''}"
            )
        if source.get("hub"):
            _known(source["hub"], HUB_KEYS, f"hub of {where}", ["id"])
            if not HUB_ID.fullmatch(str(source["hub"]["id"])):
                raise ValueError(
                    f"hub of {where} has the id {source['hub']['id']!r}; allowed is <owner>/<dataset>, as on the hub"
                )
        delimiter = source.get("delimiter")
        if delimiter and len(SPELLED.get(delimiter, delimiter)) != 1:
            raise ValueError(
                f"{setting(source, 'delimiter', repr(delimiter))}: must be one character, or tab; try {';'!r}"
            )
        if source.get("generate"):
            _known(source["generate"], None, f"generate of {where}", ["name"])
        for file in source.get("files") or []:
            check_file(file, where)


def check_file(file: Any, where: str) -> None:
    """Refuse a named file that has no place, no name, or a place outside of the mirror."""
    if not isinstance(file, Mapping):
        raise ValueError(f"{where} has a file {file!r}; allowed is a mapping of {', '.join(FILE_KEYS)}")
    _known(file, FILE_KEYS, f"a file of {where}", ["mirror", "path", "url"])
    _of_kind(file, FILE_KINDS, f"a file of {where}")
    mirror = file.get("mirror") or ""
    if Path(mirror).is_absolute() or ".." in Path(mirror).parts:
        raise ValueError(f"a file of {where} has mirror={mirror!r}; allowed is a path below the mirror folder; mend it")
    if file.get("sha256") and not SHA256.fullmatch(file["sha256"]):
        raise ValueError(f"a file of {where} has sha256={file['sha256']!r}; allowed are 64 digits of 0 to f; mend it")
    name = name_of(file)
    if name in ("", "..") or len(name) > 200 or not name.isprintable():
        raise ValueError(
            f"a file of {where} is named {name[:60]!r}, by the end of its mirror path, path or URL; allowed are "
            "printable names; give it a `mirror` path that ends in one"
        )


def name_of(file: Mapping[str, Any]) -> str:
    """A file's name; it follows from the config, so that it is the same whichever place had the file."""
    return Path(file.get("mirror") or file.get("path") or urls_of(file)[0].partition("?")[0]).name


def urls_of(file: Mapping[str, Any]) -> list[str]:
    """A file's URLs, in the order in which they are tried."""
    urls = file.get("url") or []
    return [urls] if isinstance(urls, str) else list(urls)


def _of_kind(values: Mapping[str, Any], kinds: Mapping[str, Any], where: str) -> None:
    """Refuse a setting that is of another type than its reader takes; null is none."""
    for key, kind in kinds.items():
        value = values.get(key)
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            names = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
            raise ValueError(f"{where} has {key}={value!r} of type {type(value).__name__}; allowed is {names}; mend it")
    listed = [item for key in ("columns", "url") if isinstance(values.get(key), list) for item in values[key]]
    if not all(isinstance(item, str) for item in listed):
        raise ValueError(f"{where} lists {listed!r}; allowed are texts; mend it")


def _known(values: Mapping[str, Any], allowed: Iterable[str] | None, where: str, any_of: Iterable[str]) -> None:
    """Refuse settings that nobody reads, and the lack of each of `any_of`."""
    if not isinstance(values, Mapping):
        raise ValueError(f"{where} is {values!r}; allowed is a mapping; mend it")
    for key in values:
        if allowed is not None and key not in allowed:
            raise ValueError(f"{where} has a setting {key!r}; allowed are {', '.join(allowed)}; mend it")
    if not any(values.get(key) for key in any_of):
        raise ValueError(f"{where} lacks {' or '.join(any_of)}; set it")


def fingerprints(dataset: Mapping[str, Any]) -> dict[str, str]:
    """What decides which bytes each source brings; how they are read, mixed and cleaned may change without a fetch."""
    origins = ("members", "format", *ORIGINS)
    return {s["name"]: fingerprint({key: s[key] for key in origins if s.get(key)}) for s in dataset["sources"]}
