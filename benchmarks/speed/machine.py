"""What a result depends on besides the code: processor, versions, and the limits of one core.

python -m benchmarks.speed.machine prints the limits as JSON.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.speed.pinned import run

ROOT = Path(__file__).parents[2]
PACKAGES = ("torch", "lightning", "numpy", "transformers", "litgpt", "xllamacpp")
MATRIX, COPIED = 1024, 64 << 20  # rows of a square matrix; numbers of 4 bytes
SECONDS = 0.5  # for each limit


def describe() -> dict[str, str]:
    """Processor, system and versions."""
    found = {"processor": _processor(), "cores": str(os.cpu_count()), "system": platform.platform()}
    found["python"] = platform.python_version()
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found


def limits(core: int | None) -> dict[str, float]:
    """The matrix products and copies that one core reaches, measured in a process of its own."""
    measured: dict[str, float] = json.loads(
        run([sys.executable, "-m", "benchmarks.speed.machine"], core, ROOT).output
    )
    return measured


def measure() -> dict[str, float]:
    """GFLOP/s of matrix products in float32 and bfloat16, and GB/s of copies, reading and writing counted."""
    import torch

    source = torch.ones(COPIED)
    target = torch.empty_like(source)
    found = {"memory GB/s": 2 * source.nbytes / _best(lambda: target.copy_(source)) / 1e9}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a = torch.ones(MATRIX, MATRIX, dtype=dtype)
        found[f"GEMM {name} GFLOP/s"] = 2 * MATRIX**3 / _best(lambda a=a: a @ a) / 1e9
    return found


def _best(call: Callable[[], object]) -> float:
    """The shortest time of a call."""
    call()
    times, end = [], time.perf_counter() + SECONDS
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def _processor() -> str:
    """The processor's name where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names or [platform.processor() or platform.machine()])[0]


if __name__ == "__main__":
    print(json.dumps(measure()))
