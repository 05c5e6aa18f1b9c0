"""Settings of generated text: sampling, continuing a text, and beam search."""

from typing import Annotated, TypeAlias

from annotated_types import Ge
from pydantic.dataclasses import dataclass

from foundling.settings.types import Natural, NonNegative, Positive, Probability
from foundling.validation import STRICT

NgramSize: TypeAlias = Annotated[int, Ge(2)]


@dataclass(frozen=True, config=STRICT)
class Sampling:
    """How a token is sampled from the model's distribution."""

    temperature: NonNegative  # 0: greedy, the most likely token
    top_k: Positive | None
    top_p: Probability | None
    # the length of the shortest sequences of tokens that an answer does not repeat; None: it may repeat any
    no_repeat_ngram_size: NgramSize | None = None


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Continuation(Sampling):
    """How a text is continued."""

    max_new_tokens: Positive


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Sample(Continuation):
    """A text that is generated at each validation."""

    prompt: str


@dataclass(frozen=True, config=STRICT, kw_only=True)
class BeamSearch:
    """How sentences are translated (Wu et al. 2016)."""

    beam: Positive  # hypotheses per sentence; 1: greedy decoding
    length_penalty: NonNegative  # 0: none; larger values favour longer translations
    extra: Natural  # tokens by which a translation may be longer than its source
    batch_tokens: Positive  # source tokens in one forward pass, including padding and all beams
