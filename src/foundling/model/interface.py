"""The interface of language models: what the pipeline calls, and how a network of your own gets all of it.

Shapes: B batch, T time, C width, V vocabulary, N chosen positions.
"""

import inspect
from typing import Any

import torch
from torch import Tensor, nn


class LanguageModel(nn.Module):
    """A causal network from token ids to logits. `config` is a dataclass with `vocab_size` and `context`."""

    config: Any
    architecture: str | None = None  # the name in conf/model of an architecture of your own; None: our GPT
    blocks: Any  # nn.ModuleList
    norm: Any  # nn.Module, after the last block

    def forward(
        self, ids: Tensor, cache: Any = None, *, segments: Tensor | None = None, at: Tensor | None = None
    ) -> Tensor:
        """Logits (B, T, V) for ids (B, T); with a boolean `at` (B, T) those of its N positions, (N, V)."""
        hidden = self.hidden(ids, cache, segments=segments)
        return self.head(hidden if at is None else hidden[at])

    def hidden(self, ids: Tensor, cache: Any = None, *, segments: Tensor | None = None) -> Tensor:
        """The final hidden states (B, T, C). With a cache, ids are only the tokens that it does not hold."""
        raise NotImplementedError

    def head(self, hidden: Tensor) -> Tensor:
        """Logits (…, V) of hidden states (…, C)."""
        raise NotImplementedError

    def head_weight(self) -> Tensor | None:
        """The matrix (V, C) of which the head is the product; None: the head is something else."""
        return None

    @property
    def width(self) -> int:
        """C, the size of the hidden states that a classifier reads."""
        raise NotImplementedError

    def new_cache(self) -> Any:
        """An empty state of incremental decoding; None: each token recomputes the whole window."""
        return None

    def make_tables(self) -> None:
        """Compute what is not part of the state dict, once weights are loaded."""

    def extend_context(self, context: int) -> bool:
        """Read up to `context` tokens; False if the network cannot read more than it was trained for."""
        return context <= self.config.context

    def parameter_count(self) -> int:
        """The number of parameters; a tied one counts once, as in published sizes."""
        return sum(p.numel() for p in self.parameters())

    def flops_per_token(self) -> float:
        """Training FLOPs per token: 6 per parameter (Kaplan et al. 2020)."""
        return 6.0 * self.parameter_count()


class CustomModel(LanguageModel):
    """A network of your own: any module that maps ids (B, T) to logits (B, T, V).

    What else it can do is optional, and seen here once, by its attributes and signature; docs/models.md
    lists it.
    """

    def __init__(self, network: nn.Module, config: Any, architecture: str) -> None:
        super().__init__()
        self.network: Any = network
        self.config, self.architecture = config, architecture
        self.has_hidden = hasattr(network, "hidden") and hasattr(network, "head")
        reads: Any = network.hidden if self.has_hidden else network.forward
        self.takes_segments = "segments" in inspect.signature(reads).parameters

    def hidden(self, ids: Tensor, cache: Any = None, *, segments: Tensor | None = None) -> Tensor:
        """The final hidden states (B, T, C); without `hidden` and `head`, the logits themselves."""
        options = {} if cache is None else {"cache": cache}
        if segments is not None:
            self._require(self.takes_segments, "argument `segments`", "packing", "set instruct.packing=false")
            options["segments"] = segments
        return (self.network.hidden if self.has_hidden else self.network)(ids, **options)

    def head(self, hidden: Tensor) -> Tensor:
        """Logits (…, V) of hidden states (…, C)."""
        return self.network.head(hidden) if self.has_hidden else hidden

    @property
    def width(self) -> int:
        """C, measured on one token."""
        self._require(self.has_hidden, "`hidden` and `head`", "a classifier", "classify with another model")
        with torch.no_grad():
            token = torch.zeros(1, 1, dtype=torch.long, device=next(self.network.parameters()).device)
            return self.network.hidden(token).size(-1)

    def new_cache(self) -> Any:
        """The network's own `new_cache()`, or None."""
        return self.network.new_cache() if hasattr(self.network, "new_cache") else None

    @property
    def blocks(self) -> Any:  # type: ignore[override]
        """The network's `blocks`, where Muon looks for matrices."""
        has_blocks = isinstance(getattr(self.network, "blocks", None), nn.ModuleList)
        instead = "choose optimizer=adamw, classify.train=all"
        self._require(has_blocks, "nn.ModuleList `blocks`", "muon or classify.train=last", instead)
        return self.network.blocks

    @property
    def norm(self) -> Any:  # type: ignore[override]
        """The network's `norm`; without one, a module without parameters."""
        return getattr(self.network, "norm", None) or nn.Identity()

    def flops_per_token(self) -> float:
        """The network's own count where it has one."""
        own = getattr(self.network, "flops_per_token", None)
        return super().flops_per_token() if own is None else float(own())

    def _require(self, is_there: bool, part: str, purpose: str, instead: str) -> None:
        if not is_there:
            raise ValueError(
                f"model {self.architecture} has no {part}, which {purpose} needs; add it (docs/models.md), "
                f"or {instead}"
            )
