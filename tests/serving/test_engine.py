"""Streams generated together are those that each request would get alone."""

from collections.abc import Callable, Iterator
from queue import SimpleQueue
from random import Random
from threading import Event
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foundling.generation.decode import generate
from foundling.generation.sampling import GREEDY, Sampling
from foundling.model.gpt import GPT
from foundling.model.interface import CustomModel, LanguageModel
from foundling.serving.engine import Draining, Engine, QueueFull, Request, Stream, Token

DRAWN, GUARDED = Sampling(1.0, 10, 0.9), Sampling(0.0, None, None, 3)
# the default architecture, GPT-2's and Llama's, and what they have not
SHAPES: dict[str, dict[str, Any]] = {
    "nano": {},
    "char": {},
    "llama": {"attention": "reference"},
    "qwen3": {"rope_skip": 2},
    "lfm2": {"layers": ["conv", "attention"]},
    "micro": {"position": "sinusoidal", "tied": False},
}


class Plain(nn.Module):
    """An architecture without a cache: the mean of the embeddings so far."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.out = nn.Embedding(50, 16), nn.Linear(16, 50)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits (B, T, V)."""
        x = self.embedding(ids).cumsum(1)
        return self.out(x / torch.arange(1, ids.size(1) + 1)[:, None])


class Shape:
    """What an architecture of one's own needs as its config."""

    vocab_size, context = 50, 24


@pytest.fixture(scope="module", params=[*SHAPES, "plain"])
def model(request: pytest.FixtureRequest, gpt_config: Callable[..., Any]) -> LanguageModel:
    torch.manual_seed(0)
    made: LanguageModel
    if request.param == "plain":
        made = CustomModel(Plain(), Shape(), "plain")
    else:
        made = GPT(gpt_config(request.param, context=24, n_layer=2, **SHAPES[request.param]))
    for p in made.parameters():
        torch.nn.init.normal_(p, std=0.3)
    return made.eval()


@pytest.fixture
def nano(gpt_config: Callable[..., Any]) -> GPT:
    """The default architecture with a context in which nothing slides."""
    torch.manual_seed(1)
    made = GPT(gpt_config("nano", context=400, n_layer=2)).eval()
    for p in made.parameters():
        torch.nn.init.normal_(p, std=0.2)
    return made


@pytest.fixture
def engine(model: LanguageModel) -> Iterator[Engine]:
    made = Engine(model, rows=3, queue=100, prefix_cache_tokens=200)
    yield made
    made.close()


def ids(stream: Stream) -> list[int]:
    return [token.id for token in stream]


def ids_drawn(rng: Random, count: int) -> tuple[int, ...]:
    return tuple(rng.randrange(50) for _ in range(count))


class Reader:
    """Reads a stream by callbacks."""

    def __init__(self, engine: Engine, request: Request) -> None:
        self.ids: list[int] = []
        self.first = Event()  # set by the first token, or the end
        self.stream = engine.submit(request, self._read, lambda _: self.first.set())

    def _read(self, token: Token) -> None:
        self.ids.append(token.id)
        self.first.set()


@pytest.mark.parametrize("sampling", [GREEDY, DRAWN, GUARDED], ids=["greedy", "drawn", "guarded"])
def test_streams_equal_generate_also_beyond_the_context(
    engine: Engine, model: LanguageModel, sampling: Sampling
) -> None:
    prompts = [[3], [5, 6, 7, 8, 9], list(range(40)), [7, 7], [1, 2, 3]]
    streams = [
        engine.submit(Request(tuple(prompt), 20 + 10 * i, sampling, seed=i))
        for i, prompt in enumerate(prompts)
    ]
    for i, (prompt, stream) in enumerate(zip(prompts, streams, strict=True)):
        assert ids(stream) == list(generate(model, prompt, 20 + 10 * i, sampling, seed=i))
        assert stream.finish_reason == "length"


def test_an_end_token_ends_the_answer_and_is_not_part_of_it(engine: Engine, model: LanguageModel) -> None:
    whole = list(generate(model, [1], 20, GREEDY))
    stream = engine.submit(Request((1,), 20, GREEDY, end=frozenset({whole[5], 10**6})))
    assert ids(stream) == whole[: whole.index(whole[5])]
    assert stream.finish_reason == "stop"


def test_log_probabilities_are_the_models_own(engine: Engine, model: LanguageModel) -> None:
    token = next(iter(engine.submit(Request((1, 2), 1, Sampling(0.5, 1, None), top_logprobs=3))))
    with torch.no_grad():
        expected = model(torch.tensor([[1, 2]]))[0, -1].log_softmax(-1)
    values, likeliest = expected.topk(3)
    assert token.id == likeliest[0]
    assert token.logprob == pytest.approx(float(values[0]), abs=1e-5)
    assert [one for one, _ in token.top] == likeliest.tolist()
    assert [value for _, value in token.top] == pytest.approx(values.tolist(), abs=1e-5)


def test_a_cancelled_stream_ends_within_two_tokens_and_frees_its_row(model: LanguageModel) -> None:
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


def test_a_full_queue_refuses_and_says_when_to_try_again(model: LanguageModel) -> None:
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


def test_draining_ends_what_was_accepted_and_accepts_no_more(model: LanguageModel) -> None:
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


def test_a_reader_that_fails_loses_its_stream_alone(engine: Engine, model: LanguageModel) -> None:
    def fail(_: Token) -> None:
        raise RuntimeError("the event loop is closed")

    ended: SimpleQueue[Stream] = SimpleQueue()
    engine.submit(Request((1,), 10**9, GREEDY), fail, ended.put)
    assert ids(engine.submit(Request((5,), 9, GREEDY))) == list(generate(model, [5], 9, GREEDY))
    assert ended.get(timeout=60).finish_reason == "cancelled"


def test_a_failing_model_fails_its_streams_and_not_the_engine(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
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


@pytest.mark.parametrize("seed", range(2))
def test_greedy_answers_do_not_depend_on_who_joins_and_leaves(model: LanguageModel, seed: int) -> None:
    rng = Random(seed)
    engine = Engine(model, rows=rng.randint(2, 6), queue=100, prefix_cache_tokens=rng.choice([0, 60, 1000]))
    texts = [ids_drawn(rng, 30) for _ in range(4)]  # prompts begin alike
    readers: list[Reader] = []
    for _ in range(24):
        prompt = rng.choice(texts)[: rng.randint(1, 30)] + ids_drawn(rng, rng.randint(0, 3))
        sampling = rng.choice([GREEDY, GREEDY, GUARDED, DRAWN])
        end = frozenset(rng.sample(range(50), rng.randint(0, 1)))
        readers.append(Reader(engine, Request(prompt, rng.randint(1, 40), sampling, end=end)))
        if rng.random() < 0.3:  # others join later
            readers[-1].first.wait(60)
        if rng.random() < 0.2:
            rng.choice(readers).stream.cancel()
    assert engine.drain(120)
    engine.close()
    for reader in readers:
        request = reader.stream.request
        if request.sampling != DRAWN:
            alone = list(
                generate(model, list(request.prompt), request.max_new_tokens, request.sampling, request.end)
            )
            expected = alone[: len(reader.ids)] if reader.stream.finish_reason == "cancelled" else alone
            assert reader.ids == expected


def test_what_could_be_decided_by_rounding_is_computed_as_alone(gpt_config: Callable[..., Any]) -> None:
    torch.manual_seed(3)
    model = GPT(gpt_config("nano", context=64, n_layer=2)).eval()
    with torch.no_grad():  # each token has twins, whose logits differ by a rounding error or not at all
        torch.nn.init.normal_(model.token_embedding.weight, std=0.3)
        model.token_embedding.weight[25:] = model.token_embedding.weight[:25] * (1 + 3e-8)
    engine = Engine(model, rows=8, queue=8)
    prompts = [[i, i + 1, i + 2][: 1 + i % 3] for i in range(8)]
    streams = [engine.submit(Request(tuple(prompt), 70, GREEDY)) for prompt in prompts]
    for prompt, stream in zip(prompts, streams, strict=True):
        assert ids(stream) == list(generate(model, prompt, 70, GREEDY))
    engine.close()


def test_prompts_that_begin_alike_are_not_computed_again(nano: GPT) -> None:
    engine = Engine(nano, rows=2, queue=2, prefix_cache_tokens=1000)
    system = ids_drawn(Random(5), 100)

    def ask(prompt: tuple[int, ...]) -> tuple[list[int], int, int]:
        before = engine.stats()
        answer = ids(engine.submit(Request(prompt, 20, GREEDY)))
        after = engine.stats()
        assert answer == list(generate(nano, list(prompt), 20, GREEDY))
        computed = after.prompt_computed - before.prompt_computed
        return answer, computed, after.prompt_reused - before.prompt_reused

    answer, computed, reused = ask((*system, 1, 2))
    assert (computed, reused) == (102, 0)
    assert ask((*system, 1, 2))[1:] == (0, 102)
    assert ask((*system, 1, 2, *answer, 7))[1:] == (2, 121)  # a chat's next turn; the last token was not fed
    assert ask((*system, 3))[1:] == (101, 0)  # keeps what the two share
    assert ask((*system, 4))[1:] == (1, 100)
    engine.close()


def test_a_long_prompt_does_not_stall_the_others(nano: GPT) -> None:
    engine = Engine(nano, rows=2, queue=2)
    short = Reader(engine, Request((1,), 390, GREEDY))
    assert short.first.wait(60)
    long = Reader(engine, Request(ids_drawn(Random(6), 390), 1, GREEDY))
    arrived = len(short.ids)
    assert long.first.wait(60)
    assert len(short.ids) - arrived >= 2  # 390 tokens are four chunks
    engine.close()
