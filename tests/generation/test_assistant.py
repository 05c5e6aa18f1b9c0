"""The assistant keeps as much of a conversation as fits into the context, and answers as the model does."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from foundling.generation import assistant as module
from foundling.generation.assistant import Assistant, decode_stream
from foundling.generation.decode import generate
from foundling.generation.sampling import GREEDY
from foundling.model.gpt import GPT
from foundling.text.prompts import ASSISTANT, SYSTEM, TEMPLATES, USER, Message, render_prompt
from foundling.text.tiktoken_tokenizer import GPT2_PATTERN, TiktokenTokenizer
from foundling.text.tokenizer import END_OF_TEXT

MARKS = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
TOKENIZER = TiktokenTokenizer({bytes([i]): i for i in range(256)}, GPT2_PATTERN, [END_OF_TEXT, *MARKS])
PHI3 = TEMPLATES["phi3"]


@pytest.fixture(scope="module")
def gpt(gpt_config: Callable[..., Any]) -> GPT:
    torch.manual_seed(0)
    model = GPT(gpt_config("micro", vocab_size=TOKENIZER.vocab_size, context=64)).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.3)
    return model


def talker(gpt: GPT, system: str | None = None, length: int = 10) -> Assistant:
    return Assistant(gpt, TOKENIZER, PHI3, system=system, sampling=GREEDY, max_new_tokens=length, seed=1)


@pytest.fixture
def prompts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The prompts that the model is given; it always says "Yes."."""
    seen: list[str] = []

    def say(model: GPT, ids: list[int], *_: Any) -> Iterator[int]:
        seen.append(TOKENIZER.decode(ids))
        yield from b"Yes."

    monkeypatch.setattr(module, "generate", say)
    return seen


def test_an_answer_is_what_the_model_writes_after_the_rendered_prompt(gpt: GPT) -> None:
    said = "".join(talker(gpt).reply("Who?"))
    ids = render_prompt([Message(USER, "Who?")], PHI3, TOKENIZER)
    assert said == TOKENIZER.decode(list(generate(gpt, ids, 10, GREEDY, TOKENIZER.ends)))


def test_history_goes_into_the_next_prompt_as_training_writes_it(gpt: GPT, prompts: list[str]) -> None:
    one = talker(gpt, system="Hi")
    for text in ("a", "b"):
        assert "".join(one.reply(text)) == "Yes."
    assert prompts[1] == (
        f"<|system|>\nHi<|end|>\n<|user|>\na<|end|>\n<|assistant|>\nYes.{END_OF_TEXT}<|user|>\nb<|end|>\n<|assistant|>\n"
    )
    assert [m.role for m in one.messages] == [USER, ASSISTANT, USER, ASSISTANT]
    one.reset(None)
    "".join(one.reply("c"))
    assert prompts[2] == "<|user|>\nc<|end|>\n<|assistant|>\n"


def test_what_the_context_cannot_hold_is_forgotten_oldest_first_but_the_system_text_never(
    gpt: GPT, prompts: list[str]
) -> None:
    one = talker(gpt, system="Be kind")
    for n in range(8):
        "".join(one.reply(f"message {n}"))
    room = gpt.config.context - 10
    assert all(len(render_prompt([Message(USER, "x")], PHI3, TOKENIZER)) <= room for _ in prompts)
    last = prompts[-1]
    assert last.startswith("<|system|>\nBe kind<|end|>")
    assert "message 7" in last
    assert "message 3" not in last
    assert one.dropped >= 8
    assert last.count("<|user|>") == (16 - one.dropped) // 2


def test_a_message_longer_than_the_context_keeps_its_end(gpt: GPT, prompts: list[str]) -> None:
    one = talker(gpt)
    "".join(one.reply("x" * 100 + " end"))
    assert prompts[0].endswith("x end<|end|>\n<|assistant|>\n")
    assert "".join(talker(gpt).reply("y" * 300)) == "Yes."


def test_an_answer_that_is_stopped_is_remembered_as_far_as_it_went(gpt: GPT, prompts: list[str]) -> None:
    one = talker(gpt)
    reply = one.reply("a")
    assert next(reply) == "Y"
    reply.close()
    assert one.messages[-1] == Message(ASSISTANT, "Y")
    "".join(one.reply("b"))
    assert f"Y{END_OF_TEXT}<|user|>\nb" in prompts[1]


def test_decoded_pieces_break_between_whole_characters() -> None:
    text = "Zoë said: “ja” 🦊"
    found = list(decode_stream(TOKENIZER, text.encode()))
    assert "".join(found) == text
    assert found == list(text)
    assert "".join(decode_stream(TOKENIZER, "ë".encode()[:1])) == "\ufffd"


def test_system_messages_are_no_part_of_the_history(gpt: GPT, prompts: list[str]) -> None:
    one = talker(gpt, system="Hi")
    "".join(one.reply("a"))
    assert SYSTEM not in {m.role for m in one.messages}
