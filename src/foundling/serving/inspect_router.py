"""The endpoints that only the page needs, under /inspect: which models there are, and what they do inside."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from threading import BoundedSemaphore, Lock
from typing import Annotated

from annotated_types import Ge, Le, MaxLen
from fastapi import APIRouter, Depends

from foundling.evaluation.translation import CrossAttention, cross_attention
from foundling.generation.beam import translate
from foundling.generation.sampling import Sampling
from foundling.model.gpt import GPT
from foundling.serving import inspect_models as inside
from foundling.serving.bodies import Count, Seed, Strict, Temperature, body
from foundling.serving.errors import ApiError
from foundling.serving.inspect_snapshots import find_snapshots, load_snapshot
from foundling.serving.loading import Models, ServedClassifier, ServedLanguageModel, ServedTranslator
from foundling.settings.training import BeamSearch

LONGEST_ATTENTION = 128  # tokens: a map has the square of it, for each head
WAITING = 8  # requests; others get 429
COMMANDS = {
    "chat": "dvc repro instruct",
    "spam": "dvc repro classify",
    "translate": "dvc repro train_translator",
    "inside": "dvc repro pretrain",
    "snapshots": "dvc repro pretrain",
}

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
    layers: int | None  # those with attention; None: not our GPT, whose attention is not shown
    heads: int | None


@dataclass(frozen=True)
class About:
    """The models that are served, and the commands that make those that are missing."""

    language: list[LanguageModelCard]
    classifier: str | None
    translator: str | None
    snapshots: list[int]  # steps
    snapshots_of: str | None
    commands: dict[str, str]


@dataclass(frozen=True)
class Tokens:
    """The tokens of a text, and those that may come next."""

    tokens: list[inside.Piece]
    next: inside.NextTokens
    context: int


@dataclass(frozen=True)
class Translation:
    """A translation, and the decoder's cross-attention: what it looked at for each token."""

    translation: str
    truncated: bool
    attention: CrossAttention


class Turns:
    """One inspection computes at a time, so that streams keep most of the machine; a few may wait."""

    def __init__(self, waiting: int) -> None:
        self._places, self._computing = BoundedSemaphore(1 + waiting), Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turn; ApiError 429 if too many wait already."""
        if not self._places.acquire(blocking=False):
            raise ApiError(
                "too many inspections are waiting; try again in a moment",
                HTTPStatus.TOO_MANY_REQUESTS,
                code="queue_full",
                headers={"Retry-After": "1"},
            )
        try:
            with self._computing:
                yield
        finally:
            self._places.release()


def inspect_router(models: Models, search: BeamSearch) -> APIRouter:
    """The router; `search` is how the translator decodes."""
    router, turns = APIRouter(prefix="/inspect"), Turns(WAITING)
    language = models.of_kind(ServedLanguageModel)
    base = next((model for model in language if model.template is None), None)
    steps = find_snapshots(base.folder) if base is not None else {}
    about = About(
        language=[_card(model) for model in language],
        classifier=next((model.name for model in models.of_kind(ServedClassifier)), None),
        translator=next((model.name for model in models.of_kind(ServedTranslator)), None),
        snapshots=list(steps),
        snapshots_of=base.name if base is not None and steps else None,
        commands=COMMANDS,
    )

    @router.get("/models")
    def get_models() -> About:
        return about

    @router.post("/tokens")
    def post_tokens(asked: Annotated[TokensRequest, Depends(body(TokensRequest))]) -> Tokens:
        served = models.find(ServedLanguageModel, asked.model)
        ids = _encode(served, asked.text, served.context)
        with turns.turn():
            following = inside.next_tokens(served.model, served.tokenizer, ids, asked.count)
        return Tokens(inside.pieces(served.tokenizer, ids), following, served.context)

    @router.post("/attention")
    def post_attention(
        asked: Annotated[AttentionRequest, Depends(body(AttentionRequest))],
    ) -> inside.AttentionMap:
        served = models.find(ServedLanguageModel, asked.model)
        if not isinstance(served.model, GPT):
            raise ApiError(
                f"{served.name} is not a GPT of ours: its attention cannot be shown", param="model"
            )
        layers = served.model.config.n_attention
        if asked.layer >= layers:
            raise ApiError(f"layer={asked.layer}: must be from 0 to {layers - 1}", param="layer")
        ids = _encode(served, asked.text, min(served.context, LONGEST_ATTENTION))
        with turns.turn():
            return inside.attention(served.model, served.tokenizer, ids, asked.layer)

    @router.post("/snapshots")
    def post_snapshots(
        asked: Annotated[SnapshotRequest, Depends(body(SnapshotRequest))],
    ) -> inside.Continuation:
        if base is None or asked.step not in steps:
            known = ", ".join(map(str, steps)) or f"there are none; make them with `{COMMANDS['snapshots']}`"
            raise ApiError(
                f"step={asked.step}: no snapshot; the steps are: {known}",
                HTTPStatus.NOT_FOUND,
                param="step",
            )
        if any(token >= base.tokenizer.vocab_size for token in asked.watched):
            raise ApiError(f"watched: ids must be below {base.tokenizer.vocab_size}", param="watched")
        ids = _encode(base, asked.text, base.context)
        sampling = Sampling(temperature=asked.temperature, top_k=None, top_p=None)
        with turns.turn():
            return inside.continuation(
                load_snapshot(steps[asked.step], base.model),
                base.tokenizer,
                ids,
                asked.max_tokens,
                sampling,
                asked.seed,
                asked.watched,
            )

    @router.post("/occlusion")
    def post_occlusion(asked: Annotated[TextRequest, Depends(body(TextRequest))]) -> inside.Occlusion:
        served = models.find(ServedClassifier, None)
        if not asked.text.strip():
            raise ApiError("text: is empty; type a message", param="text")
        with turns.turn():
            return inside.occlusion(served.model, served.tokenizer, asked.text)

    @router.post("/translation")
    def post_translation(asked: Annotated[TextRequest, Depends(body(TextRequest))]) -> Translation:
        served = models.find(ServedTranslator, None)
        text = " ".join(asked.text.split())
        if not text:
            raise ApiError("text: is empty; type a sentence", param="text")
        with turns.turn():
            (written,), truncated = translate(served.model, served.tokenizer, [text], search)
            maps = cross_attention(served.model, served.tokenizer, text, written)
        return Translation(written, truncated > 0, maps)

    return router


def _card(served: ServedLanguageModel) -> LanguageModelCard:
    config = served.model.config
    is_gpt = isinstance(served.model, GPT)
    return LanguageModelCard(
        id=served.name,
        chat=served.template is not None,
        context=served.context,
        parameters=served.model.parameter_count(),
        layers=config.n_attention if is_gpt else None,
        heads=config.n_head if is_gpt else None,
    )


def _encode(served: ServedLanguageModel, text: str, limit: int) -> list[int]:
    """The ids of a prompt; ApiError if there are more than `limit`."""
    ids = served.tokenizer.encode_prompt(text)
    if len(ids) > limit:
        raise ApiError(
            f"text: has {len(ids):,} tokens; at most {limit} can be shown; shorten it",
            param="text",
            code="context_length_exceeded",
        )
    return ids
