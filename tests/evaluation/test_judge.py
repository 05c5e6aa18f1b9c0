"""The judge is called with OpenAI's HTTP API; errors say how to fix them."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from foundling.evaluation.answers import Answer
from foundling.evaluation.judge import check_judge, judge
from foundling.settings.training import Judge

ANSWERS = [
    Answer(
        kind=None,
        prompt=f"Question {n}?",
        expected=f"right {n}",
        answer=f"said {n}",
        right=False,
        exact=False,
        stopped=True,
    )
    for n in range(20)
]


class Stub(BaseHTTPRequestHandler):
    """Scores answer n with 5 n, in a sentence."""

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
        found = {
            "model": "stub-2026",
            "system_fingerprint": "fp_7",
            "choices": [{"message": {"content": said}}],
        }
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Judge]:
    Stub.asked, Stub.keys, Stub.reply = [], [], None
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("MY_KEY", raising=False)
    url = f"http://127.0.0.1:{server.server_port}/v1"
    yield Judge(url=url, model="stub", key="MY_KEY", questions=10, timeout=5.0)
    server.shutdown()
    server.server_close()


def test_it_scores_with_a_bootstrap_interval_and_names_its_version(settings: Judge) -> None:
    found = judge(ANSWERS, replace(settings, questions=20), 1)
    assert found
    assert (found.model, found.versions) == ("stub", ("stub-2026 fp_7",))
    assert (found.n, found.without_score, found.mean) == (20, 0, 47.5)
    assert found.low < 47.5 < found.high
    assert "Question 3?" in Stub.asked[3]["messages"][0]["content"]
    assert "right 3" in Stub.asked[3]["messages"][0]["content"]
    assert Stub.asked[0]["temperature"] == 0


def test_it_asks_as_many_as_it_may_drawn_by_the_seed(settings: Judge) -> None:
    first, same, other = (judge(ANSWERS, settings, seed) for seed in (1, 1, 2))
    assert first == same != other
    assert len(Stub.asked) == 30


def test_a_key_is_sent_where_there_is_one(settings: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    check_judge(settings)
    monkeypatch.setenv("MY_KEY", "word")
    check_judge(settings)
    assert Stub.keys == [None, "Bearer word"]


def test_a_disabled_judge_sends_no_request(settings: Judge) -> None:
    check_judge(replace(settings, url=None))
    assert judge(ANSWERS, replace(settings, url=None), 1) is None
    assert not Stub.asked


def test_a_judge_that_cannot_be_had_is_named_before_any_training(settings: Judge) -> None:
    with pytest.raises(
        ValueError, match=r"the judge at http://127\.0\.0\.1:9/v1/chat.* does not answer .*url=null"
    ):
        check_judge(replace(settings, url="http://127.0.0.1:9/v1"))
    with pytest.raises(ValueError, match="404 no such model"):
        check_judge(replace(settings, model="none"))


def test_replies_without_a_score_are_counted_and_no_score_at_all_is_an_error(settings: Judge) -> None:
    Stub.reply = "Very well said, 700 points!"
    with pytest.raises(
        ValueError, match="none of 10 replies of the judge stub contains a score from 0 to 100"
    ):
        judge(ANSWERS, settings, 1)
