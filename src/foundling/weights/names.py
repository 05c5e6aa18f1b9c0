"""Our tensors under another format's names: one table a format, read in both directions.

An entry says which of their tensors hold one of ours, and in which order. From it follow views of our tensors that
are laid out as theirs: loading copies into the views, exporting copies out of them, so the two cannot drift apart.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from foundling.model.gpt import GPT, GPTConfig, meta_gpt
from foundling.weights.folder import check, require_layers


@dataclass(frozen=True)
class Entry:
    """Where one of our tensors is in another format; {i} stands for the layer."""

    ours: str
    theirs: tuple[str, ...]  # one name, or those of query, key and value, which we keep stacked
    transposed: bool = False  # theirs is (in, out), as in TensorFlow
    interleaved: bool = False  # the two halves of each rotary pair are neighbours in their queries and keys


Table = tuple[Entry, ...]


@dataclass(frozen=True)
class Place:
    """One of their tensors: its name, its shape, and where it is in ours (a view whose order is theirs)."""

    name: str
    shape: tuple[int, ...]
    view: Tensor


def fitted(table: Table, config: GPTConfig, state: Mapping[str, Tensor]) -> Iterator[tuple[str, list[Place]]]:
    """Each of our tensors that the table knows and `state` has (no output head when it is tied), with its places."""
    for entry in table:
        for i in range(config.n_layer if "{i}" in entry.ours else 1):
            name = entry.ours.format(i=i)
            if name in state:
                yield name, _places(entry, config, i, state[name])


def _places(entry: Entry, config: GPTConfig, layer: int, ours: Tensor) -> list[Place]:
    assert config.head_dim
    assert config.n_kv_head
    stacked = [heads * config.head_dim for heads in (config.n_head, config.n_kv_head, config.n_kv_head)]
    parts = torch.split(ours, stacked) if len(entry.theirs) == 3 else (ours,)  # (H·D, C), (G·D, C), (G·D, C)
    places = []
    for number, (name, part) in enumerate(zip(entry.theirs, parts, strict=True)):
        view = part.T if entry.transposed and part.dim() == 2 else part
        shape = tuple(view.shape)
        if entry.interleaved and number < 2:  # (heads, 2, D/2, …) -> (heads, D/2, 2, …)
            view = view.view(-1, 2, config.head_dim // 2, *shape[1:]).transpose(1, 2)
        places.append(Place(name.format(i=layer), shape, view))
    return places


def load(
    table: Table, config: GPTConfig, found: Mapping[str, tuple[int, ...]], read: Callable[[str], Tensor], where: str
) -> GPT:
    """A GPT of their tensors, in float32, on the CPU, in evaluation mode.

    `found` gives the shape of each tensor there, `read` one tensor of any float type and any shape of that size; a
    tensor that is laid out as ours is taken as it is, without a copy. Before any of them is read, ValueError names what
    is missing, extra and misshapen.
    """
    require_layers(where, config, found)
    model = meta_gpt(config)
    wanted = model.state_dict()
    named = list(fitted(table, config, wanted))
    check(where, found, {one.name: one.shape for _, places in named for one in places})
    # what is not laid out as ours is put together in memory of its own
    apart = {name: torch.empty(wanted[name].shape) for name, places in named if places[0].view is not wanted[name]}
    state = {}
    for name, places in fitted(table, config, wanted | apart):
        for place in places:
            theirs = read(place.name).view(place.view.shape)
            if name not in apart:
                state[name] = theirs.float()
            elif theirs.dim() == 2:  # row by row of ours, which torch does faster
                place.view.T.copy_(theirs.T)
            else:
                place.view.copy_(theirs)
    model.load_state_dict(state | apart, assign=True)
    model.make_tables()
    return model.eval()


def give(table: Table, config: GPTConfig, state: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Their name and their tensor, contiguous, for all of ours."""
    for _, places in fitted(table, config, state):
        for place in places:
            yield place.name, place.view.reshape(place.shape).contiguous()
