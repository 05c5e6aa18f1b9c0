"""What a model writes: prompts in, texts out, each drawn by a seed of its own."""

from typing import Any

from foundling.generation.decode import continue_text
from foundling.generation.sampling import Sampling
from foundling.model.gpt import GPT
from foundling.text.tokenizer import Tokenizer


def samples(
    model: GPT,
    tokenizer: Tokenizer,
    *,
    prompts: list[str],
    count: int,
    max_new_tokens: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    seed: int,
) -> list[dict[str, Any]]:
    """`count` texts for each prompt, as {"prompt", "text", "seed"}; the text does not repeat the prompt."""
    sampling = Sampling(temperature, top_k, top_p)
    return [
        {
            "prompt": prompt,
            "text": continue_text(model, tokenizer, prompt, max_new_tokens, sampling, seed + number),
            "seed": seed + number,
        }
        for prompt in prompts
        for number in range(count)
    ]
