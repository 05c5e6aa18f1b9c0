"""The judge is asked over HTTP as OpenAI's API has it; what goes wrong says what to mend."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from foundling.evaluation.judge import judge, reach

ANSWERED = [{"prompt": f"Question {n}?", "expected": f"right {n}", "answer": f"said {n}"} for n in range(20)]


class Stub(BaseHTTPRequestHandler):
    """Marks answer n with 5 n, and speaks around it."""

    asked: list[dict[str, Any]] = []
    keys: list[str | None] = []
    reply: str | None = None

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Stub.asked.append(body)
        Stub.keys.append(self.headers["Authorization"])
        if self.path != "/v1/chat/completions" or body["model"] == "none":
            self.send_error(404, "no such model")
            return
        text = body["messages"][0]["content"]
        number = text.rpartition("said ")[2].split("\n")[0]
        said = Stub.reply or f"I give it {5 * int(number)} of 100." if "said" in text else "1"
        found = {"model": "stub-2026", "system_fingerprint": "fp_7", "choices": [{"message": {"content": said}}]}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    Stub.asked, Stub.keys, Stub.reply = [], [], None
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("MY_KEY", raising=False)
    yield {
        "url": f"http://127.0.0.1:{server.server_port}/v1",
        "model": "stub",
        "key": "MY_KEY",
        "questions": 10,
        "timeout": 5,
    }
    server.shutdown()
    server.server_close()


def test_it_marks_with_a_bootstrap_interval_and_names_its_version(settings: dict[str, Any]) -> None:
    found = judge(ANSWERED, settings | {"questions": 20}, 1)
    assert found
    assert (found["model"], found["versions"]) == ("stub", ["stub-2026 fp_7"])
    assert (found["n"], found["without_mark"], found["mean"]) == (20, 0, 47.5)
    assert found["low"] < 47.5 < found["high"]
    assert "Question 3?" in Stub.asked[3]["messages"][0]["content"]
    assert "right 3" in Stub.asked[3]["messages"][0]["content"]
    assert Stub.asked[0]["temperature"] == 0


def test_it_asks_as_many_as_it_may_drawn_by_the_seed(settings: dict[str, Any]) -> None:
    first, same, other = (judge(ANSWERED, settings, seed) for seed in (1, 1, 2))
    assert first == same != other
    assert len(Stub.asked) == 30


def test_a_key_is_sent_where_there_is_one(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    reach(settings)
    monkeypatch.setenv("MY_KEY", "word")
    reach(settings)
    assert Stub.keys == [None, "Bearer word"]


def test_off_it_asks_nobody(settings: dict[str, Any]) -> None:
    reach(settings | {"url": None})
    assert judge(ANSWERED, settings | {"url": None}, 1) is None
    assert not Stub.asked


def test_a_judge_that_cannot_be_had_is_named_before_any_training(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"the judge at http://127\.0\.0\.1:9/v1/chat.* does not answer .*url=null"):
        reach(settings | {"url": "http://127.0.0.1:9/v1"})
    with pytest.raises(ValueError, match="404 no such model"):
        reach(settings | {"model": "none"})


def test_replies_without_a_mark_are_counted_and_none_at_all_is_refused(settings: dict[str, Any]) -> None:
    Stub.reply = "Very well said, 700 points!"
    with pytest.raises(ValueError, match="the judge stub gave no mark from 0 to 100 in 10 replies"):
        judge(ANSWERED, settings, 1)
