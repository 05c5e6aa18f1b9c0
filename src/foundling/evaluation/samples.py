"""Continuations of prompts, each sampled with its own seed."""

from typing import Any

from foundling.generation.decode import continue_text
from foundling.model.interface import LanguageModel
from foundling.settings.runtime import Samples
from foundling.text.tokenizer import Tokenizer


def samples(model: LanguageModel, tokenizer: Tokenizer, settings: Samples, seed: int) -> list[dict[str, Any]]:
    """`settings.count` continuations of each prompt, as {"prompt", "text", "seed"}."""
    rows = []
    for prompt in settings.prompts:
        for number in range(settings.count):
            text = continue_text(model, tokenizer, prompt, settings.max_new_tokens, settings, seed + number)
            rows.append({"prompt": prompt, "text": text, "seed": seed + number})
    return rows
