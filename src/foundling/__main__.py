"""foundling <command> [overrides]: each command is a Hydra app over conf/ and the selection, params.yaml."""

import errno
import importlib
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from foundling import config, help, processes
from foundling.literals import quoted
from foundling.outcomes import JobFailed
from foundling.overrides import Prepared, prepare
from foundling.selection import key_of, origin_of

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from foundling.settings import Job

PACKAGE = Path(__file__).parent
BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"  # runs jobs in this process
# the stages in the order of dvc.yaml, and the commands that use their results
STAGES = (
    *("compose", "fetch", "weights", "train_tokenizer", "tokenize"),
    *("pretrain", "classify", "instruct", "train_translator", "evaluate", "report"),
)
USES = (
    *("generate", "predict", "chat", "translate", "serve", "compare", "sweep"),
    *("import_model", "export", "plan", "verify", "rebuild", "clean"),
)
COMMANDS = {**dict.fromkeys(STAGES, "stages"), **dict.fromkeys(USES, "commands")}  # name -> package

# the commands that compute on the device of `runtime`
TRAININGS = ("pretrain", "classify", "instruct", "train_translator")
LOGGED = {*TRAININGS, "train_tokenizer", "tokenize", "evaluate"}  # to W&B
COMPUTING = {*TRAININGS, "evaluate", "generate", "predict", "chat", "translate", "serve"}


def main() -> None:
    """Run one command. A user's mistake prints one line and exits with code 1, Ctrl-C with 130."""
    name, arguments = (sys.argv[1] if len(sys.argv) > 1 else "--help"), sys.argv[2:]
    sys.path.append(os.getcwd())  # lets conf/ name the user's own modules; installed packages take precedence
    try:
        if name in ("-h", "--help", "help"):
            print(help.overview(COMMANDS))
        elif name not in COMMANDS:
            raise ValueError(f"unknown command {name!r}; {config.suggest(name, list(COMMANDS))}")
        elif "-h" in arguments or "--help" in arguments:
            rest = [argument for argument in arguments if argument not in ("-h", "--help")]
            print(help.describe(name, COMMANDS[name], _prepare(name, rest).config))
        else:
            _run(name, arguments)
    except KeyboardInterrupt:
        if processes.is_first_process():
            print(f"foundling: {name} was interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        _exit(error, arguments)


def _run(name: str, arguments: list[str]) -> None:
    """Run the command with Hydra: once, or with -m once for each combination of a sweep."""
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException
    from hydra.types import RunMode
    from omegaconf.errors import OmegaConfBaseException

    from foundling import sweep_jobs
    from foundling.settings import Job
    from foundling.sweeps.running import finish_sweep

    prepared = _prepare(name, arguments)
    checked = None if prepared.config is None else _checked(name, Job.of(prepared.config), arguments)
    sweep, swept = None, prepared.sweep.swept if prepared.sweep else ()
    if prepared.sweep is not None:
        first = _checked(name, Job.of(prepared.sweep.first), arguments, swept)
        sweep = sweep_jobs.open_folder(name, prepared.sweep, first) if name in TRAININGS else None
    folder = [] if sweep is None else [f"hydra.sweep.dir={quoted(str(sweep))}"]

    def task(composed: "DictConfig") -> Any:
        run: Any = HydraConfig.get()
        is_sweep = run.mode == RunMode.MULTIRUN
        try:
            job = checked or _checked(
                name, Job.of(composed, sweep_jobs.folder_of(run) if is_sweep else Path()), arguments, swept
            )
            missing = _missing_processes(job, is_sweep) if name in TRAININGS else 0
            if missing:
                return processes.launch(name, arguments, missing)
            if not processes.is_first_process():
                logging.disable()  # the first process says it
            if is_sweep and name in TRAININGS:
                return sweep_jobs.run_once(name, job, run, lambda: _load(name)(job))
            return _load(name)(job)  # imports torch
        except Exception as error:  # before Hydra adds its own traceback
            if is_sweep and run.launcher["_target_"] != BASIC_LAUNCHER:
                raise _failed_job(error, run.job.num, arguments) from None
            _exit(error, arguments)

    sys.argv = [f"foundling {name}", *prepared.arguments, *folder]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # let Hydra raise its errors instead of printing them
    try:
        hydra.main(version_base="1.3", config_path=str(config.conf_folder()), config_name="config")(task)()
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(f"the config cannot be composed: {config.reason(error)}") from error
    if sweep is not None:
        finish_sweep(sweep)


def _prepare(name: str, arguments: list[str]) -> Prepared:
    """The selection and the command line as arguments for Hydra, with every key and choice checked."""
    return prepare(name if name in (*USES, "report") else None, [f"hydra.job.name={name}", *arguments])


def _checked(name: str, job: "Job", arguments: Sequence[str], swept: Sequence[str] = ()) -> "Job":
    """Validate a job's settings, device and inputs, as far as possible without torch, and return it.

    `arguments` and those of them with several values, `swept`, tell which command makes a missing input.
    """
    from foundling import device, inputs

    runtime = job.settings.runtime
    if name in LOGGED:
        from foundling.tracking.settings import resolve

        resolve(runtime.logger)
    if name in COMPUTING:
        device.check_accelerator(runtime.trainer.accelerator)
    inputs.check(name, job, arguments, [key_of(override) for override in swept])
    return job


def _missing_processes(job: "Job", is_sweep: bool) -> int:
    """How many processes a training still has to start, one for each of several devices; 0 if none."""
    from foundling import device
    from foundling.division import check_divisible
    from foundling.settings.models import GPTSettings
    from foundling.settings.runtime import TENSOR_PARALLEL

    trainer = job.settings.runtime.trainer
    if processes.has_rank() or (trainer.devices == 1 and trainer.num_nodes == 1):
        return 0
    if trainer.num_nodes > 1:
        raise ValueError(
            f"runtime.trainer.num_nodes={trainer.num_nodes}: start the command on each machine, by torchrun "
            "or srun (docs/scale.md)"
        )
    count = device.device_count(trainer)
    if count > 1 and is_sweep:
        raise ValueError(
            "runtime.trainer.devices: the jobs of a sweep (-m) run on one device each; set "
            "runtime.trainer.devices=1, or start the jobs one by one"
        )
    model = job.settings.model
    if trainer.strategy == TENSOR_PARALLEL and isinstance(model, GPTSettings):
        check_divisible(model, count)
    return count if count > 1 else 0


def _load(name: str) -> Callable[["Job"], Any]:
    module = importlib.import_module(f"foundling.{COMMANDS[name]}.{name}")
    run: Callable[[Job], Any] = module.run
    return run


def _exit(error: Exception, arguments: list[str]) -> NoReturn:
    """Print one line for errors that the user can fix (our ValueErrors, any OSError), else the traceback.

    One of several processes of a training leaves its line to the agent that started it.
    """
    if os.environ.get("FOUNDLING_TRACEBACK") or not _is_users_mistake(error):
        if not processes.is_launched():
            traceback.print_exception(error)
        elif not processes.is_consequence(error):
            traceback.print_exception(error)
            processes.report(f"{type(error).__name__}: {one_line(error)}")
    else:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = (
            "; free some disk space and run the command again (existing files are unchanged)" if full else ""
        )
        line = f"{one_line(error)}{origin_of(str(error), arguments)}{hint}"
        if processes.is_launched():
            processes.report(line)
        else:
            print(f"foundling: {line}", file=sys.stderr)
    sys.stdout.flush()
    sys.exit(1)


def _is_users_mistake(error: Exception) -> bool:
    """Whether one line is enough: of a ValueError that we raise, or of any OSError."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = bool(frames) and Path(frames[-1].filename).is_relative_to(PACKAGE)
    return isinstance(error, OSError | JobFailed) or (isinstance(error, ValueError) and ours)


def _failed_job(error: Exception, number: int, arguments: list[str]) -> JobFailed:
    """The error of a job that a launcher runs in another process, to be raised in this sweep's own one."""
    if not _is_users_mistake(error):
        traceback.print_exception(error)
        return JobFailed(f"job {number}: {type(error).__name__}: {one_line(error)}")
    return JobFailed(f"job {number}: {one_line(error)}{origin_of(str(error), arguments)}")


def one_line(error: Exception) -> str:
    """An error's message as one line without control characters, which may come from names of files."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(str(error).split()))


if __name__ == "__main__":
    main()
