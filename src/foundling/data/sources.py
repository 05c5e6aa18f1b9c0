"""Dataset configs to records: fetch() brings each source's files to a folder, records() streams them back.

A dataset config (a corpus, a benchmark) lists its sources; each takes its data from exactly one of

    files     named files: {mirror, path, url, sha256, note}; tried in that order, the mirror folder first
    path      the user's own file, folder or glob
    hub       a dataset of the Hugging Face hub (data/hub.py)
    generate  a generator of the embedded world: {name, …} (fables/)

How its files are written (`format`, `columns`, `encoding`, …) is told in data/formats.py. `text` names the field that
holds the text; `weight` and `begins` are read in data/corpora.py.
"""

import glob
import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from foundling.artifacts import fingerprint, read_json, sha256, write_json
from foundling.data.archives import extract, is_archive
from foundling.data.download import download
from foundling.data.formats import FORMATS, format_of, read
from foundling.data.hub import KEYS as HUB_KEYS
from foundling.data.hub import rows

log = logging.getLogger(__name__)
META = "meta.json"
ORIGINS = ("files", "path", "hub", "generate")
FILE_KEYS = ("mirror", "path", "url", "sha256", "note")
READING = ("format", "text", "columns", "header", "quoting", "encoding", "errors", "members")
SOURCE_KEYS = ("name", "weight", *ORIGINS, *READING, "begins")


def fetch(dataset: Mapping[str, Any], folder: Path, mirror: Path | None) -> None:
    """Put each source's files into folder/<source>/, and into meta.json what came: names, bytes, SHA-256.

    Equal settings and data give equal folders on each machine, wherever the data came from. What cannot be had raises
    ValueError with each place that was tried.
    """
    check(dataset)
    if mirror is not None and not mirror.is_dir():
        raise ValueError(
            f"found no mirror folder {mirror}; set FOUNDLING_MIRROR or runtime.mirror to a folder, or unset it"
        )
    made = {}
    for source in dataset["sources"]:
        place = folder / source["name"]
        place.mkdir(parents=True)
        names = _bring(source, place, mirror)
        made[source["name"]] = [
            {"file": name, "bytes": (place / name).stat().st_size, "sha256": sha256(place / name)} for name in names
        ]
        size = sum(file["bytes"] for file in made[source["name"]])
        log.info(f"fetch: {source['name']}: {len(names)} file{'s' * (len(names) != 1)}, {size / 1e6:.1f} MB")
    write_json(folder / META, {"dataset": dataset["name"], "settings": _fingerprints(dataset), "sources": made})


def records(folder: Path, dataset: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Stream (source name, record) in the config's order; a record without the text field that is asked for raises."""
    check(dataset)
    meta = read_json(folder / META)
    if meta["settings"] != _fingerprints(dataset):
        raise ValueError(
            f"{folder} was fetched with other sources than {dataset['name']} has now; run `dvc repro fetch` first"
        )
    for source in dataset["sources"]:
        field = source.get("text")
        for file in meta["sources"][source["name"]]:
            path = folder / source["name"] / file["file"]
            for line, record in read(path, source):
                if field and not isinstance(record.get(field), str):
                    found = "no text" if field in record else f"only {', '.join(map(str, record)) or 'nothing'}"
                    raise ValueError(
                        f"{path}:{line} has no text field {field!r} (found {found}); mend that row, or set `text` of "
                        f"source {source['name']} to the field that holds the text"
                    )
                yield source["name"], record


def check(dataset: Mapping[str, Any]) -> None:
    """Refuse a dataset config that cannot be fetched or read, and say what would."""
    name, sources = dataset.get("name"), dataset.get("sources") or []
    if not sources:
        raise ValueError(f"dataset {name} lists no sources; give it one, as in conf/corpus/files.yaml")
    names = [str(source.get("name") or "") for source in sources]
    for source in names:
        if not source or "/" in source or source.startswith(".") or names.count(source) > 1:
            raise ValueError(
                f"dataset {name} has a source named {source!r}; each needs a name of its own, without slashes"
            )
    for source in sources:
        where = f"source {source['name']} of {name}"
        _known(source, SOURCE_KEYS, where)
        origins = [origin for origin in ORIGINS if source.get(origin)]
        if len(origins) != 1:
            raise ValueError(
                f"{where} has {' and '.join(origins) or 'no place to come from'}; exactly one of {', '.join(ORIGINS)} "
                "is needed" + ("; for your own texts set corpus.path=my_texts" if not origins else "")
            )
        if source.get("hub"):
            _known(source["hub"], HUB_KEYS, f"hub of {where}")
        for file in source.get("files") or []:
            _known(file, FILE_KEYS, f"a file of {where}")


def _known(values: Mapping[str, Any], allowed: Iterable[str], where: str) -> None:
    for key in values:
        if key not in allowed:
            raise ValueError(f"{where} has a setting {key!r}; allowed are {', '.join(allowed)}")


def _fingerprints(dataset: Mapping[str, Any]) -> dict[str, str]:
    """What decides which bytes each source brings; how they are read, mixed and cleaned may change without a fetch."""
    origins = ("members", "format", *ORIGINS)
    return {s["name"]: fingerprint({key: s[key] for key in origins if s.get(key)}) for s in dataset["sources"]}


def _bring(source: Mapping[str, Any], place: Path, mirror: Path | None) -> list[str]:
    """Fill a source's folder; returns the names of its files in reading order."""
    if source.get("generate"):
        return _write_rows(_generated(**source["generate"]), place)
    if source.get("hub"):
        return _write_rows(rows(source["hub"], mirror), place)
    names: list[str] = []
    with TemporaryDirectory(dir=place.parent) as scratch:
        if source.get("path"):
            for file, name in _on_disk(str(source["path"]), source):
                names += _settle(file, name, source, place, names)
        for file in source.get("files") or []:
            path = _locate(file, source["name"], Path(scratch), mirror)
            names += _settle(path, Path(_name(file)), source, place, names)
    return names


def _settle(file: Path, name: Path, source: Mapping[str, Any], place: Path, taken: list[str]) -> list[str]:
    """Copy a file to its place, or unpack an archive there; returns the new names."""
    if is_archive(name.name):
        inner = name.parent / name.name.partition(".")[0]
        if (place / inner).exists():
            raise ValueError(
                f"source {source['name']} has two archives named {inner}; put them into sources of their own"
            )
        found = extract(file, place / inner, lambda member: _wanted(member, source))
        if not found:
            raise ValueError(
                f"archive {name} holds no file that can be read; allowed are {', '.join(FORMATS)}; set `members` (a "
                f"glob of names inside it) or `format` of source {source['name']}"
            )
        return [(inner / member).as_posix() for member in found]
    if name.as_posix() in taken:
        raise ValueError(f"source {source['name']} has two files named {name}; put them into sources of their own")
    if not source.get("format") and format_of(name) is None:
        raise ValueError(
            f"found {name} in source {source['name']}, whose suffix names no format; allowed are {', '.join(FORMATS)}, "
            "each also with .gz or .zst; rename it or set `format` of the source"
        )
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, place / name)
    return [name.as_posix()]


def _wanted(name: Path, source: Mapping[str, Any]) -> bool:
    """Whether a file of a folder or archive belongs to the source: not hidden, and of a format that can be read."""
    if any(part.startswith((".", "__MACOSX")) for part in name.parts) or not name.match(source.get("members") or "*"):
        return False
    return bool(source.get("format")) or format_of(name) is not None


def _on_disk(pattern: str, source: Mapping[str, Any]) -> Iterator[tuple[Path, Path]]:
    """The user's files as (file, name below the source's folder), sorted by name."""
    path = Path(pattern).expanduser()
    if path.is_file():
        yield path, Path(path.name)
        return
    if path.is_dir():
        root, found = path, list(path.rglob("*"))
    else:
        fixed = []
        for part in path.parts:
            if glob.has_magic(part):
                break
            fixed.append(part)
        root = Path(*fixed)
        found = [Path(file) for file in glob.glob(str(path), recursive=True)] if glob.has_magic(pattern) else []
    files = sorted(
        (file.relative_to(root), file)
        for file in found
        if file.is_file() and (_wanted(file.relative_to(root), source) or is_archive(file.name))
    )
    if not files:
        raise ValueError(
            f"found no text at {pattern} (source {source['name']}); allowed is a file, a folder or a glob of "
            f"{', '.join(FORMATS)} files, each also .gz or .zst, seen from {Path.cwd()}; mend its path"
        )
    yield from ((file, name) for name, file in files)


def _locate(file: Mapping[str, Any], source: str, scratch: Path, mirror: Path | None) -> Path:
    """The first of a file's places that has it with the right bytes."""
    expected, tried = file.get("sha256"), []
    for place in (mirror / file["mirror"] if mirror and file.get("mirror") else None, file.get("path")):
        if place:
            path = Path(place).expanduser()
            problem = _problem(path, expected)
            if problem is None:
                return path
            tried.append(f"{path} ({problem})")
    urls = file.get("url") or []
    for url in [urls] if isinstance(urls, str) else urls:
        path = scratch / _name(file)
        try:
            download(url, path, expected)
            return path
        except ValueError as error:
            tried.append(f"{url} ({error})")
    if mirror is None and file.get("mirror"):
        tried.insert(0, "no mirror (FOUNDLING_MIRROR and runtime.mirror are not set)")
    goal = f"{mirror or '<mirror>'}/{file['mirror']}" if file.get("mirror") else str(file.get("path") or "its `path`")
    raise ValueError(
        f"source {source} did not come: tried {', '.join(tried)}; mend: put the file{_hashed(expected)} at {goal}"
        + (" and set FOUNDLING_MIRROR (or runtime.mirror) to that mirror folder" if mirror is None else "")
        + (f"; {file['note']}" if file.get("note") else "")
    )


def _name(file: Mapping[str, Any]) -> str:
    """A file's name in its source's folder; it follows from the config, not from the place that had it."""
    urls = file.get("url") or []
    url = urls if isinstance(urls, str) else next(iter(urls), "")
    return Path(file.get("mirror") or file.get("path") or url.partition("?")[0]).name


def _problem(path: Path, expected: str | None) -> str | None:
    """Why a file on disk cannot be taken, or None."""
    if not path.is_file():
        return "not there"
    found = sha256(path) if expected else None
    return None if found == expected else f"wrong checksum: found sha256 {found}, expected {expected}"


def _hashed(expected: str | None) -> str:
    return f" with sha256 {expected}" if expected else ""


def _generated(name: str, **settings: Any) -> Iterator[dict[str, Any]]:
    from foundling.fables.generators import GENERATORS

    if name not in GENERATORS:
        raise ValueError(f"found generator {name!r}; allowed are {', '.join(GENERATORS)}; mend `generate.name`")
    return GENERATORS[name](**settings)


def _write_rows(found: Iterable[Mapping[str, Any]], place: Path) -> list[str]:
    with open(place / "rows.jsonl", "w", encoding="utf-8", newline="\n") as file:
        for row in found:
            file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
    return ["rows.jsonl"]
