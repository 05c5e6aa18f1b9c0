"""Samples depend only on their seeds and prompts."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from foundling.evaluation.samples import samples
from foundling.model.gpt import GPT
from foundling.settings.commands import Samples

SETTINGS = Samples(prompts=("", "fox"), count=2, max_new_tokens=8, temperature=1.0, top_k=None, top_p=None)


class Letters:
    end_of_text = 26
    ends = frozenset((26,))

    def encode(self, text: str) -> list[int]:
        return [ord(letter) - 97 for letter in text]

    def encode_document(self, text: str) -> list[int]:
        return self.encode(text) or [self.end_of_text]

    def decode_bytes(self, ids: list[int]) -> bytes:
        return bytes(97 + i for i in ids)


@pytest.fixture
def gpt(gpt_config: Callable[..., Any]) -> GPT:
    torch.manual_seed(0)
    return GPT(gpt_config("original", vocab_size=27, n_layer=1, n_embd=32)).eval()


def test_each_prompt_is_continued_by_several_seeds(gpt: GPT) -> None:
    found = samples(gpt, Letters(), SETTINGS, seed=5)  # type: ignore[arg-type]
    assert [(sample.prompt, sample.seed) for sample in found] == [("", 5), ("", 6), ("fox", 5), ("fox", 6)]
    assert len({sample.text for sample in found}) > 1
    assert found == samples(gpt, Letters(), SETTINGS, seed=5)  # type: ignore[arg-type]
