"""Run a command on one core with one thread; note when its output arrives and how much memory it takes."""

import itertools
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

POLL = 0.005  # seconds
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}


@dataclass(frozen=True)
class Finished:
    """What a command printed, piece by piece, each with the time of its arrival."""

    started: float  # time.time()
    pieces: list[tuple[float, bytes]]
    peak_gib: float  # resident memory

    @property
    def output(self) -> str:
        """All that was printed."""
        return b"".join(piece for _, piece in self.pieces).decode(errors="replace")

    @property
    def lines(self) -> list[tuple[float, str]]:
        """The lines, each with the time when it was complete."""
        lines, rest = [], ""
        for at, piece in self.pieces:
            *whole, rest = (rest + piece.decode(errors="replace")).split("\n")
            lines += [(at, line) for line in whole]
        return lines


def cores() -> list[int]:
    """The cores that this process may use; none where the system cannot pin processes."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def run(
    command: Sequence[str],
    core: int | None,
    folder: Path | None = None,
    poll: Callable[[], None] | None = None,
) -> Finished:
    """Run a command to its end; `poll` is called every few milliseconds meanwhile.

    Raises:
        RuntimeError: with the last lines that it printed, if it fails.
    """
    pin = None if core is None else lambda: os.sched_setaffinity(0, {core})
    pieces: list[tuple[float, bytes]] = []
    with tempfile.TemporaryFile() as errors:
        started = time.time()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **ONE_THREAD, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            preexec_fn=pin,
        )
        assert process.stdout is not None
        with process.stdout as output:
            while True:
                ready, _, _ = select.select([output], [], [], POLL)
                if ready:
                    piece = os.read(output.fileno(), 1 << 16)
                    if not piece:
                        break
                    pieces.append((time.time(), piece))
                if poll is not None:
                    poll()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().splitlines()[-3:]
            raise RuntimeError(f"{' '.join(command[:4])} …: {' | '.join(said)}")
    return Finished(started, pieces, usage.ru_maxrss / 2**20)


def rate(stamps: Sequence[tuple[int, float]], every: int, tokens: int) -> float:
    """Tokens per second: the median over intervals of `every` steps, without the first, which warms up.

    `stamps` are steps, each with the time when it ended.
    """
    read = [(step, at) for step, at in stamps if step % every == 0]
    pairs = itertools.pairwise(read)
    rates = sorted((later[0] - step[0]) * tokens / (later[1] - step[1]) for step, later in pairs)
    if not rates:
        raise RuntimeError(f"only {len(stamps)} steps were seen; too few to measure")
    middle = len(rates) // 2
    return rates[middle] if len(rates) % 2 else (rates[middle - 1] + rates[middle]) / 2
