"""The classifier: token ids (B, T) and their lengths (B,) in, logits of the labels (B, K) out.

What frozen blocks compute for a text never changes, so their states (B, T, C) can replace the ids, and where
the whole trunk is frozen, the pooled states (B, C) that the head reads.

A language model reads from left to right, so only the hidden state of the last real token has seen the
whole text: by default that one is fed to a linear head. A trunk that is hardly tuned has not learned to
summarize a text there; the mean over the positions says more about it. Padding is on the right, where a
causal model cannot see it, and is found by length, never by id.
"""

from typing import Any

import torch
from torch import Tensor, nn

from foundling.model.config import ClassifierConfig
from foundling.model.gpt import GPT
from foundling.model.interface import LanguageModel


class Classifier(nn.Module):
    """A trunk, by default a GPT, with a linear head that starts at zero: all labels equally likely."""

    def __init__(self, config: ClassifierConfig[Any], trunk: LanguageModel | None = None) -> None:
        super().__init__()
        self.config = config
        self.trunk = GPT(config.trunk) if trunk is None else trunk
        self.head = nn.Linear(self.trunk.width, len(config.labels))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, inputs: Tensor, lengths: Tensor, with_hidden: bool = False) -> Any:
        """Logits (B, K) of inputs as in `hidden`; the first lengths[b] positions of row b are real.

        With `with_hidden`, also the final hidden states.
        """
        hidden = self.hidden(inputs)
        logits = self.classify(hidden, lengths)
        return (logits, hidden) if with_hidden else logits

    def hidden(self, inputs: Tensor) -> Tensor:
        """The trunk's final hidden states (B, T, C), of ids (B, T) or of the states (B, T, C) after its
        frozen blocks. Pooled states (B, C) are returned as they are.
        """
        if inputs.is_floating_point() and inputs.dim() == 2:
            return inputs
        if inputs.dim() == 2:
            return self.trunk.hidden(inputs)
        assert isinstance(self.trunk, GPT)
        return self.trunk.hidden_from(inputs, self.trunk.frozen_blocks)

    def pool(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """What the head reads (B, C) of the hidden states (B, T, C): that of the last position, or the
        mean over all positions but the first, whose state is the same for every text.

        Pooled states (B, C) are returned as they are.
        """
        if hidden.dim() == 2:
            return hidden
        if self.config.pooling == "last":
            return hidden[torch.arange(len(lengths), device=hidden.device), lengths - 1]
        positions = torch.arange(hidden.size(1), device=hidden.device)  # (T,)
        is_read = (positions > 0) & (positions < lengths[:, None])  # (B, T)
        weights = is_read / is_read.sum(1, keepdim=True).clamp(min=1)
        return (weights.to(hidden.dtype).unsqueeze(1) @ hidden).squeeze(1)  # (B, 1, T) (B, T, C) -> (B, C)

    def classify(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, K) from the trunk's hidden states (B, T, C), or from pooled ones (B, C)."""
        return self.head(self.pool(hidden, lengths))

    @property
    def blocks(self) -> Any:
        """The trunk's blocks, where optimizers look for matrices."""
        return self.trunk.blocks

    def make_tables(self) -> None:
        """Compute the trunk's position tables, as `GPT.make_tables`."""
        self.trunk.make_tables()

    def parameter_count(self) -> int:
        """The number of parameters of trunk and head."""
        return sum(p.numel() for p in self.parameters())

    def flops_per_token(self) -> float:
        """Training FLOPs per token; the head, applied once per text, is not counted."""
        return self.trunk.flops_per_token()
