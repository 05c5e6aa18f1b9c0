"""POST /v1/embeddings, as in OpenAI's API: a text's mean last hidden state. Shapes: T tokens, C width."""

import asyncio
import base64
from typing import Annotated, Any

import torch
from fastapi import APIRouter, Depends
from torch import Tensor

from foundling.model.interface import LanguageModel
from foundling.serving import prompts
from foundling.serving.bodies import body
from foundling.serving.errors import ApiError
from foundling.serving.loading import ServedLanguageModel
from foundling.serving.openai_completions import as_list, encode_prompts
from foundling.serving.openai_schemas import EmbeddingRequest
from foundling.serving.state import State, StateOf

router = APIRouter()


@router.post("/v1/embeddings")
async def embed(
    state: StateOf, asked: Annotated[EmbeddingRequest, Depends(body(EmbeddingRequest))]
) -> dict[str, Any]:
    """A vector of length 1 for each text."""
    model, rows, vectors = await embed_texts(state, asked.model, as_list(asked.input))
    data = []
    for index, vector in enumerate(vectors):
        encoded: Any = vector.tolist()
        if asked.encoding_format == "base64":  # little-endian float32, which the openai package asks for
            encoded = base64.b64encode(vector.numpy().astype("<f4").tobytes()).decode()
        data.append({"object": "embedding", "index": index, "embedding": encoded})
    tokens = sum(map(len, rows))
    return {
        "object": "list",
        "data": data,
        "model": model.name,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


async def embed_texts(
    state: State, name: str | None, texts: list[str | list[int]]
) -> tuple[ServedLanguageModel, list[list[int]], list[Tensor]]:
    """The model of this name, the texts' ids and their vectors (C,)."""
    model = state.models.find(ServedLanguageModel, name)
    prompts.check_texts(len(texts), state.limits)
    if "" in texts:
        raise ApiError("input: a text is empty; leave it out", param="input")
    rows = await asyncio.to_thread(encode_prompts, model, texts, "input")
    for ids in rows:
        prompts.check_length(model, ids, state.limits, "input")
    return model, rows, await state.compute.run(_vectors, model.model, rows)


@torch.inference_mode()
def _vectors(model: LanguageModel, rows: list[list[int]]) -> list[Tensor]:
    device = next(model.parameters()).device
    means = [model.hidden(torch.tensor([ids], device=device))[0].float().mean(0) for ids in rows]  # (C,) each
    return [torch.nn.functional.normalize(mean, dim=0).cpu() for mean in means]
