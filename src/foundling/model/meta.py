"""Models without weights, on torch's meta device: to count parameters, or to load weights into."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch.overrides import TorchFunctionMode

Config = TypeVar("Config")
Model = TypeVar("Model")


class _SkipInitialisation(TorchFunctionMode):
    """Turns the functions of torch.nn.init into no-ops, which saves their time on the meta device."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(function, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if kwargs and "tensor" in kwargs else args[0]
        return function(*args, **(kwargs or {}))


def meta_model(model_class: Callable[[Config], Model], config: Config) -> Model:
    """Build `model_class(config)` without allocating or initialising its weights."""
    with torch.device("meta"), _SkipInitialisation():
        return model_class(config)
