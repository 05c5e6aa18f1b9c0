"""What a small run would have left behind, made up."""

import math
from typing import Any

import pytest

from foundling.reporting.page import Material

KINDS = {
    "facts": (2.0, 0.98),
    "mention": (1.4, 0.97),
    "binding": (0.9, 0.68),
    "cause": (1.0, 0.8),
    "sentiment": (1.1, 0.86),
}


def measured(accuracy: float, n: int, **more: float) -> dict[str, Any]:
    half = 1.96 * math.sqrt(accuracy * (1 - accuracy) / n)
    return {"n": n, "accuracy": accuracy, "low": accuracy - half, "high": accuracy + half, "chance": 0.25} | more


def counted(source: str, split: str, tokens: int, share: float) -> dict[str, Any]:
    counts = {"documents": tokens // 100, "characters": tokens * 4, "words": tokens, "tokens": tokens}
    return {"source": source, "split": split, **counts, "characters_per_token": 4.0, "share": share}


def emergence_rows() -> list[dict[str, Any]]:
    rows = []
    for step in (0, 8, 16, 31, 62, 125, 250, 500, 1000):
        loss = 7.3 - 0.93 * math.log(1 + step)
        for kind, (speed, best) in KINDS.items():
            share = 0.25 + (best - 0.25) / (1 + math.exp((loss - 1.2 - speed) * 4))
            place = {"step": step, "tokens": step * 4096, "val/loss": loss, "benchmark": "fables_continuations"}
            rows.append(place | {"kind": kind} | measured(share, 300))
    return rows


@pytest.fixture
def material() -> Material:
    rules = {"first_mentioned": 0.38, "last_mentioned": 0.39, "control": 0.26, "other_accuracy": 0.5}
    kinds = {"all": measured(0.82, 1500, **rules)}
    kinds |= {kind: measured(best, 300, **rules) for kind, (_, best) in KINDS.items()}
    fables = {"measure": "likelihood", "cut": 0, "kinds": kinds | {"mean_of_kinds": kinds["all"]}}
    blimp = {
        "measure": "likelihood of the sentence",
        "cut": 3,
        "kinds": {"all": measured(0.56, 4000) | {"chance": 0.5}},
    }
    return Material(
        config={
            "seed": 1,
            "corpus": {
                "name": "fables",
                "sources": [{"name": "stories", "generate": {"name": "stories", "megabytes": 20}}],
            },
            "model": {"n_layer": 4, "n_head": 4, "n_embd": 128, "context": 128},
            "pretrain": {"max_steps": 1000, "init_from": "scratch", "seed": 1},
            "evaluate": {
                "samples": {"temperature": 0.8, "top_k": None, "top_p": None, "max_new_tokens": 120},
                "seed": 1,
            },
        },
        data={
            "vocab_size": 1500,
            "rows": [
                counted("stories", "train", 60_000, 0.75),
                counted("stories", "validation", 3_000, 0.75),
                counted("facts", "train", 2_000_000, 0.25),
            ],
        },
        pretrain={"val/loss": 0.873, "parameters": 1_012_480, "tokens": 4_096_000},
        run={
            "weights_sha256": "0123456789abcdef" * 4,
            "commit": "89abcdef01" * 4,
            "dirty": False,
            "python": "3.11.7",
            "machine": "Linux x86_64",
            "device": "CPU, 2 threads",
            "seconds": {"training": 254.2, "whole": 270.0},
            "tokens_per_second": 16_113.0,
            "wandb": None,
        },
        evaluate={
            "held_out": {"val/loss": 0.8731, "val/perplexity": 2.394, "val/bits_per_byte": 0.3121, "tokens": 90_000},
            "benchmarks": {"fables_continuations": fables, "blimp": blimp},
        },
        training=[
            {
                "step": s,
                "tokens": s * 4096,
                "train/loss": 0.85 + 6 * math.exp(-s / 60) + 0.03 * math.sin(s),
                "lr": 1,
                "grad_norm": 1,
            }
            for s in range(1, 1001, 20)
        ],
        validation=[
            {"step": s, "tokens": s * 4096, "val/loss": 0.87 + 6 * math.exp(-s / 60)}
            for s in (200, 400, 600, 800, 1000)
        ],
        emergence=emergence_rows(),
        samples=[
            {
                "prompt": "",
                "text": "The lion was in the forest. He had hidden the key <under> the stone.\nThe fox was glad.",
                "seed": 1,
            },
            {"prompt": "Once upon a time", "text": ", an old bear lost her basket by the river.", "seed": 1},
        ],
        training_samples=[{"step": 200, "tokens": 819_200, "prompt": "", "text": "The the was the of a."}],
    )
