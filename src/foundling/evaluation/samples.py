"""Texts that a model writes after prompts, each drawn with a seed of its own."""

from typing import Any

from foundling.generation.decode import continue_text
from foundling.model.interface import LanguageModel
from foundling.settings.runtime import Samples
from foundling.text.tokenizer import Tokenizer


def samples(model: LanguageModel, tokenizer: Tokenizer, settings: Samples, seed: int) -> list[dict[str, Any]]:
    """`settings.count` texts for each prompt, as {"prompt", "text", "seed"}; the text does not repeat the prompt."""
    rows = []
    for prompt in settings.prompts:
        for number in range(settings.count):
            text = continue_text(model, tokenizer, prompt, settings.max_new_tokens, settings, seed + number)
            rows.append({"prompt": prompt, "text": text, "seed": seed + number})
    return rows
