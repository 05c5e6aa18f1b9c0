"""What surrounds the model's computation: batches, checkpoints, held-out loss.

Each is compared with the plain way.

python -m benchmarks.speed.parts '{"layers": 6, …}' (a Size) prints {part: {way: value}} as JSON.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import yaml

from benchmarks.speed.sizes import Size
from foundling.config import CONF
from foundling.data.language import TrainingWindows
from foundling.data.shards import Source
from foundling.evaluation.perplexity import held_out_metrics
from foundling.model.config import GPTConfig
from foundling.model.gpt import GPT
from foundling.model.loss import next_token_loss
from foundling.training import checkpoint
from foundling.training.optim import adamw
from foundling.validation import build

TEXT, HELD_OUT, ROUNDS = 200_000, 16, 5  # tokens; windows; rounds


def main() -> None:
    """Measure each part by turns with the plain way."""
    size = Size(**json.loads(sys.argv[1]))
    ids = np.random.default_rng(0).integers(0, size.vocabulary, TEXT).astype(np.uint16)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(size, ids, Path(folder))))


def measure(size: Size, ids: np.ndarray, folder: Path) -> dict[str, dict[str, float]]:
    """Medians of ROUNDS rounds: ms per batch, seconds per checkpoint, tokens/s of held-out loss."""
    model = _model(size)
    optimizer = adamw(model, 1e-3, (0.9, 0.99), 1e-8, 0.1)
    next_token_loss(
        model(torch.zeros(1, 2, dtype=torch.long)), torch.zeros(1, 2, dtype=torch.long)
    ).backward()
    optimizer.step()
    state = {"weights": model.state_dict(), "optimizer": optimizer.state_dict()}
    windows = TrainingWindows(
        [Source("text", 1.0, ids, TEXT)], size.context, size.batch, 1000, 0, end_of_text=0
    )
    held_out = ids[: HELD_OUT * size.context + 1]
    batch = {"Foundling": partial(windows.__getitem__, 7), "plain": lambda: _plain_batch(ids, size)}
    saved = {
        "Foundling": lambda: checkpoint.save(folder, 1, state),
        "torch.save": lambda: _plain_save(folder / "plain.pt", state),
    }
    tokens = size.batch * size.context
    scored = {
        "Foundling": lambda: held_out_metrics(model.eval(), {"text": (held_out, len(held_out))}, tokens),
        "plain": lambda: _plain_loss(model.eval(), held_out, size),
    }
    took = {"ms per batch": _by_turns(batch, repeat=50), "s per checkpoint": _by_turns(saved)}
    took["held-out tokens/s"] = _by_turns(scored)
    return {
        "ms per batch": {way: 1000 * seconds for way, seconds in took["ms per batch"].items()},
        "s per checkpoint": took["s per checkpoint"],
        "held-out tokens/s": {
            way: HELD_OUT * size.context / seconds for way, seconds in took["held-out tokens/s"].items()
        },
    }


def _model(size: Size) -> GPT:
    shape = yaml.safe_load(Path(f"{CONF}/model/char.yaml").read_text(encoding="utf-8"))
    shape |= {"n_layer": size.layers, "n_head": size.heads, "n_embd": size.width, "context": size.context}
    return GPT(build(GPTConfig, {"vocab_size": size.vocabulary, **shape}, "model"))


def _by_turns(ways: dict[str, Callable[[], object]], repeat: int = 1) -> dict[str, float]:
    """Seconds of a call of each way: the medians of rounds of `repeat` calls."""
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, call in ways.items():
            start = time.perf_counter()
            for _ in range(repeat):
                call()
            times[way].append((time.perf_counter() - start) / repeat)
    return {way: statistics.median(seconds) for way, seconds in times.items()}


def _plain_batch(ids: np.ndarray, size: Size) -> tuple[torch.Tensor, torch.Tensor]:
    """As in nanoGPT's train.py."""
    starts = torch.randint(len(ids) - size.context, (size.batch,))
    x = torch.stack([torch.from_numpy(ids[i : i + size.context].astype(np.int64)) for i in starts])
    y = torch.stack([torch.from_numpy(ids[i + 1 : i + 1 + size.context].astype(np.int64)) for i in starts])
    return x, y


def _plain_save(path: Path, state: dict[str, object]) -> None:
    torch.save(state, path)
    with open(path, "rb") as file:
        os.fsync(file.fileno())


@torch.no_grad()
def _plain_loss(model: GPT, ids: np.ndarray, size: Size) -> float:
    """Adjacent windows, a batch at a time."""
    whole = torch.from_numpy(ids.astype(np.int64))
    x, y = whole[:-1].view(-1, size.context), whole[1:].view(-1, size.context)
    sums = [
        next_token_loss(model(a), b, "sum")
        for a, b in zip(x.split(size.batch), y.split(size.batch), strict=True)
    ]
    return float(sum(sums)) / y.numel()


if __name__ == "__main__":
    main()
