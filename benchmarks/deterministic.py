"""The effect of runtime.deterministic=false on this machine: CPU seconds per step of the nano model.

python benchmarks/deterministic.py
"""

import time
from pathlib import Path

import torch
import yaml

from foundling.model.config import GPTConfig
from foundling.model.gpt import GPT
from foundling.model.loss import next_token_loss

STEPS, ROUNDS = 6, 4


def seconds(model: GPT, ids: torch.Tensor, deterministic: bool) -> float:
    """The CPU seconds of a forward and a backward pass."""
    torch.use_deterministic_algorithms(deterministic)
    torch.utils.deterministic.fill_uninitialized_memory = False
    began = time.process_time()
    for _ in range(STEPS):
        model.zero_grad()
        next_token_loss(model(ids[:, :-1]), ids[:, 1:]).backward()
    return (time.process_time() - began) / STEPS


def main() -> None:
    """Print each round, and whether the gradients are equal."""
    torch.manual_seed(0)
    values = yaml.safe_load((Path(__file__).parents[1] / "conf/model/nano.yaml").read_text())
    model = GPT(GPTConfig(vocab_size=2048, **values))
    ids = torch.randint(2048, (16, model.config.context + 1))
    gradients = {}
    for number in range(ROUNDS):
        took = {}
        for deterministic in (True, False):
            took[deterministic] = seconds(model, ids, deterministic)
            gradients[deterministic] = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        print(
            f"round {number + 1}: {took[True]:.3f} s per step, {took[False]:.3f} s with deterministic=false"
        )
    equal = all(map(torch.equal, gradients[True], gradients[False]))
    print(f"gradients {'equal to the bit' if equal else 'differ'}")


if __name__ == "__main__":
    main()
