"""Labelled texts as token ids, or as the hidden states of frozen blocks, ready to be put into batches."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from foundling.data.labelled import Labelled
from foundling.settings.types import TEXT
from foundling.text.text_template import surrounding
from foundling.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)


def encode(
    tokenizer: Tokenizer, texts: Sequence[str], context: int, keep: str, template: str = TEXT
) -> tuple[list[list[int]], int]:
    """Ids of each text between two end-of-text tokens, as in pretraining, and the number of truncated texts.

    With a `template`, its words surround the text. A text longer than the context loses its end
    (keep="beginning") or its beginning (keep="end"), but nothing of the template.
    """
    before, after = surrounding(tokenizer, template)
    limit = context - len(before) - len(after)
    if limit < 1:
        words = "" if template == TEXT else f" in the template {template!r}"
        raise ValueError(
            f"the base's context of {context} tokens is too short for a text between two end-of-text tokens"
            f"{words}"
        )
    rows = tokenizer.encode_batch(list(texts), threads=1)
    truncated = sum(len(ids) > limit for ids in rows)
    framed = [[*before, *(ids[:limit] if keep == "beginning" else ids[-limit:]), *after] for ids in rows]
    return framed, truncated


@dataclass(frozen=True)
class HiddenStates:
    """Hidden states of N texts: those of text i are lengths[i] rows of `values` from starts[i].

    If they are pooled, each text has one row.
    """

    values: np.ndarray  # (P, C), of all texts' positions; a file
    starts: np.ndarray  # (N,)
    lengths: np.ndarray  # (N,)
    are_pooled: bool = False

    def padded(self, indices: np.ndarray) -> tuple[Tensor, Tensor]:
        """The states (B, T, C) of these texts, padded on the right with zeros, and their lengths (B,).

        Pooled states have the shape (B, C).
        """
        starts, lengths = self.starts[indices], self.lengths[indices]
        if self.are_pooled:
            return torch.tensor(self.values[starts]), torch.from_numpy(lengths)
        rows = [
            torch.tensor(self.values[start : start + n]) for start, n in zip(starts, lengths, strict=True)
        ]
        return pad_sequence(rows, batch_first=True), torch.from_numpy(lengths)


@dataclass(frozen=True)
class Encoded:
    """Texts as token ids and their label ids (N,); with frozen lower blocks, also the states after those."""

    ids: list[list[int]]
    labels: np.ndarray
    states: HiddenStates | None = None


def encode_splits(
    tokenizer: Tokenizer, texts: Labelled, context: int, keep: str, template: str = TEXT
) -> tuple[dict[str, Encoded], int]:
    """Encode every split; the number of texts that are longer than the context is returned and logged."""
    encoded, truncated = {}, 0
    for split in texts.splits:
        ids, too_long = encode(tokenizer, texts.texts(split), context, keep, template)
        encoded[split] = Encoded(ids, texts.ids(split))
        truncated += too_long
    if truncated:
        lost = "end" if keep == "beginning" else "beginning"
        log.warning(
            f"classify: {truncated:,} texts exceed the context of {context} tokens and lost their {lost}"
        )
    return encoded, truncated
