"""The peers that can be measured here, and how each is run."""

import json
import os
import pickle
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.speed.pinned import Finished, rate, run
from benchmarks.speed.sizes import Size

ROOT = Path(__file__).parents[2]
NANOGPT = "NANOGPT"  # the environment variable with the path of its checkout
NEEDS = {"LitGPT": "litgpt", "transformers": "transformers", "llama.cpp": "xllamacpp"}
ITERATION = re.compile(r"iter (\d+): loss")


@dataclass(frozen=True)
class Missing:
    """A peer that is left out, and why."""

    name: str
    why: str


def available(environment: Mapping[str, str] = os.environ) -> tuple[list[str], list[Missing]]:
    """The peers that can be run, and those that cannot."""
    found, missing = [], []
    for name, module in NEEDS.items():
        if find_spec(module) is None:
            missing.append(Missing(name, "not installed; `make bench` installs it"))
        else:
            found.append(name)
    checkout = environment.get(NANOGPT, "")
    if (Path(checkout) / "train.py").is_file() and checkout:
        found.append("nanoGPT")
    else:
        why = f"{NANOGPT}={checkout}: no train.py there" if checkout else f"set {NANOGPT} to its checkout"
        missing.append(Missing("nanoGPT", why))
    return found, missing


def train(name: str, size: Size, core: int | None, folder: Path) -> dict[str, float]:
    """Train a peer; `folder` is for its files."""
    if name == "nanoGPT":
        done, stamps = _nanogpt(size, core, folder)
    else:
        module = [sys.executable, "-m", "benchmarks.speed.training_peer", name.lower()]
        done = run([*module, json.dumps(asdict(size))], core, ROOT)
        stamps = list(enumerate(json.loads(done.output.strip().splitlines()[-1]), start=1))
    return {
        "tokens/s": rate(stamps, size.every, size.tokens),
        "s to the first step": stamps[0][1] - done.started,
        "peak GiB": done.peak_gib,
    }


def generate(name: str, size: Size, core: int | None, gguf: Path) -> dict[str, float]:
    """Generate with a peer."""
    paths = {"nanoGPT": [os.environ.get(NANOGPT, "")], "llama.cpp": [str(gguf)]}.get(name, [])
    module = [sys.executable, "-m", "benchmarks.speed.generating_peer", name.lower()]
    done = run([*module, json.dumps(asdict(size)), *paths], core, ROOT)
    return {"tokens/s": size.new_tokens / float(done.output.split()[-1]), "peak GiB": done.peak_gib}


def _nanogpt(size: Size, core: int | None, folder: Path) -> tuple[Finished, list[tuple[int, float]]]:
    """Run nanoGPT's own train.py; a step's end is when its line is printed."""
    data = folder / f"nanogpt-{size.vocabulary}"
    if not data.exists():
        data.mkdir()
        tokens = np.random.default_rng(0).integers(0, size.vocabulary, 1_000_000).astype(np.uint16)
        tokens.tofile(data / "train.bin")
        tokens[:10_000].tofile(data / "val.bin")
        (data / "meta.pkl").write_bytes(pickle.dumps({"vocab_size": size.vocabulary}))
    settings = {
        "dataset": data.absolute(),
        "out_dir": (folder / "nanogpt-out").absolute(),
        **{"n_layer": size.layers, "n_head": size.heads, "n_embd": size.width, "block_size": size.context},
        **{"batch_size": size.batch, "max_iters": size.steps - 1, "gradient_accumulation_steps": 1},
        **{"eval_iters": 1, "eval_interval": 10**6, "log_interval": 1, "always_save_checkpoint": False},
        **{"learning_rate": 1e-3, "beta2": 0.99, "warmup_iters": 100},
        **{"device": "cpu", "dtype": "float32", "compile": False},
    }
    arguments = [f"--{name}={value}" for name, value in settings.items()]
    done = run([sys.executable, "train.py", *arguments], core, Path(os.environ[NANOGPT]))
    matched = ((at, ITERATION.match(line)) for at, line in done.lines)
    return done, [(int(match[1]) + 1, at) for at, match in matched if match]
