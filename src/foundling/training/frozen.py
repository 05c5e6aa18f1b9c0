"""What a classifier's frozen blocks compute, once for each text: hidden states (T, C), kept in
scratch/frozen/<key>; where the whole trunk is frozen, the pooled state (C,) that the head reads.

Training and the test then start from these states instead of token ids. The key is a hash of all that
determines them: the base's weights, the texts of all splits, the number of frozen blocks, and the precision.
So they are found by a resumed training, and by one with another seed, learning rate or split of the same
texts.
"""

import hashlib
import logging
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from foundling.artifacts import atomic_file, fingerprint, sha256
from foundling.data.batches import padded
from foundling.data.classification import ClassificationData
from foundling.data.encoded_texts import Encoded, HiddenStates
from foundling.data.splits import TEST
from foundling.device import automatic_precision
from foundling.model.classifier import Classifier
from foundling.model.gpt import GPT
from foundling.scratch import FROZEN, SCRATCH, wait_for_folder
from foundling.settings.training import Classify
from foundling.training.classification import ClassificationModule
from foundling.weights.folder import CONFIG, WEIGHTS

log = logging.getLogger(__name__)
STATES = "states.bin"
MIB = 2**20
# the precisions that keep hidden states in float32, and the dtype in which they multiply
DTYPES = {
    "32": torch.float32,
    "32-true": torch.float32,
    "bf16": torch.bfloat16,
    "bf16-mixed": torch.bfloat16,
    "16": torch.float16,
    "16-mixed": torch.float16,
}


class Texts:
    """The distinct texts among `rows` of ids, longest first, and how many states of each are kept."""

    def __init__(self, rows: Iterable[Sequence[int]], *, pooled: bool) -> None:
        self.rows = sorted({tuple(row) for row in rows}, key=lambda row: (-len(row), row))
        self.pooled = pooled
        self.lengths = np.array([len(row) for row in self.rows])
        self.kept = np.ones_like(self.lengths) if pooled else self.lengths
        self.positions = int(self.kept.sum())

    @property
    def sha256(self) -> str:
        """The hash of all texts' ids."""
        ids = np.concatenate([np.array(row, dtype=np.int64) for row in self.rows])
        return hashlib.sha256(self.lengths.astype(np.int64).tobytes() + ids.tobytes()).hexdigest()

    def batches(self, tokens: int) -> Iterator[list[tuple[int, ...]]]:
        """Texts of like length, at most `tokens` with their padding, but at least one."""
        start = 0
        while start < len(self.rows):
            end = start + max(1, tokens // len(self.rows[start]))
            yield self.rows[start:end]
            start = end

    def states_of(self, split: Encoded, values: np.ndarray) -> HiddenStates:
        """A split's texts among the kept `values` (P, C)."""
        starts = dict(zip(self.rows, np.cumsum(self.kept) - self.kept, strict=True))
        lengths = np.array([1 if self.pooled else len(row) for row in split.ids])
        return HiddenStates(values, np.array([starts[tuple(row)] for row in split.ids]), lengths, self.pooled)


def keep_frozen(
    network: Classifier,
    splits: Mapping[str, Encoded],
    settings: Classify,
    base: Path,
    device: torch.device,
    others: Iterable[Sequence[int]] = (),
) -> Mapping[str, Encoded]:
    """The splits with the states of their texts after the frozen blocks, computed on `device` if none are
    kept.

    Returns the splits as they are if there is nothing to keep: no frozen block, values below the trained
    weights that are not a function of the text (dropout, components of the user's own), or too little space
    on the disk.

    Args:
        network: the classifier, its trained weights chosen.
        splits: the encoded texts of each split.
        settings: the section of the stage.
        base: the folder of the trunk's weights.
        device: where the network computes.
        others: further texts, whose states are also computed, for trainings with other splits.
    """
    trunk = network.trunk
    dtype = DTYPES.get(
        automatic_precision(device) if settings.precision == "auto" else str(settings.precision)
    )
    if dtype is None or not settings.cache_frozen or not _is_determined(trunk, settings):
        return splits
    assert isinstance(trunk, GPT)
    # the saved model classifies in float32, so that the test reads no states of less precision
    kept = {name: split for name, split in splits.items() if name != TEST or dtype == torch.float32}
    blocks = trunk.frozen_blocks
    rows = [*chain.from_iterable(split.ids for split in kept.values()), *others]
    texts = Texts(rows, pooled=blocks == len(trunk.blocks))
    identity = {
        "base": [sha256(base / name) for name in (WEIGHTS, CONFIG)],
        "texts": texts.sha256,
        "blocks": blocks,
        "kept": network.config.pooling if texts.pooled else "all",
        "computed": [torch.__version__, device.type, str(dtype)],
    }
    path = SCRATCH / FROZEN / fingerprint(identity)[:16] / STATES
    size = texts.positions * trunk.width * np.dtype(np.float32).itemsize
    told = f"{blocks} of {len(trunk.blocks)} blocks for {len(texts.rows):,} texts"
    if not _has_size(path, size) and not _fits(size, told):
        return splits
    folder = wait_for_folder(path.parent)
    try:
        if _has_size(path, size):
            log.info(f"classify: the states after {told} are in {path.parent}")
        else:
            log.info(f"classify: computing {told}, once ({size / MIB:,.1f} MiB in {path.parent})")
            started = time.perf_counter()
            _compute(network, texts, path, settings.batch_tokens, device, dtype)
            log.info(f"classify: the frozen blocks took {time.perf_counter() - started:,.0f} s")
        values = np.memmap(path, dtype=np.float32, mode="r", shape=(texts.positions, trunk.width))
    finally:
        folder.release()
    with_states = {
        name: replace(split, states=texts.states_of(split, values)) for name, split in kept.items()
    }
    return {**splits, **with_states}


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _fits(size: int, told: str) -> bool:
    """Whether the disk has so many bytes free; if not, a warning says so."""
    SCRATCH.mkdir(exist_ok=True)
    free = shutil.disk_usage(SCRATCH).free
    if size > free:
        log.warning(
            f"classify: the states after {told} take {size / MIB:,.1f} MiB, and {SCRATCH} has "
            f"{free / MIB:,.1f} MiB free: the frozen blocks are computed again in each step, which is slower"
        )
    return size <= free


def _is_determined(trunk: Any, settings: Classify) -> bool:
    """Whether frozen blocks' float32 states depend on a text's ids alone, and are all that is read."""
    return (
        isinstance(trunk, GPT)
        and trunk.frozen_blocks > 0
        and trunk.config.dropout == 0
        and trunk.token_embedding.weight.dtype == torch.float32
        and settings.language_loss == 0  # which reads the ids, too
        and settings.module.target == _dotted(ClassificationModule)
        and settings.data.target == _dotted(ClassificationData)
    )


def _dotted(component: type) -> str:
    return f"{component.__module__}.{component.__qualname__}"


@torch.inference_mode()
def _compute(
    network: Classifier, texts: Texts, path: Path, batch_tokens: int, device: torch.device, dtype: torch.dtype
) -> None:
    """Write the states of all texts, batch by batch, as a file that appears when it is complete."""
    trunk: Any = network.eval().trunk
    with atomic_file(path, "wb") as file, torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        for rows in texts.batches(batch_tokens):
            ids, lengths = (moved.to(device) for moved in padded(rows))
            if texts.pooled:
                pooled: Tensor = network.pool(trunk.hidden(ids), lengths)  # (B, C)
                file.write(pooled.float().cpu().numpy().tobytes())
                continue
            states: Tensor = trunk.hidden_after(ids, trunk.frozen_blocks).float().cpu()  # (B, T, C)
            for state, length in zip(states, lengths.tolist(), strict=True):
                file.write(state[:length].numpy().tobytes())
