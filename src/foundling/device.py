"""Choose the device that every stage and command computes on, from the section `runtime`.

Imports torch only to choose a device, so that an accelerator that cannot be available is reported at once.
"""

import ctypes
import os
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from foundling.settings.runtime import Accelerator, Runtime, Trainer

KEY = "runtime.trainer.accelerator"
# the values of the setting, and the devices that each of them allows, in order of preference
ACCELERATORS: dict["Accelerator", tuple[str, ...]] = {
    "auto": ("cuda", "mps", "cpu"),
    "gpu": ("cuda", "mps"),
    "cuda": ("cuda",),
    "mps": ("mps",),
    "cpu": ("cpu",),
}
CUDA_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


def set_up(runtime: "Runtime") -> "torch.device":
    """Apply `runtime.threads` and return the device that `runtime.trainer` names."""
    device = choose_device(runtime.trainer.accelerator, runtime.trainer.devices)
    set_threads(runtime.threads)
    return device


def dtype_of(runtime: "Runtime") -> "torch.dtype":
    """The type of the weights that commands load."""
    import torch

    dtype: torch.dtype = getattr(torch, runtime.dtype)
    return dtype


def set_threads(threads: int | None) -> None:
    """Set the number of CPU threads that torch uses; None keeps torch's default, all cores."""
    import torch

    if threads:
        torch.set_num_threads(threads)


def seed(device: "torch.device", value: int) -> None:
    """Seed the generators that computations on `device` draw from.

    torch.manual_seed seeds those of all kinds of devices. For each kind that is not in use it notes the call
    with a formatted stack trace, which takes milliseconds.
    """
    import torch

    torch.default_generator.manual_seed(value)
    if device.type != "cpu":
        getattr(torch, device.type).manual_seed(value)


def choose_device(accelerator: "Accelerator", devices: Any = 1) -> "torch.device":
    """The first available device that `accelerator` allows; with a list of CUDA devices, its first."""
    check_accelerator(accelerator)
    import torch

    kind = next((kind for kind in ACCELERATORS[accelerator] if _available(kind)), None)
    if kind is None:
        raise ValueError(_missing(accelerator))
    if kind == "cuda" and not isinstance(devices, int | str) and devices:
        return torch.device(kind, devices[0])
    return torch.device(kind)


def device_count(trainer: "Trainer") -> int:
    """The number of devices on this machine that a training divides its batches among, a process for each."""
    if "LOCAL_WORLD_SIZE" in os.environ:  # torchrun has decided
        return int(os.environ["LOCAL_WORLD_SIZE"])
    if isinstance(trainer.devices, tuple):
        return max(1, len(trainer.devices))
    if isinstance(trainer.devices, int) and trainer.devices > 0:
        return trainer.devices
    if choose_device(trainer.accelerator).type != "cuda":
        return 1
    import torch

    return torch.cuda.device_count()


def check_accelerator(accelerator: "Accelerator") -> None:
    """Raise ValueError for an accelerator that cannot be available, without importing torch."""
    if not any(_possible(kind) for kind in ACCELERATORS[accelerator]):
        raise ValueError(_missing(accelerator))


def automatic_precision(device: "torch.device") -> str:
    """The meaning of `precision=auto`: bfloat16 on a GPU that supports it, else float32.

    Most CPUs only emulate bfloat16, which is slow.
    """
    import torch

    if device.type != "cuda":
        return "32-true"
    bf16 = torch.cuda.is_bf16_supported(including_emulation=False)  # type: ignore[no-untyped-call]
    return "bf16-mixed" if bf16 else "32-true"


def name_of(device: "torch.device") -> str:
    """The GPU's model name, or the kind of device, for records."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()


def _available(kind: str) -> bool:
    """Whether torch can compute on this kind of device."""
    import torch

    if kind == "cuda":
        return torch.cuda.is_available()
    return kind == "cpu" or torch.backends.mps.is_available()


def _possible(kind: str) -> bool:
    """Whether torch may find this kind of device, as far as one can tell without importing it."""
    if kind == "cuda":
        return _cuda_possible()
    return kind == "cpu" or sys.platform == "darwin"


def _cuda_possible() -> bool:
    """Whether this torch is built for CUDA (or ROCm, which it also calls cuda) and a driver is installed."""
    build = version("torch").partition("+")[2]
    if build == "cpu" or build.startswith("rocm"):
        return build != "cpu"
    try:
        ctypes.CDLL(CUDA_DRIVER)
    except OSError:
        return False
    return True


def _missing(accelerator: str) -> str:
    return (
        f"{KEY}={accelerator}: the installed torch {version('torch')} finds no such "
        "device on this machine; try trainer=auto, which falls back to the CPU, or trainer=cpu"
    )
