"""The processes of a training on several devices: how many, which one this is, and starting them.

They are started by torchrun's agent (torch.distributed.launcher), by torchrun itself or by SLURM; each runs
the same command with its rank in its environment.
"""

import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")  # variables with the rank of a process
ERROR_FILE, UNREPORTED = "TORCHELASTIC_ERROR_FILE", "<N/A>"  # names that the agent uses
SIGNALS = "SIGTERM,SIGINT,SIGUSR1,SIGHUP"  # that the agent passes on
RESUME = "the same command resumes the training from its last checkpoint"
STOP_SECONDS = 60  # for the step in progress and a checkpoint, after a signal


def is_first_process() -> bool:
    """Whether this process writes the results of its training: it is the only one, or has rank 0."""
    return all(os.environ.get(rank, "0") == "0" for rank in RANKS)


def is_launched() -> bool:
    """Whether torchrun's agent started this process, by `launch` or by itself; it reports what fails."""
    return ERROR_FILE in os.environ


def has_rank() -> bool:
    """Whether this process was started as one of several, by `launch`, torchrun or srun."""
    return any(rank in os.environ for rank in RANKS)


def launch(command: str, arguments: Sequence[str], count: int) -> None:
    """Run `foundling command arguments…` in `count` processes, and wait for all of them.

    If one of them fails, the others are stopped, and a ValueError has the message of the first that failed.
    A signal is passed on to all of them; the exit code is then 128 and the signal's number.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    for name in list(logging.root.manager.loggerDict):
        if name.startswith("torch.distributed.elastic"):  # what ends a training is said in one line below
            logging.getLogger(name).setLevel(logging.CRITICAL)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    with tempfile.TemporaryDirectory(prefix="foundling-") as logs:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=count,
            run_id=str(os.getpid()),
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="localhost",
            max_restarts=0,
            signals_to_handle=SIGNALS,
            logs_specs=DefaultLogsSpecs(log_dir=logs),
            shutdown_timeout=STOP_SECONDS,
        )
        try:
            elastic_launch(config, sys.executable)("-m", "foundling", command, *arguments)
        except ChildFailedError as error:
            raise ValueError(_reason(error.failures, count)) from None
        except SignalException as stop:
            raise SystemExit(128 + stop.sigval) from None


def report(message: str) -> None:
    """Leave a launched process's error message to the agent, in the file that it reads."""
    Path(os.environ[ERROR_FILE]).write_text(json.dumps({"message": message, "timestamp": int(time.time())}))


def is_consequence(error: BaseException) -> bool:
    """Whether a process failed only because another one ended."""
    return isinstance(error, RuntimeError) and any(name in str(error) for name in ("gloo", "NCCL"))


def _reason(failures: Mapping[int, "ProcessFailure"], count: int) -> str:
    """The message of the process that failed first, or what ended it."""
    rank = min(failures, key=lambda rank: (failures[rank].error_file == UNREPORTED, failures[rank].timestamp))
    failure = failures[rank]
    if failure.exitcode < 0:
        return f"process {rank} of {count} was killed by {failure.signal_name()}; {RESUME}"
    if failure.error_file == UNREPORTED:
        return f"process {rank} of {count} ended with exit code {failure.exitcode}; {RESUME}"
    return failure.message
