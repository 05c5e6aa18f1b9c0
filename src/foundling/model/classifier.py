"""The classifier: token ids (B, T) with their lengths (B,) in, logits over the labels (B, K) out.

A GPT reads the text from left to right, so only its vector at the last real token has seen all of it: that one goes to
a linear head. Padding stands to the right, where a causal model cannot see it, and is masked by length, never by id.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from foundling.model.fields import require_types
from foundling.model.gpt import GPT, GPTConfig

KEEPS = ("beginning", "end")


@dataclass(frozen=True)
class ClassifierConfig:
    """A classifier's shape: its GPT, its labels in the order of the logits, and what it reads of too long a text."""

    trunk: GPTConfig
    labels: tuple[str, ...]
    keep: str  # of a text longer than the context: the beginning or the end

    def __post_init__(self) -> None:
        """Refuse what cannot be told apart."""
        require_types(self, "classifier")
        object.__setattr__(self, "labels", tuple(self.labels))
        if len(set(self.labels)) < 2 or len(set(self.labels)) < len(self.labels):
            raise ValueError(f"found the labels {list(self.labels)}; a classifier needs at least two, each once")
        if self.keep not in KEEPS:
            raise ValueError(f"classify.keep={self.keep!r} is unknown; choose one of {', '.join(KEEPS)}")

    @property
    def vocab_size(self) -> int:
        """How many tokens the trunk knows."""
        return self.trunk.vocab_size


class Classifier(nn.Module):
    """A GPT trunk with a head for labels, which begins at zero: at first all labels are equally likely."""

    def __init__(self, config: ClassifierConfig, trunk: GPT | None = None) -> None:
        super().__init__()
        self.config = config
        self.trunk = GPT(config.trunk) if trunk is None else trunk
        self.head = nn.Linear(config.trunk.n_embd, len(config.labels))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, K) for ids (B, T), of which the first lengths[b] are real."""
        return self.classify(self.trunk.hidden(ids), lengths)

    def classify(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, K) from the trunk's vectors (B, T, C)."""
        rows = torch.arange(len(lengths), device=hidden.device)
        return self.head(hidden[rows, lengths - 1])  # (B, C) -> (B, K)

    @property
    def blocks(self) -> nn.ModuleList:
        """The trunk's blocks, where optimizers look for matrices."""
        return self.trunk.blocks

    def make_tables(self) -> None:
        """Compute the trunk's fixed tables, which are never stored."""
        self.trunk.make_tables()

    def parameter_count(self) -> int:
        """All numbers of trunk and head."""
        return sum(p.numel() for p in self.parameters())

    def flops_per_token(self) -> float:
        """Floating-point operations to train on a token; the head, once a text, is not counted."""
        return self.trunk.flops_per_token()
