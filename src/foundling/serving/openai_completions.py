"""POST /v1/completions, as in OpenAI's API: continue one or several texts."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from foundling.serving import prompts, responses
from foundling.serving.bodies import body, stop_strings
from foundling.serving.choices import Choices
from foundling.serving.loading import ServedLanguageModel
from foundling.serving.logprobs import completion_logprobs, score_prompt
from foundling.serving.openai_format import head, usage
from foundling.serving.openai_schemas import CompletionRequest, Texts
from foundling.serving.state import State, StateOf
from foundling.serving.text import Piece

router = APIRouter()
DEFAULT_MAX_TOKENS = 16  # OpenAI's


@router.post("/v1/completions")
async def complete(
    request: Request, state: StateOf, asked: Annotated[CompletionRequest, Depends(body(CompletionRequest))]
) -> Response:
    """Continuations of texts: `n` of each."""
    limits, count = state.limits, asked.n or 1
    model = state.models.find(ServedLanguageModel, asked.model)
    texts = as_list(asked.prompt)
    prompts.check_choices(len(texts) * count, limits)
    rows = await asyncio.to_thread(encode_prompts, model, texts, "prompt")
    asked_tokens = DEFAULT_MAX_TOKENS if asked.max_tokens is None else asked.max_tokens
    sampling = prompts.sampling(state.settings, asked.temperature, asked.top_p, asked.top_k)
    requests = []
    for ids in rows:
        prompts.check_length(model, ids, limits, "prompt")
        max_tokens = prompts.max_new_tokens(model, ids, asked_tokens, limits)
        requests += prompts.requests(
            model, ids, max_tokens, sampling, seed=asked.seed, count=count, top_logprobs=asked.logprobs
        )
    echoes = [Piece() for _ in requests]
    if asked.echo:
        echoed = [
            await _echo(state, model, text, ids, asked.logprobs)
            for text, ids in zip(texts, rows, strict=True)
        ]
        echoes = [echo for echo in echoed for _ in range(count)]
    choices = Choices(model, requests, stop=stop_strings(asked.stop), seconds=limits.seconds)
    response = _CompletionResponse(asked, model, choices, echoes, sum(map(len, rows)))
    if asked.stream:
        return responses.events(choices, response.chunks())
    return await responses.whole(request, choices, response.whole())


def as_list(texts: Texts) -> list[str | list[int]]:
    """One or several texts, or rows of ids, as a list."""
    is_one = isinstance(texts, str) or isinstance(texts[0], int)
    return cast(list[str | list[int]], [texts] if is_one else texts)


def encode_prompts(
    model: ServedLanguageModel, texts: Sequence[str | list[int]], param: str
) -> list[list[int]]:
    """The ids of texts; rows of ids are only checked."""
    return [
        model.tokenizer.encode_prompt(text)
        if isinstance(text, str)
        else prompts.check_ids(model, text, param)
        for text in texts
    ]


async def _echo(
    state: State, model: ServedLanguageModel, text: str | list[int], ids: list[int], top: int | None
) -> Piece:
    """A prompt as it is repeated before its continuation, with the scores of its tokens if `top` is given."""
    scored = Piece()
    if top is not None:
        scored = await state.compute.run(score_prompt, model.model, model.tokenizer, ids, top)
    return replace(scored, text=text if isinstance(text, str) else model.tokenizer.decode(text))


@dataclass
class _CompletionResponse:
    asked: CompletionRequest
    model: ServedLanguageModel
    choices: Choices
    echoes: list[Piece]  # of the choices; empty without `echo`
    prompt_tokens: int

    async def whole(self) -> dict[str, Any]:
        """The response in one."""
        choices = []
        for part, echo in zip(await self.choices.whole(), self.echoes, strict=True):
            logprobs = self._logprobs((echo, 0), (part.piece, len(echo.text)))
            choices.append(_choice(part.index, echo.text + part.piece.text, logprobs, part.finish_reason))
        return {
            **head("cmpl", "text_completion", self.model.name),
            "choices": choices,
            "usage": usage(self.prompt_tokens, self.choices.written),
        }

    async def chunks(self) -> AsyncIterator[dict[str, Any]]:
        """The echoed prompts, then pieces of the continuations."""
        top = head("cmpl", "text_completion", self.model.name)
        counts = self.asked.stream_options is not None and self.asked.stream_options.include_usage
        if counts:
            top["usage"] = None
        for number, echo in enumerate(self.echoes):
            if echo.text:
                choice = _choice(number, echo.text, self._logprobs((echo, 0)), None)
                yield {**top, "choices": [choice]}
        async for part in self.choices.pieces():
            logprobs = self._logprobs((part.piece, len(self.echoes[part.index].text)))
            yield {**top, "choices": [_choice(part.index, part.piece.text, logprobs, part.finish_reason)]}
        if counts:
            yield {**top, "choices": [], "usage": usage(self.prompt_tokens, self.choices.written)}

    def _logprobs(self, *pieces: tuple[Piece, int]) -> dict[str, Any] | None:
        if self.asked.logprobs is None:
            return None
        return completion_logprobs(pieces, self.model.tokenizer)


def _choice(
    index: int, text: str, logprobs: dict[str, Any] | None, finish_reason: str | None
) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish_reason}
