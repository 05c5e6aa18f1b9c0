"""Continue a prompt with a model: foundling generate prompt="Once upon a time"."""

from pathlib import Path

from foundling.device import dtype_of, set_up
from foundling.generation.assistant import decode_stream
from foundling.generation.decode import generate
from foundling.settings import Job
from foundling.weights import folder


def run(job: Job) -> None:
    """Print `generate.count` continuations of the prompt as they are sampled."""
    settings, device = job.settings.generate, set_up(job.settings.runtime)
    model, tokenizer = folder.load(Path(settings.model).expanduser(), dtype_of(job.settings.runtime))
    model.to(device)
    ids = tokenizer.encode_document(settings.prompt)
    for number in range(settings.count):
        print(settings.prompt, end="", flush=True)
        seed = settings.seed + number
        sampled = generate(model, ids, settings.max_new_tokens, settings, tokenizer.ends, seed)
        for piece in decode_stream(tokenizer, sampled):
            print(piece, end="", flush=True)
        print("\n" if number + 1 < settings.count else "")
