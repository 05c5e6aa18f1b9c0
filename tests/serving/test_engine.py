"""Streams generated together are those that each request would get alone."""

from collections.abc import Callable, Iterator
from queue import SimpleQueue
from threading import Event
from typing import Any

import pytest
import torch

from foundling.generation.decode import generate
from foundling.generation.sampling import GREEDY, Sampling
from foundling.model.gpt import GPT
from foundling.serving.engine import Draining, Engine, QueueFull, Request, Stream, Token


@pytest.fixture(scope="module", params=["micro", "char", "llama"])
def model(request: pytest.FixtureRequest, gpt_config: Callable[..., Any]) -> GPT:
    torch.manual_seed(0)
    gpt = GPT(gpt_config(request.param, context=24, n_layer=2)).eval()
    for p in gpt.parameters():
        torch.nn.init.normal_(p, std=0.3)
    return gpt


@pytest.fixture
def engine(model: GPT) -> Iterator[Engine]:
    made = Engine(model, rows=3, queue=100)
    yield made
    made.close()


def ids(stream: Stream) -> list[int]:
    return [token.id for token in stream]


@pytest.mark.parametrize("sampling", [GREEDY, Sampling(1.0, 10, 0.9)], ids=["greedy", "drawn"])
def test_streams_equal_generate_also_beyond_the_context(
    engine: Engine, model: GPT, sampling: Sampling
) -> None:
    prompts = [[3], [5, 6, 7, 8, 9], list(range(40)), [7, 7], [1, 2, 3]]
    streams = [
        engine.submit(Request(tuple(prompt), 20 + 10 * i, sampling, seed=i))
        for i, prompt in enumerate(prompts)
    ]
    for i, (prompt, stream) in enumerate(zip(prompts, streams, strict=True)):
        assert ids(stream) == list(generate(model, prompt, 20 + 10 * i, sampling, seed=i))
        assert stream.finish_reason == "length"


def test_an_end_token_ends_the_answer_and_is_not_part_of_it(engine: Engine, model: GPT) -> None:
    whole = list(generate(model, [1], 20, GREEDY))
    stream = engine.submit(Request((1,), 20, GREEDY, end=frozenset({whole[5], 10**6})))
    assert ids(stream) == whole[: whole.index(whole[5])]
    assert stream.finish_reason == "stop"


def test_log_probabilities_are_the_models_own(engine: Engine, model: GPT) -> None:
    token = next(iter(engine.submit(Request((1, 2), 1, Sampling(0.5, 1, None), top_logprobs=3))))
    with torch.no_grad():
        expected = model(torch.tensor([[1, 2]]))[0, -1].log_softmax(-1)
    values, likeliest = expected.topk(3)
    assert token.id == likeliest[0]
    assert token.logprob == pytest.approx(float(values[0]), abs=1e-5)
    assert [one for one, _ in token.top] == likeliest.tolist()
    assert [value for _, value in token.top] == pytest.approx(values.tolist(), abs=1e-5)


def test_a_cancelled_stream_ends_within_two_tokens_and_frees_its_row(model: GPT) -> None:
    engine = Engine(model, rows=1, queue=1)
    received: list[Token] = []
    ended = Event()

    def cancel_at_fifth(token: Token) -> None:
        received.append(token)
        if len(received) == 5:
            stream.cancel()

    holder = engine.submit(Request((2,), 3, GREEDY))  # keeps the row until `stream` is assigned
    stream = engine.submit(Request((1,), 10**9, GREEDY), cancel_at_fifth, lambda _: ended.set())
    assert len(ids(holder)) == 3
    assert ended.wait(60)
    assert stream.finish_reason == "cancelled"
    assert len(received) <= 7
    assert len(ids(engine.submit(Request((1,), 4, GREEDY)))) == 4
    engine.close()


def test_a_full_queue_refuses_and_says_when_to_try_again(model: GPT) -> None:
    engine = Engine(model, rows=1, queue=1)
    running, waiting = (engine.submit(Request((1,), 10**9, GREEDY)) for _ in range(2))
    with pytest.raises(QueueFull) as full:
        engine.submit(Request((1,), 1, GREEDY))
    assert full.value.retry_after >= 1
    waiting.cancel()
    assert ids(waiting) == []
    assert waiting.finish_reason == "cancelled"
    running.cancel()
    engine.close()


def test_draining_ends_what_was_accepted_and_accepts_no_more(model: GPT) -> None:
    engine = Engine(model, rows=1, queue=2)
    streams = [engine.submit(Request((1,), 30, GREEDY)) for _ in range(3)]
    engine.drain(0)
    with pytest.raises(Draining):
        engine.submit(Request((1,), 1, GREEDY))
    assert engine.drain()
    assert [len(ids(stream)) for stream in streams] == [30] * 3
    stats = engine.stats()
    assert (stats.active, stats.waiting, stats.generated) == (0, 0, 90)
    engine.close()


@pytest.mark.parametrize("prompt", [(), (-1,), (10**6,)])
def test_prompts_that_the_model_cannot_read_are_refused(engine: Engine, prompt: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="the prompt"):
        engine.submit(Request(prompt, 5, GREEDY))


def test_a_reader_that_fails_loses_its_stream_alone(engine: Engine, model: GPT) -> None:
    def fail(_: Token) -> None:
        raise RuntimeError("the event loop is closed")

    ended: SimpleQueue[Stream] = SimpleQueue()
    engine.submit(Request((1,), 10**9, GREEDY), fail, ended.put)
    assert ids(engine.submit(Request((5,), 9, GREEDY))) == list(generate(model, [5], 9, GREEDY))
    assert ended.get(timeout=60).finish_reason == "cancelled"


def test_a_failing_model_fails_its_streams_and_not_the_engine(
    model: GPT, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(model, rows=2, queue=2)
    with monkeypatch.context() as patched:
        patched.setattr(model, "hidden", lambda *_: 1 / 0)
        stream = engine.submit(Request((1,), 5, GREEDY))
        with pytest.raises(RuntimeError, match="generation failed"):
            list(stream)
    assert stream.finish_reason is None
    assert isinstance(stream.error, ZeroDivisionError)
    assert len(ids(engine.submit(Request((1,), 5, GREEDY)))) == 5
    engine.close()
