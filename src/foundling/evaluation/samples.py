"""Continuations of prompts, each sampled with its own seed."""

from dataclasses import dataclass

from foundling.generation.decode import continue_text
from foundling.model.interface import LanguageModel
from foundling.settings.commands import Samples
from foundling.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Sample:
    """A continuation of a prompt."""

    prompt: str
    text: str
    seed: int


def samples(model: LanguageModel, tokenizer: Tokenizer, settings: Samples, seed: int) -> list[Sample]:
    """`settings.count` continuations of each prompt."""
    written = []
    for prompt in settings.prompts:
        for number in range(settings.count):
            text = continue_text(model, tokenizer, prompt, settings.max_new_tokens, settings, seed + number)
            written.append(Sample(prompt, text, seed + number))
    return written
