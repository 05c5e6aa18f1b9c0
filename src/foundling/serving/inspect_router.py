"""The endpoints that only the page needs, under /inspect: which models there are, and what they do inside."""

from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends

from foundling.evaluation.cross_attention import cross_attention
from foundling.generation.beam import translate
from foundling.generation.sampling import Sampling
from foundling.model.gpt import GPT
from foundling.serving import inspect_models as inside
from foundling.serving.bodies import body
from foundling.serving.errors import ApiError
from foundling.serving.inspect_schemas import (
    About,
    AttentionRequest,
    LanguageModelCard,
    SnapshotRequest,
    TextRequest,
    Tokens,
    TokensRequest,
    Translation,
)
from foundling.serving.inspect_snapshots import find_snapshots, load_snapshot
from foundling.serving.loading import Models, ServedClassifier, ServedLanguageModel, ServedTranslator
from foundling.serving.state import StateOf
from foundling.settings.generation import BeamSearch

router = APIRouter(prefix="/inspect")

LONGEST_ATTENTION = 128  # tokens: a map has the square of it, for each head
COMMANDS = {
    "chat": "dvc repro instruct",
    "spam": "dvc repro classify",
    "translate": "dvc repro train_translator",
    "inside": "dvc repro pretrain",
    "snapshots": "dvc repro pretrain",
}


@router.get("/models")
async def read_models(state: StateOf) -> About:
    """What there is to look into."""
    base = _base(state.models)
    return About(
        language=[_card(model) for model in state.models.of_kind(ServedLanguageModel)],
        classifier=next((model.name for model in state.models.of_kind(ServedClassifier)), None),
        translator=next((model.name for model in state.models.of_kind(ServedTranslator)), None),
        snapshots=[] if base is None else list(find_snapshots(base.folder)),
        commands=COMMANDS,
    )


@router.post("/tokens")
async def read_tokens(
    state: StateOf, asked: Annotated[TokensRequest, Depends(body(TokensRequest))]
) -> Tokens:
    """A text's tokens, and those that may come next."""
    served = state.models.find(ServedLanguageModel, asked.model)
    ids = _encode(served, asked.text, served.context)
    following = await state.compute.run(inside.next_tokens, served.model, served.tokenizer, ids, asked.count)
    return Tokens(inside.pieces(served.tokenizer, ids), following, served.context)


@router.post("/attention")
async def read_attention(
    state: StateOf, asked: Annotated[AttentionRequest, Depends(body(AttentionRequest))]
) -> inside.AttentionMap:
    """The attention weights of each head of a layer."""
    served = state.models.find(ServedLanguageModel, asked.model)
    layers = _attention_layers(served)
    if not isinstance(served.model, GPT) or not layers:
        raise ApiError(f"{served.name} is not a GPT with attention layers; choose another", param="model")
    if asked.layer >= layers:
        raise ApiError(f"layer={asked.layer}: must be from 0 to {layers - 1}", param="layer")
    ids = _encode(served, asked.text, min(served.context, LONGEST_ATTENTION))
    return await state.compute.run(inside.attention, served.model, served.tokenizer, ids, asked.layer)


@router.post("/snapshots")
async def read_snapshot(
    state: StateOf, asked: Annotated[SnapshotRequest, Depends(body(SnapshotRequest))]
) -> inside.Continuation:
    """How the base model continued a text when it had been trained for `step` steps."""
    base = _base(state.models)
    steps = {} if base is None else find_snapshots(base.folder)
    if base is None or asked.step not in steps:
        known = ", ".join(map(str, steps)) or f"there are none; make them with `{COMMANDS['snapshots']}`"
        message = f"step={asked.step}: no snapshot; the steps are: {known}"
        raise ApiError(message, HTTPStatus.NOT_FOUND, param="step")
    if any(token >= base.tokenizer.vocab_size for token in asked.watched):
        raise ApiError(f"watched: ids must be below {base.tokenizer.vocab_size}", param="watched")
    ids = _encode(base, asked.text, base.context)
    return await state.compute.run(_continue, base, steps[asked.step], ids, asked)


def _continue(
    base: ServedLanguageModel, snapshot: Path, ids: list[int], asked: SnapshotRequest
) -> inside.Continuation:
    return inside.continuation(
        load_snapshot(snapshot, base.model),
        base.tokenizer,
        ids,
        asked.max_tokens,
        Sampling(temperature=asked.temperature, top_k=None, top_p=None),
        asked.seed,
        asked.watched,
    )


@router.post("/occlusion")
async def read_occlusion(
    state: StateOf, asked: Annotated[TextRequest, Depends(body(TextRequest))]
) -> inside.Occlusion:
    """A text's class, and the weight of each of its tokens."""
    served = state.models.find(ServedClassifier, None)
    if not asked.text.strip():
        raise ApiError("text: is empty; type a message", param="text")
    return await state.compute.run(inside.occlusion, served.model, served.tokenizer, asked.text)


@router.post("/translation")
async def read_translation(
    state: StateOf, asked: Annotated[TextRequest, Depends(body(TextRequest))]
) -> Translation:
    """A sentence's translation with the cross-attention."""
    served = state.models.find(ServedTranslator, None)
    text = " ".join(asked.text.split())
    if not text:
        raise ApiError("text: is empty; type a sentence", param="text")
    return await state.compute.run(_translate, served, text, state.settings.translate)


def _translate(served: ServedTranslator, text: str, search: BeamSearch) -> Translation:
    (written,), truncated = translate(served.model, served.tokenizer, [text], search)
    maps = cross_attention(served.model, served.tokenizer, text, written)
    return Translation(written, truncated > 0, maps)


def _base(models: Models) -> ServedLanguageModel | None:
    """The base model, whose snapshots can be shown."""
    language = models.of_kind(ServedLanguageModel)
    return next((model for model in language if model.template is None), None)


def _card(served: ServedLanguageModel) -> LanguageModelCard:
    return LanguageModelCard(
        id=served.name,
        chat=served.template is not None,
        context=served.context,
        parameters=served.model.parameter_count(),
        layers=_attention_layers(served),
    )


def _attention_layers(served: ServedLanguageModel) -> int:
    """How many layers have attention that can be shown; none in an architecture of the user's own."""
    return served.model.config.n_attention if isinstance(served.model, GPT) else 0


def _encode(served: ServedLanguageModel, text: str, limit: int) -> list[int]:
    """The ids of a text as the beginning of a document; ApiError if there are more than `limit`."""
    ids = served.tokenizer.encode_document(text)
    if len(ids) > limit:
        raise ApiError(
            f"text: has {len(ids):,} tokens; at most {limit} can be shown; shorten it",
            param="text",
            code="context_length_exceeded",
        )
    return ids
