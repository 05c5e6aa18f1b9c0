"""OpenAI's API, as the openai package and LangChain use it, against `foundling serve` in a process."""

import asyncio
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from foundling.generation.decode import generate
from foundling.generation.sampling import GREEDY, Sampling
from foundling.serving.loading import Models, ServedLanguageModel
from foundling.text.prompts import USER, Message, render_prompt

from .conftest import TOKENIZER, ServerProcess

CHAT = Sampling(0.0, None, None, no_repeat_ngram_size=4)  # the server's default for chats
ASKED = [{"role": "user", "content": "Who are you?"}]


@pytest.fixture(scope="module")
def api(server: ServerProcess) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def expected(models: Models) -> bytes:
    """What the model writes after ASKED: 24 tokens, each a byte here."""
    chat = models.find(ServedLanguageModel, "chat")
    assert chat.template is not None
    ids = render_prompt([Message(USER, "Who are you?")], chat.template, TOKENIZER)
    return TOKENIZER.decode_bytes(list(generate(chat.model, ids, 24, CHAT, chat.ends)))


def test_an_answer_is_the_one_that_generate_gives(api: OpenAI, expected: bytes) -> None:
    made = api.chat.completions.create(model="chat", messages=ASKED, max_tokens=24)
    assert made.choices[0].message.content == expected.decode(errors="replace")
    assert made.choices[0].finish_reason == "length"
    assert made.model == "chat"
    assert made.usage is not None
    assert made.usage.completion_tokens == len(expected)
    assert made.usage.total_tokens == made.usage.prompt_tokens + len(expected)


def test_a_stream_has_the_same_text_in_pieces(api: OpenAI, expected: bytes) -> None:
    options: Any = {"include_usage": True}
    chunks = list(
        api.chat.completions.create(
            model="chat", messages=ASKED, max_completion_tokens=24, stream=True, stream_options=options
        )
    )
    parts = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert parts[0].delta.role == "assistant"
    assert "".join(part.delta.content or "" for part in parts) == expected.decode(errors="replace")
    assert [part.finish_reason for part in parts if part.finish_reason] == ["length"]
    assert len(parts) > 5
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == len(expected)


def test_many_asynchronous_clients_get_the_same_answer(server: ServerProcess, expected: bytes) -> None:
    async def ask() -> set[str | None]:
        async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
            create = client.chat.completions.create
            calls = [create(model="chat", messages=ASKED, max_tokens=24) for _ in range(8)]
            return {made.choices[0].message.content for made in await asyncio.gather(*calls)}

    assert asyncio.run(ask()) == {expected.decode(errors="replace")}


def test_choices_differ_and_a_seed_repeats_them(api: OpenAI) -> None:
    def texts(**settings: Any) -> list[str | None]:
        made = api.chat.completions.create(
            model="chat", messages=ASKED, max_tokens=12, n=3, temperature=1.5, **settings
        )
        assert [choice.index for choice in made.choices] == [0, 1, 2]
        return [choice.message.content for choice in made.choices]

    first = texts(seed=7)
    assert len(set(first)) == 3
    assert texts(seed=7) == first
    assert texts(seed=8) != first
    assert texts() != texts()
    assert texts(seed=-1, top_p=0.5, extra_body={"top_k": 5}) == texts(
        seed=-1, top_p=0.5, extra_body={"top_k": 5}
    )


def test_a_stop_string_ends_the_answer_and_is_not_part_of_it(api: OpenAI, expected: bytes) -> None:
    text = expected.decode(errors="replace")
    stop = text[6:9]
    cut = text[: text.index(stop)]
    made = api.chat.completions.create(model="chat", messages=ASKED, max_tokens=24, stop=["nowhere", stop])
    assert made.choices[0].message.content == cut
    assert made.choices[0].finish_reason == "stop"
    chunks = api.chat.completions.create(model="chat", messages=ASKED, max_tokens=24, stop=stop, stream=True)
    parts = [chunk.choices[0] for chunk in chunks]
    assert "".join(part.delta.content or "" for part in parts) == cut
    assert parts[-1].finish_reason == "stop"


def test_log_probabilities_are_those_of_the_model(api: OpenAI, expected: bytes) -> None:
    made = api.chat.completions.create(
        model="chat", messages=ASKED, max_tokens=24, logprobs=True, top_logprobs=3
    )
    assert made.choices[0].logprobs is not None
    content = made.choices[0].logprobs.content
    assert content is not None
    assert bytes(byte for token in content for byte in token.bytes or []) == expected
    for token in content:
        assert [top.logprob for top in token.top_logprobs] == sorted(
            (top.logprob for top in token.top_logprobs), reverse=True
        )
        assert token.top_logprobs[0].logprob == pytest.approx(token.logprob)  # greedy
        assert token.logprob <= 0


def test_a_completion_continues_each_prompt(api: OpenAI, models: Models) -> None:
    base = models.find(ServedLanguageModel, "base")
    prompts = ["Once upon", "a time"]
    made = api.completions.create(model="base", prompt=prompts)
    for prompt, choice in zip(prompts, made.choices, strict=True):
        ids = generate(base.model, TOKENIZER.encode_prompt(prompt), 16, GREEDY, base.ends)
        assert choice.text == TOKENIZER.decode_bytes(list(ids)).decode(errors="replace")
    same = api.completions.create(model="base", prompt=TOKENIZER.encode("a time"))
    assert same.choices[0].text == made.choices[1].text


def test_a_prompt_can_be_scored_without_generating(api: OpenAI, models: Models) -> None:
    text = "Once upon a time"
    made = api.completions.create(model="base", prompt=text, max_tokens=0, echo=True, logprobs=2)
    logprobs = made.choices[0].logprobs
    assert made.choices[0].text == text
    assert logprobs is not None
    assert logprobs.tokens is not None
    assert logprobs.token_logprobs is not None
    assert logprobs.text_offset == list(range(len(text)))
    assert "".join(logprobs.tokens) == text
    assert logprobs.token_logprobs[0] is None
    network = models.find(ServedLanguageModel, "base").model
    import torch

    with torch.inference_mode():
        ids = torch.tensor([TOKENIZER.encode(text)])
        scores = network(ids).log_softmax(-1)[0, :-1].gather(1, ids[0, 1:, None])[:, 0]
    assert logprobs.token_logprobs[1:] == pytest.approx(scores.tolist(), abs=1e-4)
    assert all(len(top) == 2 for top in (logprobs.top_logprobs or [])[1:])


def test_an_echo_streams_before_its_continuation(api: OpenAI) -> None:
    settings: Any = {"model": "base", "prompt": "Once", "max_tokens": 8, "echo": True, "logprobs": 0}
    whole = api.completions.create(**settings).choices[0]
    chunks = [chunk.choices[0] for chunk in api.completions.create(**settings, stream=True)]
    assert "".join(chunk.text for chunk in chunks) == whole.text
    assert chunks[0].text == "Once"
    assert [chunk.finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    offsets = [offset for chunk in chunks for offset in (chunk.logprobs and chunk.logprobs.text_offset) or []]
    assert whole.logprobs is not None
    assert offsets == whole.logprobs.text_offset


def test_a_base_model_cannot_chat(api: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="base model without a chat template") as caught:
        api.chat.completions.create(model="base", messages=ASKED)
    assert caught.value.param == "model"


def test_an_unknown_model_is_not_found(api: OpenAI) -> None:
    for name in ("gpt-4o", "classifier", "../chat", "/etc/passwd"):
        with pytest.raises(openai.NotFoundError) as caught:
            api.chat.completions.create(model=name, messages=ASKED)
        assert caught.value.code == "model_not_found"


UNSUPPORTED: dict[str, Any] = {
    "response_format": {"type": "json_object"},
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    "tool_choice": "required",
    "frequency_penalty": 0.5,
    "presence_penalty": -1,
    "logit_bias": {"5": 100},
    "reasoning_effort": "high",
    "modalities": ["text", "audio"],
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_not_supported_is_refused_by_name(api: OpenAI, name: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        api.chat.completions.create(model="chat", messages=ASKED, **{name: UNSUPPORTED[name]})
    assert caught.value.param == name
    assert caught.value.code == "unsupported_parameter"


def test_what_is_not_used_may_be_named(api: OpenAI) -> None:
    unused: dict[str, Any] = {
        "response_format": {"type": "text"},
        "tools": [],
        "tool_choice": "none",
        "frequency_penalty": 0.0,
        "presence_penalty": 0,
        "logit_bias": {},
        "user": "somebody",
        "metadata": {"a": "b"},
        "store": False,
        "stop": [],
    }
    made = api.chat.completions.create(model="chat", messages=ASKED, max_tokens=2, **unused)
    assert made.choices[0].finish_reason == "length"


def test_a_conversation_longer_than_the_context_is_refused(api: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="context is 256") as caught:
        api.chat.completions.create(model="chat", messages=[{"role": "user", "content": "a" * 300}])
    assert caught.value.code == "context_length_exceeded"


def test_a_response_ends_where_the_context_does(api: OpenAI) -> None:
    made = api.completions.create(model="base", prompt="a" * 250, max_tokens=64)
    assert made.usage is not None
    assert made.usage.total_tokens <= 256
    assert made.choices[0].finish_reason in ("length", "stop")
