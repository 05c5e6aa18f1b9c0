"""Prompts are answered as later turns, after the model's own answers, as far as the context allows."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from foundling.data.conversations import Example
from foundling.evaluation.answers import answer_examples
from foundling.evaluation.turns import answer_in_turns
from foundling.generation.assistant import Assistant
from foundling.generation.sampling import GREEDY
from foundling.model.gpt import GPT
from foundling.settings.training import InstructTest
from foundling.text.prompts import ASSISTANT, SYSTEM, TEMPLATES, USER, Message
from foundling.text.tiktoken_tokenizer import GPT2_PATTERN, TiktokenTokenizer

MARKS = ["<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
TOKENIZER = TiktokenTokenizer({bytes([i]): i for i in range(256)}, GPT2_PATTERN, MARKS)
PHI3 = TEMPLATES["phi3"]
SETTINGS = InstructTest(limit=None, max_new_tokens=5, batch_size=8, checks="exact")
QUESTIONS = ["Who?", "Where is it now?", "Why?", "How?", "When?", "What?"]


@pytest.fixture(scope="module")
def gpt(gpt_config: Callable[..., Any]) -> GPT:
    torch.manual_seed(0)
    model = GPT(gpt_config("micro", vocab_size=TOKENIZER.vocab_size, context=96)).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.3)
    return model


def example(question: str, system: str | None = None) -> Example:
    messages = (Message(USER, question), Message(ASSISTANT, "It is."))
    return Example(((Message(SYSTEM, system), *messages) if system else messages), None, {}, "mine")


@pytest.mark.parametrize("system", [None, "Be brief."])
def test_each_conversation_is_that_of_a_chat(gpt: GPT, system: str | None) -> None:
    examples = [example(question, system) for question in QUESTIONS]
    first = answer_examples(gpt, TOKENIZER, PHI3, examples, SETTINGS)
    by_turn = answer_in_turns(gpt, TOKENIZER, PHI3, examples, first, SETTINGS, turns=5)
    assert by_turn[0] == first
    dropped = 0
    for start in range(len(examples)):
        chat = Assistant(gpt, TOKENIZER, PHI3, system=system, sampling=GREEDY, max_new_tokens=5, seed=0)
        for number, turn in enumerate(by_turn):
            question = QUESTIONS[(start + number) % len(QUESTIONS)]
            assert turn[start].answer == "".join(chat.reply(question)).strip()
            dropped += chat.dropped
    assert dropped > 0  # the last turns do not fit with all that was said before
