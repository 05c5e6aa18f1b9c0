"""GET /api/tags, /api/ps and /api/version and POST /api/show, as in Ollama's API."""

import dataclasses
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from foundling.serving.bodies import body
from foundling.serving.loading import ServedLanguageModel
from foundling.serving.ollama_schemas import Named
from foundling.serving.state import StateOf

router = APIRouter(prefix="/api")


@router.get("/version")
async def read_version() -> dict[str, str]:
    """Foundling's version."""
    return {"version": version("foundling")}


@router.get("/tags")
@router.get("/ps")
async def list_models(state: StateOf) -> dict[str, Any]:
    """The language models, which are all loaded."""
    models = state.models
    return {"models": [_describe(model, models.created) for model in models.of_kind(ServedLanguageModel)]}


@router.post("/show")
async def show_model(state: StateOf, asked: Annotated[Named, Depends(body(Named))]) -> dict[str, Any]:
    """One model's details."""
    model = state.models.find(ServedLanguageModel, asked.model_name)
    config = dataclasses.asdict(model.model.config)
    template = model.template.jinja(model.tokenizer) if model.template is not None else ""
    return {
        "template": template,
        "system": model.system or "",
        "details": _details(model),
        "model_info": {
            "general.architecture": "foundling",
            "general.parameter_count": model.model.parameter_count(),
            "foundling.context_length": model.context,
            **{f"foundling.{name}": value for name, value in config.items()},
        },
        "capabilities": ["completion", "embedding"],
    }


def _describe(model: ServedLanguageModel, created: int) -> dict[str, Any]:
    return {
        "name": f"{model.name}:latest",
        "model": f"{model.name}:latest",
        "modified_at": datetime.fromtimestamp(created, UTC).isoformat().replace("+00:00", "Z"),
        "size": model.size,
        "digest": model.digest,
        "details": _details(model),
    }


def _details(model: ServedLanguageModel) -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "safetensors",
        "family": "foundling",
        "families": ["foundling"],
        "parameter_size": f"{model.model.parameter_count() / 1e6:.1f}M",
        "quantization_level": str(next(model.model.parameters()).dtype).removeprefix("torch."),
    }
