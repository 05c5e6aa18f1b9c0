"""What the page's endpoints take and return, besides what inspect_models.py measures."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le, MaxLen

from foundling.evaluation.cross_attention import CrossAttention
from foundling.serving.bodies import Count, Seed, Strict, Temperature
from foundling.serving.inspect_models import NextTokens, Piece

Text = Annotated[str, MaxLen(20_000)]
Watched = Annotated[list[Annotated[int, Ge(0)]], MaxLen(10)]


class TextRequest(Strict):
    """A text to look into."""

    text: Text


class TokensRequest(TextRequest):
    """Which tokens a text has, and which are likely to come next."""

    model: str
    count: Annotated[Count, Le(50)] = 10


class AttentionRequest(TextRequest):
    """The attention of one layer over a text."""

    model: str
    layer: Annotated[int, Ge(0)] = 0


class SnapshotRequest(TextRequest):
    """How the snapshot of a step continues a text."""

    step: Annotated[int, Ge(0)]
    max_tokens: Annotated[Count, Le(100)] = 40
    temperature: Temperature = 0.0
    seed: Seed = 0
    watched: Watched = []


@dataclass(frozen=True)
class LanguageModelCard:
    """What the page needs to know of a language model."""

    id: str
    chat: bool
    context: int
    parameters: int
    layers: int  # those whose attention can be shown


@dataclass(frozen=True)
class About:
    """The models that are served, and the commands that make those that are missing."""

    language: list[LanguageModelCard]
    classifier: str | None
    translator: str | None
    snapshots: list[int]  # steps
    commands: dict[str, str]


@dataclass(frozen=True)
class Tokens:
    """The tokens of a text, and those that may come next."""

    tokens: list[Piece]
    next: NextTokens
    context: int


@dataclass(frozen=True)
class Translation:
    """A translation, and the decoder's cross-attention: what it looked at for each token."""

    translation: str
    truncated: bool
    attention: CrossAttention
