"""GET /v1/models and /v1/models/{name}, as in OpenAI's API, with each model's kind."""

from typing import Any

from fastapi import APIRouter

from foundling.serving.loading import Served, unknown_model
from foundling.serving.state import StateOf

router = APIRouter(prefix="/v1/models")


@router.get("")
async def list_models(state: StateOf) -> dict[str, Any]:
    """All models."""
    models = state.models
    return {"object": "list", "data": [_describe(model, models.created) for model in models]}


@router.get("/{name}")
async def read_model(state: StateOf, name: str) -> dict[str, Any]:
    """One model."""
    models = state.models
    if name not in models.by_name:
        raise unknown_model(name, models.by_name)
    return _describe(models.by_name[name], models.created)


def _describe(model: Served, created: int) -> dict[str, Any]:
    config: Any = model.model.config
    context = getattr(config, "trunk", config).context
    return {
        "id": model.name,
        "object": "model",
        "created": created,
        "owned_by": "foundling",
        "kind": model.kind,
        "context": context,
        "parameters": sum(p.numel() for p in model.model.parameters()),
    }
