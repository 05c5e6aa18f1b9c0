"""Let a model write: foundling generate prompt="Once upon a time"."""

import sys
from pathlib import Path

from foundling.device import set_up
from foundling.generation.assistant import pieces
from foundling.generation.decode import generate
from foundling.generation.sampling import Sampling
from foundling.settings import Job
from foundling.weights import folder


def run(job: Job) -> None:
    """Print `generate.count` continuations of the prompt as they are drawn."""
    config = job.config
    ask, device = config.generate, set_up(config.runtime)
    model, tokenizer = folder.load(Path(ask.model).expanduser())
    model.to(device)
    sampling = Sampling(ask.temperature, ask.top_k, ask.top_p)
    ids = tokenizer.encode(ask.prompt) if ask.prompt else [tokenizer.end_of_text]
    for number in range(ask.count):
        print(ask.prompt, end="", flush=True)
        written = generate(model, ids, ask.max_new_tokens, sampling, tokenizer.end_of_text, ask.seed + number)
        for piece in pieces(tokenizer, written):
            print(piece, end="", flush=True)
        print("\n" if number + 1 < ask.count else "", file=sys.stdout)
