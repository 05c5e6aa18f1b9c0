"""The shapes of models, as written to a model folder's config.json: settings, and what the data decides.

Imports no torch. Build one from plain values with `foundling.validation.build`.
"""

from dataclasses import asdict
from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import field_validator
from pydantic.dataclasses import dataclass

from foundling.settings.models import (
    AttentionKernel,
    Bias,
    GPTSettings,
    Mlp,
    Norm,
    QKNorm,
    TranslatorSettings,
)
from foundling.settings.types import TEXT, Pooling, Size, Template
from foundling.validation import STRICT

__all__ = [
    "AttentionKernel",
    "Bias",
    "ClassifierConfig",
    "GPTConfig",
    "Mlp",
    "Norm",
    "QKNorm",
    "TranslatorConfig",
]
TrunkConfig = TypeVar("TrunkConfig")  # GPTConfig, or the config of an architecture of your own


@dataclass(frozen=True, config=STRICT, kw_only=True)
class GPTConfig(GPTSettings):
    """The shape of a GPT with its vocabulary size."""

    vocab_size: Size

    @classmethod
    def of(cls, settings: GPTSettings, vocab_size: int) -> Self:
        """The config of a model with these settings and a tokenizer of `vocab_size` tokens."""
        return cls(vocab_size=vocab_size, **asdict(settings))


@dataclass(frozen=True, config=STRICT)
class ClassifierConfig(Generic[TrunkConfig]):
    """The shape of a classifier: its language model, and its labels in the order of the logits."""

    trunk: TrunkConfig
    labels: tuple[str, ...]
    keep: Literal["beginning", "end"]  # which part of a text that exceeds the context is read
    template: Template = TEXT  # the words that surround a text
    pooling: Pooling = "last"  # which positions' hidden states the head reads

    @field_validator("labels")
    @classmethod
    def _labels_are_distinct(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(labels) < 2 or len(set(labels)) < len(labels):
            raise ValueError("must be at least two labels, each given once")
        return labels

    @property
    def vocab_size(self) -> int:
        """The vocabulary size of the trunk."""
        trunk: Any = self.trunk
        return int(trunk.vocab_size)


@dataclass(frozen=True, config=STRICT, kw_only=True)
class TranslatorConfig(TranslatorSettings):
    """The shape of a translator with its vocabulary size."""

    vocab_size: Size

    @classmethod
    def of(cls, settings: TranslatorSettings, vocab_size: int) -> Self:
        """The config of a translator with these settings and a tokenizer of `vocab_size` tokens."""
        return cls(vocab_size=vocab_size, **asdict(settings))
