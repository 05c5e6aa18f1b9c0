"""Our tensors under another format's names: one table per format, used in both directions.

An entry says which of the other format's tensors hold one of ours, and in which layout. It yields views of
our tensor in that layout: loading copies into the views, exporting copies out of them, so both directions
stay consistent.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from foundling.model.config import GPTConfig
from foundling.model.gpt import GPT
from foundling.model.meta import meta_model
from foundling.weights.checks import check_shapes, require_layers


@dataclass(frozen=True)
class ForeignTensor:
    """A tensor of the other format: its name and shape, and a view of ours in the same order."""

    name: str
    shape: tuple[int, ...]
    view: Tensor


@dataclass(frozen=True)
class Entry:
    """Where another format stores one of our tensors; {i} is the layer's number."""

    ours: str
    theirs: tuple[str, ...]  # one name, or those of query, key and value, which we store as one tensor
    transposed: bool = False  # theirs is (in, out), as in TensorFlow
    # their queries and keys store the two halves of each rotary pair next to each other
    interleaved: bool = False
    depthwise: bool = False  # theirs has each channel's kernel in a row, as nn.Conv1d: (C, 1, kernel)

    def has_same_layout(self, ours: Tensor) -> bool:
        """Whether the other format stores one tensor with the same order of elements as ours."""
        moved = self.transposed and ours.dim() == 2 or self.interleaved or self.depthwise
        return len(self.theirs) == 1 and not moved

    def foreign(self, config: GPTConfig, layer: int, ours: Tensor) -> list[ForeignTensor]:
        """The other format's tensors, as views of ours."""
        d = config.head_dim
        rows = [config.n_head * d, config.n_kv_head * d, config.n_kv_head * d]
        parts = torch.split(ours, rows) if len(self.theirs) == 3 else (ours,)  # (H·D, C), (G·D, C), (G·D, C)
        tensors = []
        for number, (name, part) in enumerate(zip(self.theirs, parts, strict=True)):
            view = part.T if self.transposed and part.dim() == 2 else part
            view = part.T.unsqueeze(1) if self.depthwise else view  # (kernel, C) -> (C, 1, kernel)
            shape = tuple(view.shape)
            if self.interleaved and number < 2:  # (heads, 2, D/2, …) -> (heads, D/2, 2, …)
                view = view.view(-1, 2, d // 2, *shape[1:]).transpose(1, 2)
            tensors.append(ForeignTensor(name.format(i=layer), shape, view))
        return tensors


Table = tuple[Entry, ...]


@dataclass(frozen=True)
class Rows:
    """Rows of a stored tensor: all of them, or a half of one that holds two of a table's."""

    stored: str
    shape: tuple[int, ...]
    start: int = 0


def unpack(name: str, shape: tuple[int, ...], packed: Mapping[str, tuple[str, str]]) -> dict[str, Rows]:
    """A stored tensor by its name; one that ends in a key of `packed` as two, by its halves' names."""
    for ending, halves in packed.items():
        if name.endswith(ending) and shape[0] % 2 == 0:
            rows, stem = shape[0] // 2, name.removesuffix(ending)
            return {
                f"{stem}{half}": Rows(name, (rows, *shape[1:]), at * rows) for at, half in enumerate(halves)
            }
    return {name: Rows(name, shape)}


def entries(table: Table, config: GPTConfig, state: Mapping[str, Tensor]) -> Iterator[tuple[Entry, int, str]]:
    """(entry, layer, our name) of each tensor in `state` that the table has; a tied head is in neither."""
    for entry in table:
        for layer in range(config.n_layer if "{i}" in entry.ours else 1):
            name = entry.ours.format(i=layer)
            if name in state:
                yield entry, layer, name


def load_tensors(
    table: Table,
    config: GPTConfig,
    shapes: Mapping[str, tuple[int, ...]],
    read: Callable[[str], Tensor],
    where: str,
    dtype: torch.dtype = torch.float32,
) -> GPT:
    """Build a GPT from another format's tensors, on the CPU, in evaluation mode.

    Args:
        table: the format's names.
        config: the GPT's shape.
        shapes: the shape of each tensor that is stored.
        read: returns a tensor by name, of any float type and any shape of that size. A tensor that has our
            layout and type is used without a copy.
        where: the file or folder, for messages.
        dtype: that of the GPT's tensors.

    Raises:
        ValueError: names missing, unexpected and wrongly shaped tensors, before any is read.
    """
    require_layers(where, config, shapes)
    model = meta_model(GPT, config)
    state = model.state_dict()
    expected = {
        tensor.name: tensor.shape
        for entry, layer, name in entries(table, config, state)
        for tensor in entry.foreign(config, layer, state[name])
    }
    check_shapes(where, shapes, expected)
    for entry, layer, name in entries(table, config, state):
        shape = state[name].shape
        if entry.has_same_layout(state[name]):
            state[name] = read(entry.theirs[0].format(i=layer)).view(shape).to(dtype)
            continue
        state[name] = torch.empty(shape, dtype=dtype)
        for tensor in entry.foreign(config, layer, state[name]):
            theirs = read(tensor.name).view(tensor.view.shape)
            if theirs.dim() == 2:  # in our order of rows, which PyTorch copies faster
                tensor.view.T.copy_(theirs.T)
            else:
                tensor.view.copy_(theirs)
    model.load_state_dict(state, assign=True)
    model.make_tables()
    return model.eval()


def export_tensors(
    table: Table, config: GPTConfig, state: Mapping[str, Tensor]
) -> Iterator[tuple[str, Tensor]]:
    """The other format's name and contiguous tensor, for each of ours."""
    for entry, layer, name in entries(table, config, state):
        for tensor in entry.foreign(config, layer, state[name]):
            yield tensor.name, tensor.view.reshape(tensor.shape).contiguous()
