"""POST /api/chat, /api/generate and /api/embed, as in Ollama's API."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter_ns
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from foundling.serving import prompts, responses
from foundling.serving.bodies import body, stop_strings
from foundling.serving.choices import ChoicePiece, Choices
from foundling.serving.embeddings import embed_texts
from foundling.serving.loading import ServedLanguageModel
from foundling.serving.ollama_schemas import ChatRequest, EmbedRequest, GenerateRequest, Generating
from foundling.serving.state import State, StateOf
from foundling.text.prompts import SYSTEM, USER, Message

router = APIRouter(prefix="/api")


@router.post("/chat")
async def chat(
    request: Request, state: StateOf, asked: Annotated[ChatRequest, Depends(body(ChatRequest))]
) -> Response:
    """The assistant's next message; the oldest messages are left out if the conversation is too long."""
    model = state.models.find(ServedLanguageModel, asked.model_name)
    if not asked.messages:  # a client wants the model to be loaded
        return JSONResponse({**_head(model), **_as_message(""), "done": True, "done_reason": "load"})
    messages = [Message(message.role, message.content) for message in asked.messages]
    ids = await asyncio.to_thread(prompts.fitting_chat_prompt, model, messages, state.limits)
    return await _respond(request, state, asked, model, ids, "messages", _as_message, is_chat=True)


@router.post("/generate")
async def generate(
    request: Request, state: StateOf, asked: Annotated[GenerateRequest, Depends(body(GenerateRequest))]
) -> Response:
    """An assistant's answer to a prompt, or a base model's continuation of it."""
    model = state.models.find(ServedLanguageModel, asked.model_name)
    if not asked.prompt:
        return JSONResponse({**_head(model), **_as_response(""), "done": True, "done_reason": "load"})
    is_chat = model.template is not None and not asked.raw
    if not is_chat:
        ids = await asyncio.to_thread(model.tokenizer.encode_prompt, asked.prompt)
    else:
        system = [Message(SYSTEM, asked.system)] if asked.system else []
        ids = await asyncio.to_thread(prompts.chat_prompt, model, [*system, Message(USER, asked.prompt)])
    return await _respond(request, state, asked, model, ids, "prompt", _as_response, is_chat=is_chat)


@router.post("/embed")
async def embed(
    state: StateOf, asked: Annotated[EmbedRequest, Depends(body(EmbedRequest))]
) -> dict[str, Any]:
    """A vector of length 1 for each text."""
    texts = [asked.input] if isinstance(asked.input, str) else asked.input
    model, rows, vectors = await embed_texts(state, asked.model_name, [*texts])
    return {
        "model": model.name,
        "embeddings": [vector.tolist() for vector in vectors],
        "prompt_eval_count": sum(map(len, rows)),
    }


def _as_message(text: str) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": text}}


def _as_response(text: str) -> dict[str, Any]:
    return {"response": text}


def _head(model: ServedLanguageModel) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return {"model": model.name, "created_at": now}


async def _respond(
    request: Request,
    state: State,
    asked: Generating,
    model: ServedLanguageModel,
    ids: Sequence[int],
    param: str,
    show: Callable[[str], dict[str, Any]],
    *,
    is_chat: bool,
) -> Response:
    limits, options = state.limits, asked.options
    prompts.check_length(model, ids, limits, param)
    wanted = options.num_predict if options.num_predict is not None and options.num_predict >= 0 else None
    top_k = options.top_k if options.top_k is not None and options.top_k > 0 else None
    requests = prompts.requests(
        model,
        ids,
        prompts.max_new_tokens(model, ids, wanted, limits),
        prompts.sampling(state.settings, options.temperature, options.top_p, top_k, is_chat=is_chat),
        seed=None if options.seed == -1 else options.seed,
    )
    choices = Choices(model, requests, stop=stop_strings(options.stop), seconds=limits.seconds)
    response = _OllamaResponse(model, choices, len(ids), show)
    if asked.stream is False:
        return await responses.whole(request, choices, response.whole())
    return responses.lines(choices, response.parts())


@dataclass
class _OllamaResponse:
    model: ServedLanguageModel
    choices: Choices
    prompt_tokens: int
    show: Callable[[str], dict[str, Any]]
    started: int = field(default_factory=perf_counter_ns)
    first: int | None = None  # the time of the first piece

    async def whole(self) -> dict[str, Any]:
        """The response in one."""
        [part] = await self.choices.whole()
        return {**_head(self.model), **self.show(part.piece.text), **self._last(part)}

    async def parts(self) -> AsyncIterator[dict[str, Any]]:
        """Pieces of the text, and at the end the counts."""
        async for part in self.choices.pieces():
            self.first = self.first or perf_counter_ns()
            if part.piece.text:
                yield {**_head(self.model), **self.show(part.piece.text), "done": False}
            if part.finish_reason is not None:
                yield {**_head(self.model), **self.show(""), **self._last(part)}

    def _last(self, part: ChoicePiece) -> dict[str, Any]:
        """The last part's fields; durations are in nanoseconds."""
        now = perf_counter_ns()
        first = self.first or self.started
        return {
            "done": True,
            "done_reason": part.finish_reason,
            "total_duration": now - self.started,
            "load_duration": 0,
            "prompt_eval_count": self.prompt_tokens,
            "prompt_eval_duration": first - self.started,
            "eval_count": self.choices.written,
            "eval_duration": now - first,
        }
