"""Batches for next-token prediction: windows of data/tokens as (ids, targets), both (B, T), by index."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from foundling.data.datamodule import TrainingData
from foundling.data.mixture import shares_at
from foundling.data.shards import Source, Tokens
from foundling.data.window import require_window
from foundling.model.loss import IGNORE_INDEX


class TrainingWindows(Dataset[tuple[Tensor, Tensor]]):
    """Item s is the batch of step s: a function of (seed, s) only.

    Sources are sampled by their shares at that step, and windows at random positions.

    With `end_of_text`, a window that starts within a document is moved back to its beginning (the preceding
    end-of-text token) if that is less than a context away. The model then sees the beginning of the text, as
    in evaluation (compare nanochat's loader, whose rows begin with documents).
    """

    def __init__(
        self,
        sources: list[Source],
        context: int,
        batch_size: int,
        steps: int,
        seed: int,
        end_of_text: int | None = None,
    ) -> None:
        for source in sources:
            require_window(source.name, len(source.ids), context)
        self.sources, self.context, self.seed, self.end_of_text = sources, context, seed, end_of_text
        self.batch_size, self.steps = batch_size, steps

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """(ids, targets), both (batch_size, T); targets are the ids that follow."""
        # Philox is counter-based: a step's numbers do not depend on previous steps (Salmon et al. 2011)
        random = np.random.Generator(np.random.Philox(key=(self.seed << 64) + step))
        chosen = random.choice(len(self.sources), size=self.batch_size, p=self.shares(step))
        positions = random.random(self.batch_size)
        windows = np.stack(
            [self._window(self.sources[i].ids, place) for i, place in zip(chosen, positions, strict=True)]
        )
        return as_batch(windows)

    def shares(self, step: int) -> np.ndarray:
        """The probability of sampling a window of this step from each source."""
        return shares_at(step / self.steps, [s.weight for s in self.sources], [s.first for s in self.sources])

    def _window(self, ids: np.ndarray, place: float) -> np.ndarray:
        start = int(place * (len(ids) - self.context))
        if self.end_of_text is not None:
            first = max(0, start - self.context + 1)
            ends = np.flatnonzero(ids[first : start + 1] == self.end_of_text)
            start = first + int(ends[-1]) if len(ends) else start
        return ids[start : start + self.context + 1]


def drawn_documents(
    sources: list[Source], count: int, context: int, end_of_text: int, seed: int
) -> Iterator[np.ndarray]:
    """Sample `count` documents, sources by weight, between end-of-text tokens, of at most context + 1 ids."""
    alike = [replace(source, first=0.0) for source in sources]
    windows = TrainingWindows(alike, context, 1, count, seed, end_of_text)
    for index in range(count):
        ids, targets = windows[index]  # (1, T), from a document's beginning where one is near
        window = np.append(ids[0].numpy(), targets[0, -1:].numpy())  # (T + 1,)
        ends = np.flatnonzero(window[1:] == end_of_text)
        yield window[: int(ends[0]) + 2] if len(ends) else window


class ValidationWindows(Dataset[tuple[Tensor, Tensor]]):
    """The whole split in adjacent windows: every token but each source's first is a target exactly once."""

    def __init__(self, sources: list[Source], context: int, batch_size: int) -> None:
        self.context, self.batch_size = context, batch_size
        self.windows = [(s.ids, start) for s in sources for start in range(0, len(s.ids) - 1, context)]
        if not self.windows:
            raise ValueError(
                "the validation split has no token to predict; add documents or increase "
                "corpus.split.validation"
            )

    def __len__(self) -> int:
        return -(-len(self.windows) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """(ids, targets), both (B, T); a shorter last window is padded, with targets IGNORE_INDEX."""
        if index >= len(self):
            raise IndexError(index)
        rows = self.windows[index * self.batch_size : (index + 1) * self.batch_size]
        windows = np.full((len(rows), self.context + 1), IGNORE_INDEX, dtype=np.int64)
        for row, (ids, start) in zip(windows, rows, strict=True):
            window = ids[start : start + self.context + 1]
            row[: len(window)] = window
        return as_batch(windows)


def as_batch(windows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Split windows (B, T + 1) into ids and targets, the next ids; IGNORE_INDEX becomes 0 in the ids."""
    whole = torch.from_numpy(windows.astype(np.int64))
    return whole[:, :-1].clamp(min=0), whole[:, 1:].contiguous()


class LanguageData(TrainingData):
    """Training and validation batches of one tokenized corpus."""

    training: TrainingWindows
    validation: ValidationWindows

    def __init__(
        self,
        tokens: Tokens,
        context: int,
        batch_size: int,
        steps: int,
        seed: int,
        workers: int,
        end_of_text: int | None = None,
        validation_batch_size: int | None = None,
    ) -> None:
        training = TrainingWindows(tokens.train, context, batch_size, steps, seed, end_of_text)
        validation = ValidationWindows(tokens.validation, context, validation_batch_size or batch_size)
        super().__init__(training, validation, steps, workers)
        self.tokens_per_step = batch_size * context
        self.validation_bytes = sum(source.bytes for source in tokens.validation)
