"""The cost of loading published weights: peak memory and time, compared with reading the same bytes.

Random weights of realistic sizes are written once as Hugging Face folders. Measurements alternate, each in
its own process; the comparison is safetensors' load_file with every tensor copied to memory (load_file only
maps the file). Times are CPU times, so that other programs on the machine matter little; a page of every
tensor is touched.
Run: python benchmarks/load_weights.py [rounds]
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

VOCABULARY = {"gpt2_124m": 50257, "llama": 32000, "qwen3": 32000}
# conf/model's Llama and Qwen3 at about the same size
LARGE = {
    "context": 1024,
    "n_layer": 12,
    "n_head": 12,
    "n_kv_head": 4,
    "n_embd": 768,
    "head_dim": 64,
    "n_ffn": 2304,
}
OWN = {"dropout": 0.0, "init": "gpt2", "attention": "fused"}
PAGE = 1024  # float32 numbers


def write(folder: Path, name: str) -> None:
    """A folder as transformers' is."""
    import torch
    from safetensors.torch import save_file

    from foundling.artifacts import write_json
    from foundling.model.config import GPTConfig
    from foundling.model.gpt import GPT
    from foundling.weights.architectures import known
    from foundling.weights.huggingface import HEAD, PREFIXES, TABLES
    from foundling.weights.huggingface_config import write_config
    from foundling.weights.names import export_tensors

    shape = yaml.safe_load(Path(f"conf/model/{name}.yaml").read_text()) | (
        {} if name == "gpt2_124m" else LARGE
    )
    torch.manual_seed(0)
    architecture, config, state = known(GPT(GPTConfig(vocab_size=VOCABULARY[name], **shape)))
    prefix = PREFIXES[architecture.name]
    found = {
        n if n == HEAD else prefix + n: t for n, t in export_tensors(TABLES[architecture.name], config, state)
    }
    folder.mkdir()
    save_file(found, folder / "model.safetensors")
    write_json(folder / "config.json", write_config(architecture.name, config, "float32"))


def load(folder: Path) -> Any:
    from foundling.weights import huggingface
    from foundling.weights.huggingface_config import read_config

    name, config = read_config(folder, OWN)
    return huggingface.load_model(folder, name, config).state_dict()


def bare(folder: Path) -> Any:
    from safetensors.torch import load_file

    return {name: tensor.clone() for name, tensor in load_file(folder / "model.safetensors").items()}


def resident(field: str) -> int:
    """A figure of this process, in bytes: VmRSS now, or VmHWM, the most so far."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return next(int(words[1]) * 1024 for words in lines if words[0] == f"{field}:")


def child(what: str, folder: Path) -> None:
    """Measure in this process, all imports done."""
    import foundling.weights.huggingface  # noqa: F401

    before, began = resident("VmRSS"), time.process_time()
    state = {"load": load, "bare": bare}[what](folder)
    for tensor in state.values():
        tensor.view(-1)[::PAGE].sum()
    print(json.dumps({"seconds": time.process_time() - began, "memory": resident("VmHWM") - before}))


def measured(what: str, folder: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, what, str(folder)], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    from rich.console import Console
    from rich.table import Table

    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    table = Table(title=f"medians of {rounds} rounds by turns; memory as a share of the weights")
    for column in (
        "model",
        "weights, MB",
        "bare read, s",
        "load, s",
        "ratio",
        "memory, bare",
        "memory, load",
    ):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory() as scratch:
        for name in VOCABULARY:
            folder = Path(scratch) / name
            write(folder, name)
            size = (folder / "model.safetensors").stat().st_size
            pairs = [(measured("bare", folder), measured("load", folder)) for _ in range(rounds)]
            seconds = [statistics.median(one["seconds"] for one in side) for side in zip(*pairs, strict=True)]
            memory = [
                statistics.median(one["memory"] / size for one in side) for side in zip(*pairs, strict=True)
            ]
            ratio = statistics.median(ours["seconds"] / theirs["seconds"] for theirs, ours in pairs)
            table.add_row(
                name, f"{size / 1e6:.0f}", *(f"{value:.2f}" for value in (*seconds, ratio, *memory))
            )
    Console(width=100).print(table)


if __name__ == "__main__":
    if sys.argv[1:2] in (["load"], ["bare"]):
        child(sys.argv[1], Path(sys.argv[2]))
    else:
        main()
