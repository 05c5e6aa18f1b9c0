"""What the page shows of a model's inside: tokens, next-token probabilities, attention, weights of tokens.

Models and texts in, plain dataclasses out. Shapes: T tokens, V vocabulary, K labels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from foundling.data.encoded_texts import encode
from foundling.evaluation.classification import probabilities
from foundling.generation.decode import generate
from foundling.generation.sampling import Sampling
from foundling.model.attention_maps import attention_maps
from foundling.model.classifier import Classifier
from foundling.model.gpt import GPT
from foundling.model.interface import LanguageModel
from foundling.text.text_template import surrounding
from foundling.text.tokenizer import Tokenizer

BATCH_TOKENS = 8192  # of one forward pass of the classifier


@dataclass(frozen=True)
class Piece:
    """A token: its id, and its text, with U+FFFD for bytes of an incomplete character."""

    id: int
    text: str
    special: bool = False


@dataclass(frozen=True)
class Candidate:
    """A token that may come next, and its probability."""

    id: int
    text: str
    probability: float


@dataclass(frozen=True)
class NextTokens:
    """The likeliest next tokens, the probabilities of the watched ones, and the distribution's entropy."""

    likeliest: list[Candidate]
    watched: list[Candidate]
    entropy_bits: float


@dataclass(frozen=True)
class Continuation:
    """How a model continues a text, and what it expects as the next token."""

    text: str
    next: NextTokens


@dataclass(frozen=True)
class AttentionMap:
    """The attention of one layer: for each head, T rows (queries) of T weights (keys); each row sums to 1."""

    tokens: list[Piece]
    layer: int
    heads: list[list[list[float]]]


@dataclass(frozen=True)
class TokenWeight:
    """A token of a classified text.

    `weight` is by how much the log-odds of the label fall when the token is left out, and `without` is the
    label's probability then.
    """

    text: str
    weight: float
    without: float


@dataclass(frozen=True)
class Occlusion:
    """A text's probabilities by label, and the weight of each of its tokens for `label`."""

    probabilities: dict[str, float]
    label: str
    tokens: list[TokenWeight]
    truncated: bool


def pieces(tokenizer: Tokenizer, ids: Sequence[int]) -> list[Piece]:
    """The ids as tokens."""
    special = set(tokenizer.special_ids.values())
    return [Piece(token, tokenizer.decode([token]), token in special) for token in ids]


@torch.inference_mode()
def next_tokens(
    model: LanguageModel, tokenizer: Tokenizer, ids: Sequence[int], count: int, watched: Sequence[int] = ()
) -> NextTokens:
    """The `count` likeliest tokens after ids, and the `watched` ones."""
    device = next(model.parameters()).device
    hidden = model.hidden(torch.tensor([ids], device=device))  # (1, T, C)
    logits = model.head(hidden[0, -1]).double()[: tokenizer.vocab_size]  # (V,)
    log_p = logits.log_softmax(-1)
    likeliest = log_p.topk(min(count, len(log_p))).indices.tolist()

    def candidates(tokens: Sequence[int]) -> list[Candidate]:
        return [Candidate(token, tokenizer.decode([token]), float(log_p[token].exp())) for token in tokens]

    nats = float(-(log_p.exp() * log_p.clamp(min=-1e9)).sum())
    return NextTokens(candidates(likeliest), candidates(watched), nats / math.log(2))


def continuation(
    model: LanguageModel,
    tokenizer: Tokenizer,
    ids: list[int],
    max_new_tokens: int,
    sampling: Sampling,
    seed: int,
    watched: Sequence[int],
) -> Continuation:
    """The model's continuation of ids, and its next-token probabilities."""
    written = list(generate(model, ids, max_new_tokens, sampling, tokenizer.ends, seed))
    return Continuation(tokenizer.decode(written), next_tokens(model, tokenizer, ids, 5, watched))


def attention(model: GPT, tokenizer: Tokenizer, ids: Sequence[int], layer: int) -> AttentionMap:
    """The attention of every head of a layer over ids."""
    device = next(model.parameters()).device
    maps = attention_maps(model, torch.tensor([ids], device=device))[layer, 0]  # (H, T, T)
    return AttentionMap(pieces(tokenizer, ids), layer, maps.double().round(decimals=4).tolist())


def occlusion(model: Classifier, tokenizer: Tokenizer, text: str) -> Occlusion:
    """Classify a text, and again without each of its tokens in turn (Zeiler and Fergus 2014)."""
    config = model.config
    (row,), truncated = encode(tokenizer, [text], config.trunk.context, config.keep, config.template)
    before, after = surrounding(tokenizer, config.template)
    inner = range(len(before), len(row) - len(after))  # the text's own tokens
    variants = [row, *([*row[:i], *row[i + 1 :]] for i in inner)]
    p = torch.from_numpy(probabilities(model, variants, BATCH_TOKENS)).double()  # (1 + T, K)
    label = int(p[0].argmax())
    log_odds = p[:, label].logit(eps=1e-9)  # (1 + T,)
    weights = (log_odds[0] - log_odds[1:]).tolist()
    return Occlusion(
        probabilities=dict(zip(config.labels, p[0].tolist(), strict=True)),
        label=config.labels[label],
        tokens=[
            TokenWeight(tokenizer.decode([row[i]]), weight, float(without))
            for i, weight, without in zip(inner, weights, p[1:, label], strict=True)
        ],
        truncated=truncated > 0,
    )
