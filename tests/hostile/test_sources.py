"""Dataset configs, places and servers that mean harm: refused in one line, and nothing under a final name."""

import hashlib
import http.server
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from foundling.artifacts import atomic_folder, read_json, write_json
from foundling.data import corpora, download
from foundling.data.fetching import fetch
from foundling.data.pretrained import fetch_weights
from foundling.data.sources import check, records

TEXT = b"The lion is in the forest.\n" * 40
SHA256 = hashlib.sha256(TEXT).hexdigest()


def fetched(folder: Path, source: Any, mirror: Path | None = None, name: Any = "test") -> None:
    """As the stage does it."""
    with atomic_folder(folder / "final") as beside:
        fetch({"name": name, "sources": source if isinstance(source, list | str) else [source]}, beside / "raw", mirror)


NAMES = ["../up", "a/b", "/root", "..", ".", ".hidden", "", "a\nb", "a\0b", "x" * 300, "a\\b", 5, None, ["a"]]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:20])
def test_a_source_whose_name_is_no_folders(tmp_path: Path, refuses, name: Any) -> None:
    (tmp_path / "a.txt").write_bytes(TEXT)
    if name == 5:
        pytest.skip("a number is a name")
    refuses(lambda: fetched(tmp_path, {"name": name, "path": str(tmp_path / "a.txt")}), "a source named|lacks name")


PLACES: dict[str, tuple[dict[str, Any], str]] = {
    "a mirror path above": ({"mirror": "../../etc/passwd"}, "allowed is a path below the mirror folder"),
    "an absolute mirror path": ({"mirror": "/etc/passwd"}, "allowed is a path below the mirror folder"),
    "a mirror path to no file": ({"mirror": "a/.."}, "allowed is a path below the mirror folder"),
    "a mirror that is a number": ({"mirror": 5}, "mirror=5 of type int"),
    "a URL that is a file": ({"url": "file:///etc/passwd"}, "allowed are https:// and http://"),
    "a URL of ftp": ({"url": "ftp://example.org/a.txt"}, "allowed are https:// and http://"),
    "a URL of data": ({"url": "data:text/plain,hello"}, "allowed are https:// and http://"),
    "a URL without a name": ({"url": "?download"}, "named ''"),
    "a URL that ends in ..": ({"url": "https://example.org/.."}, "named '..'"),
    "a URL of no host": ({"url": "http:///a.txt"}, "did not come"),
    "a URL that is a mapping": ({"url": {"a": 1}}, "of type dict; allowed is str or list"),
    "a URL list of numbers": ({"url": [1, 2]}, "allowed are texts"),
    "a checksum that is none": ({"path": "a.txt", "sha256": "abc"}, "allowed are 64 digits"),
    "a checksum that is a number": ({"path": "a.txt", "sha256": 5}, "of type int"),
    "a size that is a text": ({"path": "a.txt", "size": "9"}, "of type str; allowed is int"),
    "a file that is a text": ("a.txt", "allowed is a mapping"),  # type: ignore[dict-item]
    "a file of no place": ({"note": "nowhere"}, "lacks mirror or path or url"),
    "a setting that nobody reads": ({"path": "a.txt", "exec": "rm"}, "has a setting 'exec'"),
}


@pytest.mark.parametrize("what", PLACES)
def test_a_file_at_a_place_that_is_none(tmp_path: Path, refuses, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    file, says = PLACES[what]
    (tmp_path / "mirror").mkdir()
    refuses(lambda: fetched(tmp_path, {"name": "a", "files": [file]}, tmp_path / "mirror"), says)


SOURCES: dict[str, tuple[Any, str]] = {
    "sources that are a text": ("text", "sources of str; allowed is a list"),
    "sources that are texts": (["a", "b"], "allowed is a list of mappings"),
    "no sources": ([], "lists no sources"),
    "two of a name": ([{"name": "a", "path": "x"}, {"name": "a", "path": "y"}], "a source named 'a'"),
    "files that are a text": ({"name": "a", "files": "a.txt"}, "files='a.txt' of type str"),
    "files that are a mapping": ({"name": "a", "files": {"url": "x"}}, "of type dict; allowed is list"),
    "a hub that is a text": ({"name": "a", "hub": "owner/name"}, "of type str; allowed is dict"),
    "a hub above": ({"name": "a", "hub": {"id": "../../etc"}}, "allowed is <owner>/<dataset>"),
    "a hub at the root": ({"name": "a", "hub": {"id": "/etc"}}, "allowed is <owner>/<dataset>"),
    "a hub that is a number": ({"name": "a", "hub": {"id": ["x"]}}, "allowed is <owner>/<dataset>"),
    "a generator that is a text": ({"name": "a", "generate": "stories"}, "of type str; allowed is dict"),
    "a generator with a target": ({"name": "a", "generate": {"name": "os.system"}}, "found generator 'os.system'"),
    "a generator with code": ({"name": "a", "generate": {"name": "stories", "_target_": "os.system"}}, "mend them"),
    "a path that is a list": ({"name": "a", "path": ["x"]}, "of type list; allowed is str"),
    "columns that are a text": ({"name": "a", "path": "x", "columns": "a,b"}, "of type str; allowed is list"),
    "columns that are numbers": ({"name": "a", "path": "x", "columns": [1, 2]}, "allowed are texts"),
    "a header that is a text": ({"name": "a", "path": "x", "header": "yes"}, "of type str; allowed is bool"),
    "members that are a list": ({"name": "a", "path": "x", "members": ["*"]}, "of type list; allowed is str"),
    "a format that is none": ({"name": "a", "path": __file__, "format": "pickle"}, "of format pickle"),
    "a limit below 0": ({"name": "a", "path": "x", "record_megabytes": -1}, "allowed is a number above 0"),
    "two places": ({"name": "a", "path": "x", "hub": {"id": "y"}}, "has path and hub; exactly one"),
    "a device": ({"name": "a", "path": "/dev/zero"}, "found nothing at /dev/zero|no readable one"),
}


@pytest.mark.parametrize("what", SOURCES)
def test_a_source_that_is_none(tmp_path: Path, refuses, what: str) -> None:
    source, says = SOURCES[what]

    def act() -> None:
        fetched(tmp_path, source)
        list(records(tmp_path / "final/raw", {"name": "test", "sources": [source]}))

    if what == "a format that is none":  # it comes, and is not read
        with pytest.raises(ValueError, match=says):
            act()
    else:
        refuses(act, says)


@pytest.mark.parametrize("name", [None, 5, "a\nb", ["x"]])
def test_a_dataset_without_a_name(tmp_path: Path, refuses, name: Any) -> None:
    refuses(lambda: fetched(tmp_path, {"name": "a", "path": "x"}, name=name), "found a dataset named")


CORPORA: dict[str, tuple[dict[str, Any], str]] = {
    "a weight of 0": ({"weight": 0}, "weight 0"),
    "a weight below 0": ({"weight": -1.0}, "weight -1.0"),
    "a weight of nan": ({"weight": float("nan")}, "weight nan"),
    "a weight of inf": ({"weight": float("inf")}, "weight inf"),
    "a weight of text": ({"weight": "1"}, "weight '1'"),
    "a weight of true": ({"weight": True}, "weight True"),
    "a pattern that is none": ({"begins": "(["}, "no regular expression"),
    "a share of 2": ({"split": {"validation": 2, "by": "document"}}, "found corpus.split.validation=2"),
    "a share of nan": ({"split": {"validation": float("nan"), "by": "document"}}, "split.validation=nan"),
    "a split of nothing": ({"split": {"validation": 0.1, "by": "luck"}}, "split.by='luck'"),
}


@pytest.mark.parametrize("what", CORPORA)
def test_a_corpus_that_means_nothing(refuses, what: str) -> None:
    changes, says = CORPORA[what]
    corpus = {"name": "a", "split": {"validation": 0.1, "by": "document"}}
    corpus |= {"sources": [{"name": "one", **{k: v for k, v in changes.items() if k != "split"}}]}
    refuses(lambda: corpora.check(corpus | ({"split": changes["split"]} if "split" in changes else {})), says)


def _meta(**values: Any) -> Callable[[Path], None]:
    return lambda path: write_json(path, read_json(path) | values)


METAS: dict[str, tuple[Callable[[Path], None], str]] = {
    "no JSON": (lambda path: path.write_text("{"), "no valid JSON"),
    "a list": (lambda path: path.write_text("[]"), "no valid JSON .it holds a list"),
    "nothing": (lambda path: path.write_text(""), "no valid JSON"),
    "bytes": (lambda path: path.write_bytes(b"\xff\xfe"), "no valid JSON"),
    "brackets": (lambda path: path.write_text("[" * 100_000), "no valid JSON .maximum recursion"),
    "too much": (lambda path: os.truncate(path, 1 << 40), "no plain file of at most"),
    "other settings": (_meta(settings={}), "fetched with other sources"),
    "no settings": (_meta(settings=None), "fetched with other sources"),
    "no sources": (_meta(sources={}), "lists None for source one"),
    "a source of text": (_meta(sources={"one": "a.txt"}), "lists None for source one"),
    "a file above": (_meta(sources={"one": [{"file": "../../secret.txt"}]}), "lists '../../secret.txt'"),
    "a file at the root": (_meta(sources={"one": [{"file": "/etc/passwd"}]}), "lists '/etc/passwd'"),
    "a file of no name": (_meta(sources={"one": [{"name": "a.txt"}]}), "lists None"),
}


@pytest.mark.parametrize("what", METAS)
def test_a_meta_file_that_lies(tmp_path: Path, refuses, what: str) -> None:
    harm, says = METAS[what]
    (tmp_path / "a.txt").write_bytes(TEXT)
    (tmp_path / "secret.txt").write_bytes(b"secret")
    source = {"name": "one", "path": str(tmp_path / "a.txt")}
    fetched(tmp_path, source)
    harm(tmp_path / "final/raw/meta.json")
    refuses(lambda: list(records(tmp_path / "final/raw", {"name": "test", "sources": [source]})), says)


@pytest.mark.parametrize("hub", ["../../etc", "/etc", "a/b/c", "a b", "", 5])
def test_weights_of_a_hub_id_that_is_a_path(tmp_path: Path, refuses, hub: Any) -> None:
    asked = {"files": [], "hub": {"id": hub, "revision": None, "files": ["*"]}}
    if hub == 5:
        pytest.skip("the hub may have a model named 5")
    refuses(lambda: fetch_weights(asked, tmp_path, tmp_path), "allowed is <owner>/<model>")


@pytest.mark.parametrize("mirror", ["../../etc/passwd", "/etc/passwd", ".."])
def test_weights_of_a_mirror_path_above(tmp_path: Path, refuses, mirror: str) -> None:
    asked = {"files": [{"mirror": mirror}], "hub": None}
    refuses(lambda: fetch_weights(asked, tmp_path, tmp_path), "allowed is a path below the mirror folder")


class Handler(http.server.BaseHTTPRequestHandler):
    """A server that does not keep its word."""

    def do_GET(self) -> None:
        leads = {"/file": "file:///etc/passwd", "/ftp": "ftp://127.0.0.1/a", "/loop": "/loop", "/nowhere": "http://:0/"}
        if goal := leads.get(self.path.removesuffix(".txt")):
            self.send_response(302)
            self.send_header("Location", goal + (".txt" if goal == "/loop" else ""))
            self.end_headers()
            return
        self.send_response(200)
        if self.path == "/short.txt":
            self.send_header("Content-Length", "999999999")
        if self.path == "/packed.txt":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        try:
            for _ in range(2000 if self.path == "/endless.txt" else 1):
                self.wfile.write(TEXT * (40 if self.path == "/endless.txt" else 1))
        except OSError:
            pass  # it was hung up on

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


ANSWERS = {
    "/file.txt": "leads on to another place|cannot connect",
    "/ftp.txt": "leads on to another place|cannot connect",
    "/nowhere.txt": "leads on to another place|cannot connect",
    "/loop.txt": "leads on and on",
    "/short.txt": "broke off 3 times",
    "/packed.txt": "wrong checksum|broke off|cannot connect|did not come",
    "/endless.txt": "sends more than 2,000 bytes",
    "/other.txt": "wrong size: expected 2,000 bytes but got 1,080|wrong checksum",
}


@pytest.mark.parametrize("path", ANSWERS)
def test_a_server_that_lies(tmp_path: Path, refuses, server: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    monkeypatch.setattr(download, "TIMEOUT", 2)
    file = {"url": server + path, "size": 2000, "sha256": "0" * 64 if path == "/packed.txt" else SHA256}
    refuses(lambda: fetched(tmp_path, {"name": "a", "files": [file]}), ANSWERS[path])


def test_a_server_that_never_ends_is_cut_off_without_a_size_too(
    tmp_path: Path, refuses, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LARGEST", 100_000)
    refuses(
        lambda: fetched(tmp_path, {"name": "a", "files": [{"url": f"{server}/endless.txt"}]}), "more than 100,000 bytes"
    )


def test_every_shipped_dataset_passes(root: Path) -> None:
    import yaml

    for file in [*(root / "conf/corpus").glob("*.yaml"), *(root / "conf/benchmark").glob("*.yaml")]:
        values = yaml.safe_load(file.read_text())
        if not any("${" in str(source) for source in values["sources"]):
            check(values)
