"""Dataset configs to records: what a config may say of its sources, and the records of those that were fetched.

A dataset config (a corpus, a benchmark) lists its sources; each takes its data from exactly one of

    files     named files, each looked for in the mirror, on disk and at its URL (data/places.py)
    path      the user's own file, folder or glob
    hub       a dataset of the Hugging Face hub (data/hub.py)
    generate  a generator of the embedded world: {name, …} (fables/)

How its files are written (`format`, `columns`, `encoding`, …) is told in data/formats.py. `text` names the field that
holds the text; `members` is a glob of the names to take out of an archive; `weight` and `begins` are read in
data/corpora.py. data/fetching.py brings the files.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from foundling.artifacts import fingerprint, read_json
from foundling.data.formats import read

META = "meta.json"
ORIGINS = ("files", "path", "hub", "generate")
READING = ("format", "text", "columns", "header", "quoting", "encoding", "errors", "members")
SOURCE_KEYS = ("name", "weight", *ORIGINS, *READING, "begins")
FILE_KEYS = ("mirror", "path", "url", "size", "sha256", "note")
HUB_KEYS = ("id", "config", "split", "revision", "files", "columns", "streaming", "limit")


def records(folder: Path, dataset: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Stream (source name, record) in the config's order; a record without the text field that is asked for raises."""
    check(dataset)
    meta = read_json(folder / META)
    if meta["settings"] != fingerprints(dataset):
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
        _known(source, SOURCE_KEYS, where, ["name"])
        origins = [origin for origin in ORIGINS if source.get(origin)]
        if len(origins) != 1:
            raise ValueError(
                f"{where} has {' and '.join(origins) or 'no place to come from'}; exactly one of {', '.join(ORIGINS)} "
                "is needed" + ("; for your own texts set corpus.path=my_texts" if not origins else "")
            )
        if source.get("hub"):
            _known(source["hub"], HUB_KEYS, f"hub of {where}", ["id"])
        if source.get("generate"):
            _known(source["generate"], None, f"generate of {where}", ["name"])
        for file in source.get("files") or []:
            _known(file, FILE_KEYS, f"a file of {where}", ["mirror", "path", "url"])


def _known(values: Mapping[str, Any], allowed: Iterable[str] | None, where: str, any_of: Iterable[str]) -> None:
    """Refuse settings that nobody reads, and the lack of each of `any_of`."""
    for key in values:
        if allowed is not None and key not in allowed:
            raise ValueError(f"{where} has a setting {key!r}; allowed are {', '.join(allowed)}; mend it")
    if not any(values.get(key) for key in any_of):
        raise ValueError(f"{where} lacks {' or '.join(any_of)}; set it")


def fingerprints(dataset: Mapping[str, Any]) -> dict[str, str]:
    """What decides which bytes each source brings; how they are read, mixed and cleaned may change without a fetch."""
    origins = ("members", "format", *ORIGINS)
    return {s["name"]: fingerprint({key: s[key] for key in origins if s.get(key)}) for s in dataset["sources"]}
