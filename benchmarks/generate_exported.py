"""Tokens per second of greedy decoding: Foundling's, and transformers' `generate` with the exported model.

python benchmarks/generate_exported.py models/base
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from transformers import AutoModelForCausalLM

from foundling.generation.decode import generate
from foundling.generation.sampling import GREEDY
from foundling.weights import folder, huggingface_export

ROUNDS, PROMPT, TOKENS = 7, 8, 112


def tokens_per_second(write: Callable[[], list[int]]) -> float:
    """The rate of one call, which writes TOKENS tokens."""
    start = time.perf_counter()
    assert len(write()) == TOKENS
    return TOKENS / (time.perf_counter() - start)


def main() -> None:
    """Measure both by turns and print the medians."""
    torch.set_num_threads(1)
    model, tokenizer = folder.load(Path(sys.argv[1]))
    ids = tokenizer.encode("Once upon a time there was a lion and a fox.")[:PROMPT]
    with tempfile.TemporaryDirectory() as exported:
        huggingface_export.export(Path(exported), model, tokenizer)
        peer = AutoModelForCausalLM.from_pretrained(exported, trust_remote_code=True).eval()
    peer.generation_config.eos_token_id = None

    def theirs() -> list[int]:
        options = {"do_sample": False, "max_length": PROMPT + TOKENS}
        mask = torch.ones(1, PROMPT, dtype=torch.long)
        return peer.generate(torch.tensor([ids]), attention_mask=mask, **options)[0, PROMPT:].tolist()

    def ours() -> list[int]:
        return list(generate(model, ids, TOKENS, GREEDY))

    assert theirs() == ours()
    rates = [(tokens_per_second(ours), tokens_per_second(theirs)) for _ in range(ROUNDS)]
    us, them = (median(rate) for rate in zip(*rates, strict=True))
    print(f"tokens/s: foundling {us:.0f}, transformers {them:.0f}, ratio {them / us:.2f}; equal tokens")


if __name__ == "__main__":
    main()
