"""POST /v1/chat/completions, as in OpenAI's API."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from foundling.serving import prompts, responses
from foundling.serving.bodies import body, stop_strings
from foundling.serving.choices import ChoicePiece, Choices
from foundling.serving.loading import ServedLanguageModel
from foundling.serving.logprobs import chat_logprobs
from foundling.serving.openai_format import head, usage
from foundling.serving.openai_schemas import ChatRequest
from foundling.serving.state import StateOf
from foundling.serving.text import Piece
from foundling.text.prompts import SYSTEM, Message

router = APIRouter()


@router.post("/v1/chat/completions")
async def chat(
    request: Request, state: StateOf, asked: Annotated[ChatRequest, Depends(body(ChatRequest))]
) -> Response:
    """The assistant's next message."""
    limits, count = state.limits, asked.n or 1
    model = state.models.find(ServedLanguageModel, asked.model)
    prompts.check_choices(count, limits)
    messages = [
        Message(SYSTEM if message.role == "developer" else message.role, message.text)
        for message in asked.messages
    ]
    ids = await asyncio.to_thread(prompts.chat_prompt, model, messages)
    prompts.check_length(model, ids, limits, "messages")
    max_tokens = asked.max_completion_tokens or asked.max_tokens
    requests = prompts.requests(
        model,
        ids,
        prompts.max_new_tokens(model, ids, max_tokens, limits),
        prompts.sampling(state.settings, asked.temperature, asked.top_p, asked.top_k, is_chat=True),
        seed=asked.seed,
        count=count,
        top_logprobs=(asked.top_logprobs or 0) if asked.logprobs else None,
    )
    choices = Choices(model, requests, stop=stop_strings(asked.stop), seconds=limits.seconds)
    response = _ChatResponse(asked, model, choices, count, len(ids))
    if asked.stream:
        return responses.events(choices, response.chunks())
    return await responses.whole(request, choices, response.whole())


@dataclass
class _ChatResponse:
    asked: ChatRequest
    model: ServedLanguageModel
    choices: Choices
    count: int
    prompt_tokens: int

    async def whole(self) -> dict[str, Any]:
        """The response in one."""
        return {
            **head("chatcmpl", "chat.completion", self.model.name),
            "choices": [self._choice(part) for part in await self.choices.whole()],
            "usage": usage(self.prompt_tokens, self.choices.written),
        }

    def _choice(self, part: ChoicePiece) -> dict[str, Any]:
        return {
            "index": part.index,
            "message": {"role": "assistant", "content": part.piece.text, "refusal": None},
            "logprobs": self._logprobs(part),
            "finish_reason": part.finish_reason,
        }

    async def chunks(self) -> AsyncIterator[dict[str, Any]]:
        """For each choice its role, pieces of its text, and the reason of its end."""
        top = head("chatcmpl", "chat.completion.chunk", self.model.name)
        counts = self.asked.stream_options is not None and self.asked.stream_options.include_usage
        if counts:
            top["usage"] = None
        for number in range(self.count):
            yield {**top, "choices": [_chunk(number, {"role": "assistant", "content": ""})]}
        async for part in self.choices.pieces():
            if part.piece != Piece():
                chunk = _chunk(part.index, {"content": part.piece.text})
                yield {**top, "choices": [{**chunk, "logprobs": self._logprobs(part)}]}
            if part.finish_reason is not None:
                yield {**top, "choices": [_chunk(part.index, {}, part.finish_reason)]}
        if counts:
            yield {**top, "choices": [], "usage": usage(self.prompt_tokens, self.choices.written)}

    def _logprobs(self, part: ChoicePiece) -> dict[str, Any] | None:
        return chat_logprobs(part.piece.tokens, self.model.tokenizer) if self.asked.logprobs else None


def _chunk(index: int, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
