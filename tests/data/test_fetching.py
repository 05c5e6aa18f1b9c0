"""Sources are fetched from mirror, disk, URL, hub or generator, and checked; errors say how to fix them."""

import gzip
import hashlib
import http.server
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foundling.artifacts import read_json
from foundling.data import download
from foundling.data.fetching import fetch
from foundling.data.sources import read_fetched, rows
from foundling.metrics.data import LeftOutFiles
from foundling.settings.datasets import Dataset
from foundling.validation import build

TEXT = b"The lion is in the forest.\n" * 40
SHA256 = hashlib.sha256(TEXT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """A web server on this machine that can break off, count and answer by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if "missing" in self.path:
            self.send_error(404)
            return
        breaks = "broken" in self.path or ("flaky" in self.path and len(self.server.asked) < 3)
        self.send_response(200)
        self.send_header("Content-Length", str(len(TEXT)))
        self.end_headers()
        self.wfile.write(TEXT[:100] if breaks else TEXT)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    monkeypatch.setattr(download, "TIMEOUT", 2)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def dataset(**source: Any) -> Dataset:
    return build(Dataset, {"name": "test", "sources": [{"name": "one", "text": "text", **source}]}, "test")


def texts(folder: Path, config: Dataset) -> list[str]:
    return [row.record["text"] for row in rows(folder, config)]


def test_the_mirror_is_looked_in_before_any_download(tmp_path: Path, server: Server) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/lion.txt").write_bytes(TEXT)
    config = dataset(files=[{"mirror": "lion.txt", "url": f"{server.url}/lion.txt", "sha256": SHA256}])
    fetch(config, tmp_path / "with", tmp_path / "mirror")
    assert server.asked == []
    fetch(config, tmp_path / "without", None)
    assert server.asked == ["/lion.txt"]
    assert texts(tmp_path / "with", config) == texts(tmp_path / "without", config) == [TEXT.decode()]
    assert (tmp_path / "with/meta.json").read_bytes() == (tmp_path / "without/meta.json").read_bytes()
    assert read_json(tmp_path / "with/meta.json")["sources"]["one"][0]["sha256"] == SHA256


def test_a_broken_download_is_tried_again(tmp_path: Path, server: Server) -> None:
    fetch(dataset(files=[{"url": f"{server.url}/flaky.txt", "sha256": SHA256}]), tmp_path / "raw", None)
    assert (tmp_path / "raw/one/flaky.txt").read_bytes() == TEXT
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("path", "sha256", "says"),
    [
        ("/missing.txt", SHA256, "the server replied 404"),
        ("/broken.txt", SHA256, "the connection broke 3 times"),
        ("/lion.txt", "0" * 64, f"wrong checksum: expected {'0' * 64} but got {SHA256}"),
    ],
)
def test_what_does_not_come_is_one_error_with_each_place_tried(
    tmp_path: Path, server: Server, path: str, sha256: str, says: str
) -> None:
    file = {"mirror": "lion.txt", "url": server.url + path, "sha256": sha256, "note": "see docs/data.md"}
    with pytest.raises(ValueError, match=says) as refusal:
        fetch(dataset(files=[file]), tmp_path / "raw", None)
    told = str(refusal.value)
    assert "no mirror" in told
    assert "set FOUNDLING_MIRROR" in told
    assert "see docs/data.md" in told
    assert "\n" not in told
    assert not [file for file in (tmp_path / "raw").rglob("*") if file.is_file()]


def test_a_host_that_cannot_be_reached_is_named(tmp_path: Path, server: Server) -> None:
    with pytest.raises(ValueError, match=r"http://127.0.0.1:1/lion.txt \(cannot connect\)"):
        fetch(
            dataset(files=[{"url": "http://127.0.0.1:1/lion.txt", "sha256": SHA256}]), tmp_path / "raw", None
        )


def test_a_file_of_the_mirror_with_a_wrong_checksum_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "lion.txt").write_bytes(TEXT + b"!")
    with pytest.raises(ValueError, match=f"wrong checksum: expected {SHA256}"):
        fetch(dataset(files=[{"mirror": "lion.txt", "sha256": SHA256}]), tmp_path / "raw", tmp_path)


def test_the_users_own_folder_glob_and_archive_hold_the_same_texts(tmp_path: Path) -> None:
    own = tmp_path / "own"
    (own / "b").mkdir(parents=True)
    (own / "a.md").write_text("# one")
    (own / "b/c.txt.gz").write_bytes(gzip.compress(b"two"))
    (own / "picture.png").write_bytes(b"no text")
    (own / ".hidden.txt").write_text("no")
    with zipfile.ZipFile(tmp_path / "own.zip", "w") as archive:
        for name in ("a.md", "b/c.txt.gz", "picture.png"):
            archive.write(own / name, name)
    for number, path in enumerate((own, f"{own}/**/*", tmp_path / "own.zip")):
        config = dataset(path=str(path))
        fetch(config, tmp_path / str(number), None)
        assert texts(tmp_path / str(number), config) == ["# one", "two"]


def test_a_hub_dataset_is_read_from_its_copy_in_the_mirror(tmp_path: Path) -> None:
    copy = tmp_path / "mirror/hub/someone/stories"
    copy.mkdir(parents=True)
    stories = [{"text": f"story {i}", "more": i} for i in range(9)]
    (copy / "train.jsonl").write_text("".join(json.dumps(story) + "\n" for story in stories))
    for streaming in (False, True):
        hub = {"id": "someone/stories", "columns": ["text"], "limit": 4, "streaming": streaming}
        fetch(dataset(hub=hub), tmp_path / f"raw{streaming}", tmp_path / "mirror")
        found = [row.record for row in rows(tmp_path / f"raw{streaming}", dataset(hub=hub))]
        assert found == [{"text": f"story {i}"} for i in range(4)]


def test_an_unreachable_hub_says_where_a_copy_would_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(**_: Any) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr("datasets.load_dataset_builder", unreachable)
    with pytest.raises(
        ValueError, match=r"tried the hub \(no network\).*put its files at .*/hub/someone/stories"
    ):
        fetch(dataset(hub={"id": "someone/stories"}), tmp_path / "raw", tmp_path)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"path": "nowhere"}, "no files at nowhere"),
        ({"generate": {"name": "myths"}}, "unknown generator 'myths'; `generate.name` must be one of"),
        ({"generate": {"name": "messages", "sed": 1}}, "correct `generate` of its source"),
    ],
)
def test_a_source_that_cannot_be_fetched_is_refused(
    tmp_path: Path, source: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        fetch(dataset(**source), tmp_path / "raw", None)


def test_a_row_without_the_text_field_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "one"}\n{"txt": "two"}\n')
    config = dataset(path=str(tmp_path / "rows.jsonl"))
    fetch(config, tmp_path / "raw", None)
    with pytest.raises(ValueError, match=r"rows.jsonl:2 has no text field 'text' \(it has only txt\)"):
        texts(tmp_path / "raw", config)


def test_a_folder_that_was_fetched_from_elsewhere_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(name)
    fetch(dataset(path=str(tmp_path / "a.txt")), tmp_path / "raw", None)
    with pytest.raises(ValueError, match=r"was fetched with other sources .* run `dvc repro fetch` first"):
        texts(tmp_path / "raw", dataset(path=str(tmp_path / "b.txt")))


def own_files(folder: Path, path: Path | str) -> list[str]:
    """The names of the files that a user's own path brings."""
    fetch(dataset(path=str(path)), folder, None)
    return [file["file"] for file in read_json(folder / "meta.json")["sources"]["one"]]


def test_files_that_are_left_out_are_counted_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = tmp_path / "own"
    (own / ".git").mkdir(parents=True)
    for name in ("a.TXT", "b.ndjson", "photo.png", "scan.pdf", ".hidden.txt", ".git/c.txt"):
        (own / name).write_text('{"text": "x"}')
    assert own_files(tmp_path / "raw", own) == ["a.TXT", "b.ndjson"]
    assert read_fetched(tmp_path / "raw").left_out == {
        "one": {
            "hidden": LeftOutFiles(files=2, names=(".git", ".hidden.txt")),
            "of no known format": LeftOutFiles(files=2, names=("photo.png", "scan.pdf")),
        }
    }
    assert (
        "left out 2 files hidden (.git, .hidden.txt); 2 files of no known format (photo.png, scan.pdf)"
        in caplog.text
    )


def test_a_folder_where_nothing_is_left_out_has_no_word_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    own_files(tmp_path / "raw", tmp_path / "a.txt")
    assert "left_out" not in read_json(tmp_path / "raw/meta.json")


@pytest.mark.parametrize("pattern", ["own", "own/**/*", "own/**/*.txt"])
def test_links_are_followed_once_by_folder_and_glob_alike(
    tmp_path: Path, pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("own/z/one.txt", "own/two.txt", "elsewhere/three.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "own/a_link").symlink_to(tmp_path / "own/z")  # what is there anyway
    (tmp_path / "own/a_file.txt").symlink_to(tmp_path / "own/two.txt")
    (tmp_path / "own/z/circle").symlink_to(tmp_path / "own")
    (tmp_path / "own/more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "own/broken.txt").symlink_to(tmp_path / "nowhere.txt")
    assert own_files(tmp_path / "raw", pattern) == ["more/three.txt", "two.txt", "z/one.txt"]


@pytest.mark.parametrize("name", ["notes (1).txt", "a,b.txt", "[1].txt", "what?.txt", "*.txt"])
def test_a_files_name_may_hold_a_globs_characters(tmp_path: Path, name: str) -> None:
    for each in (name, "1.txt", "other.txt"):
        (tmp_path / each).write_text(each)
    assert own_files(tmp_path / "raw", tmp_path / name) == [name]


def test_a_globs_folder_may_hold_a_globs_characters(tmp_path: Path) -> None:
    (tmp_path / "texts [1]").mkdir()
    (tmp_path / "texts [1]/a.txt").write_text("x")
    assert own_files(tmp_path / "raw", tmp_path / "texts [1]/*.txt") == ["a.txt"]


def test_the_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.txt").write_text("x")
    assert own_files(tmp_path / "raw", "~/texts") == own_files(tmp_path / "again", "~/texts/*") == ["a.txt"]


def test_a_folder_without_readable_files_is_an_error_that_lists_them(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/photo.png").write_text("x")
    source = {"path": str(tmp_path / "own"), "settings": "corpus"}
    with pytest.raises(ValueError, match=r"1 file of no known format \(photo\.png\).* set corpus\.format"):
        fetch(dataset(**source), tmp_path / "raw", None)


@pytest.mark.parametrize("streaming", [False, True])
def test_texts_of_a_csv_from_the_hub_stay_texts(tmp_path: Path, streaming: bool) -> None:
    copy = tmp_path / "mirror/hub/someone/words"
    copy.mkdir(parents=True)
    (copy / "train.csv").write_text("text,label\nnull,ham\nNA,spam\nfine,ham\n")
    config = dataset(hub={"id": "someone/words", "streaming": streaming})
    fetch(config, tmp_path / "raw", tmp_path / "mirror")
    assert texts(tmp_path / "raw", config) == ["null", "NA", "fine"]


def test_bytes_from_the_hub_are_texts(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    (tmp_path / "mirror/hub/someone/spark").mkdir(parents=True)
    table = pa.table({"text": ["Zoë".encode()]})
    parquet.write_table(table, tmp_path / "mirror/hub/someone/spark/train.parquet")
    config = dataset(hub={"id": "someone/spark"})
    fetch(config, tmp_path / "raw", tmp_path / "mirror")
    assert texts(tmp_path / "raw", config) == ["Zoë"]
