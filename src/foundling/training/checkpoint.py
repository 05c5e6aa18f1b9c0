"""A training's whole state as one file: tensors by safetensors, the rest as JSON in its header; no pickle.

The file's name holds the step and the sha256 of its bytes, so that a damaged file is recognized.
"""

import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from foundling.artifacts import fsync_folder, sha256, staging_path
from foundling.scratch import list_checkpoints

log = logging.getLogger(__name__)
KEPT = 2  # files: the newest checkpoint, and the one before in case the newest is damaged
TENSOR = "tensor:"  # prefix of the name that replaces a tensor in the JSON


def save(folder: Path, step: int, state: Mapping[str, Any]) -> Path:
    """Write the state after a step atomically and remove older files but one; a full disk raises OSError."""
    tensors: dict[str, Tensor] = {}
    plain = _extract_tensors(state, "", tensors)
    part = staging_path(folder / "checkpoint")
    try:
        save_file(tensors, part, metadata={"state": json.dumps(plain)})
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        path = folder / f"step-{step:08d}-{sha256(part)}.safetensors"
        os.replace(part, path)
    except SafetensorError as error:
        raise OSError(
            f"cannot write the checkpoint of step {step:,} to {folder} ({error}); free some disk space and "
            "run the same command again: it resumes from the previous checkpoint"
        ) from None
    finally:
        part.unlink(missing_ok=True)
    fsync_folder(folder)
    for old in list_checkpoints(folder)[KEPT:]:
        old.unlink()
    return path


def load(folder: Path) -> dict[str, Any] | None:
    """The newest state whose bytes match its name, or None; damaged files are removed with a warning."""
    for path in list_checkpoints(folder):
        if path.stem.endswith(sha256(path)):
            with safe_open(path, framework="pt") as file:
                return _restore_tensors(json.loads(file.metadata()["state"]), file)
        log.warning(
            f"{path} is damaged (its sha256 is not the one in its name); using the checkpoint before it"
        )
        path.unlink(missing_ok=True)  # another process of the training may have removed it
    return None


def change_states(
    optimizer: Optimizer, states: Mapping[Any, Mapping[str, Any]], change: Callable[[Tensor, Tensor], Tensor]
) -> dict[int, dict[str, Any]]:
    """The states of an optimizer, by its parameters' numbers, with their tensors changed."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    changed: dict[int, dict[str, Any]] = {}
    for number, values in states.items():
        parameter = parameters[int(number)]
        changed[int(number)] = {
            name: change(value, parameter) if isinstance(value, Tensor) else value
            for name, value in values.items()
        }
    return changed


def _extract_tensors(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """The value as JSON: each tensor is moved to `tensors` and replaced by its name."""
    if isinstance(value, Tensor):
        tensors[name] = value.detach().cpu().contiguous()
        return TENSOR + name
    if isinstance(value, Mapping):
        return {str(key): _extract_tensors(inner, f"{name}/{key}", tensors) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_extract_tensors(inner, f"{name}/{i}", tensors) for i, inner in enumerate(value)]
    return value


def _restore_tensors(value: Any, file: Any) -> Any:
    """The value with the tensors in place of their names, on the CPU."""
    if isinstance(value, str) and value.startswith(TENSOR):
        return file.get_tensor(value.removeprefix(TENSOR))
    if isinstance(value, dict):
        return {key: _restore_tensors(inner, file) for key, inner in value.items()}
    if isinstance(value, list):
        return [_restore_tensors(inner, file) for inner in value]
    return value
