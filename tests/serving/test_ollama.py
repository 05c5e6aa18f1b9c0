"""Ollama's API, as the ollama package uses it, against `foundling serve` in a process."""

from collections.abc import Iterator
from typing import Any

import ollama
import pytest

from foundling.generation.decode import generate
from foundling.generation.sampling import GREEDY
from foundling.serving.loading import Models, ServedLanguageModel

from .conftest import TOKENIZER, ServerProcess

ASKED = [{"role": "user", "content": "Who are you?"}]
OPTIONS = {"num_predict": 12, "num_ctx": 4096, "repeat_last_n": 64}


@pytest.fixture(scope="module")
def api(server: ServerProcess) -> Iterator[ollama.Client]:
    client = ollama.Client(host=server.url)
    yield client
    client._client.close()


def test_models_are_listed_and_shown(api: ollama.Client) -> None:
    listed = api.list().models
    assert [model.model for model in listed] == ["chat:latest", "base:latest"]
    assert listed[0].details is not None
    assert listed[0].details.format == "safetensors"
    shown = api.show("chat:latest")
    assert shown.capabilities == ["completion", "embedding"]
    assert shown.modelinfo is not None
    assert shown.modelinfo["foundling.context_length"] == 256
    assert [model.model for model in api.ps().models] == ["chat:latest", "base:latest"]


def test_a_chat_is_answered_at_once_and_as_a_stream(api: ollama.Client) -> None:
    whole = api.chat(model="chat:latest", messages=ASKED, options=OPTIONS)
    assert whole.done_reason == "length"
    assert whole.eval_count == 12
    parts = list(api.chat(model="chat", messages=ASKED, options=OPTIONS, stream=True))
    assert "".join(part.message.content or "" for part in parts) == whole.message.content
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].eval_count == 12
    assert parts[-1].prompt_eval_count == whole.prompt_eval_count


def test_a_base_model_continues_a_prompt(api: ollama.Client, models: Models) -> None:
    base = models.find(ServedLanguageModel, "base")
    ids = generate(base.model, TOKENIZER.encode("Once"), 12, GREEDY, base.ends)
    expected = TOKENIZER.decode_bytes(list(ids)).decode(errors="replace")
    assert api.generate(model="base", prompt="Once", options=OPTIONS).response == expected
    raw = api.generate(model="chat", prompt="Once", options=OPTIONS, raw=True)
    assert raw.response == expected
    parts = api.generate(model="base", prompt="Once", options=OPTIONS, stream=True)
    assert "".join(part.response for part in parts) == expected


def test_an_assistant_answers_a_prompt(api: ollama.Client) -> None:
    answered = api.generate(model="chat", prompt="Who are you?", options=OPTIONS).response
    assert answered == api.chat(model="chat", messages=ASKED, options=OPTIONS).message.content
    with_system = api.generate(model="chat", prompt="Who are you?", system="Be brief.", options=OPTIONS)
    messages = [{"role": "system", "content": "Be brief."}, *ASKED]
    assert with_system.response == api.chat(model="chat", messages=messages, options=OPTIONS).message.content


def test_a_long_conversation_loses_its_oldest_messages(api: ollama.Client) -> None:
    old = [{"role": role, "content": "a" * 90} for role in ("user", "assistant", "user", "assistant")]
    long = api.chat(model="chat", messages=[*old, *ASKED], options=OPTIONS)
    assert (
        long.message.content
        == api.chat(model="chat", messages=[*old[2:], *ASKED], options=OPTIONS).message.content
    )
    with pytest.raises(ollama.ResponseError, match="context is 256"):
        api.chat(model="chat", messages=[{"role": "user", "content": "a" * 300}])


def test_a_request_without_text_loads_the_model(api: ollama.Client) -> None:
    assert api.generate(model="chat").done_reason == "load"
    assert api.chat(model="chat", messages=[]).done_reason == "load"


def test_texts_are_embedded(api: ollama.Client) -> None:
    made = api.embed(model="base", input=["Once", "upon", "Once"])
    assert made.embeddings[0] == made.embeddings[2]
    assert made.embeddings[0] != made.embeddings[1]
    assert sum(value * value for value in made.embeddings[0]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "llama3"}, "does not exist"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "does not support tools"),
        ({"format": "json"}, "does not support format"),
        ({"think": True}, "does not support think"),
        ({"options": {"temperature": -1.0}}, "options.temperature"),
    ],
)
def test_errors_are_sentences(api: ollama.Client, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ollama.ResponseError, match=message):
        api.chat(**{"model": "chat", "messages": ASKED, **settings})
