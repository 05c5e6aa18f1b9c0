"""From the texts and settings of a request to the engine's requests, within the limits."""

import secrets
from collections.abc import Sequence
from http import HTTPStatus

from foundling.generation.sampling import Sampling
from foundling.serving.bodies import LARGEST_SEED
from foundling.serving.errors import ApiError, shown
from foundling.serving.loading import ServedLanguageModel
from foundling.serving.stream import Request
from foundling.settings.commands import Serve, ServeLimits
from foundling.text.prompts import SYSTEM, Message, render_prompt


def chat_prompt(model: ServedLanguageModel, messages: Sequence[Message]) -> list[int]:
    """The ids after which the response starts; a conversation without a system message gets the model's."""
    if model.template is None:
        raise ApiError(
            f"the model {model.name!r} is a base model without a chat template, so it can only continue "
            "texts; use /v1/completions or /api/generate, or choose an assistant",
            param="model",
        )
    if model.system and messages[0].role != SYSTEM:
        messages = [Message(SYSTEM, model.system), *messages]
    try:
        return render_prompt(messages, model.template, model.tokenizer)
    except ValueError as error:  # such as a template that wants the user's and the assistant's turns in order
        raise ApiError(f"messages: {shown(str(error))}", param="messages") from None


def fitting_chat_prompt(
    model: ServedLanguageModel, messages: Sequence[Message], limits: ServeLimits
) -> list[int]:
    """As `chat_prompt`, without the oldest messages after the system's, if there are too many of them."""
    first = 1 if messages[0].role == SYSTEM else 0
    system, others = messages[:first], messages[first:]
    ids = chat_prompt(model, messages)
    while len(ids) > longest_prompt(model, limits) and len(others) > 1:
        others = others[2:] if len(others) > 2 else others[1:]  # a user's message and the response to it
        ids = chat_prompt(model, [*system, *others])
    return ids


def check_ids(model: ServedLanguageModel, ids: Sequence[int], param: str) -> list[int]:
    """Ids that a client sent."""
    vocab_size = model.tokenizer.vocab_size
    if ids and max(ids) >= vocab_size:
        raise ApiError(
            f"{param}: {max(ids)} is not the id of a token, since the vocabulary has {vocab_size}; clients "
            "that encode texts with OpenAI's tokenizer must send the texts instead",
            param=param,
        )
    return list(ids)


def check_length(model: ServedLanguageModel, ids: Sequence[int], limits: ServeLimits, param: str) -> None:
    """Refuse a prompt that leaves no room for a response."""
    longest = longest_prompt(model, limits)
    if len(ids) > longest:
        raise ApiError(
            f"{param}: {len(ids)} tokens; this model's context is {model.context}, of which a prompt may "
            f"have {longest}",
            param=param,
            code="context_length_exceeded",
        )


def longest_prompt(model: ServedLanguageModel, limits: ServeLimits) -> int:
    """The number of tokens that a prompt may have."""
    return min(model.context - 1, limits.prompt_tokens or model.context)


def max_new_tokens(
    model: ServedLanguageModel, ids: Sequence[int], asked: int | None, limits: ServeLimits
) -> int:
    """The tokens that a response may have: what was asked for, but no more than the context has room for."""
    if asked is not None and asked > limits.max_tokens:
        raise ApiError(
            f"max_tokens={asked:,}: must be at most {limits.max_tokens:,}, the limit of this server",
            param="max_tokens",
        )
    room = model.context - len(ids)
    return min(room, limits.max_tokens if asked is None else asked)


def check_choices(count: int, limits: ServeLimits) -> None:
    """Refuse a request for too many texts."""
    if count > limits.choices:
        raise ApiError(f"n={count:,}: must be at most {limits.choices}, the limit of this server", param="n")


def check_texts(count: int, limits: ServeLimits) -> None:
    """Refuse a request with too many texts."""
    if count > limits.texts:
        raise ApiError(
            f"input: {count:,} texts; must be at most {limits.texts}, the limit of this server",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            param="input",
        )


def requests(
    model: ServedLanguageModel,
    ids: Sequence[int],
    tokens: int,
    sampling: Sampling,
    *,
    seed: int | None,
    count: int = 1,
    top_logprobs: int | None = None,
) -> list[Request]:
    """`count` requests for continuations of the same ids, each with its own seed."""
    first = secrets.randbits(32) if seed is None else seed
    return [
        Request(
            prompt=tuple(ids),
            max_new_tokens=tokens,
            sampling=sampling,
            seed=(first + number) & LARGEST_SEED,
            end=model.ends,
            top_logprobs=top_logprobs,
        )
        for number in range(count)
    ]


def sampling(
    settings: Serve,
    temperature: float | None,
    top_p: float | None,
    top_k: int | None = None,
    *,
    is_chat: bool = False,
) -> Sampling:
    """How tokens are sampled; a request without a temperature gets the server's.

    Chat answers have the server's repetition guard; completions are those of `foundling generate`.
    """
    chosen = settings.temperature if temperature is None else temperature
    return Sampling(
        temperature=float(chosen),
        top_k=top_k,
        top_p=None if top_p is None else float(top_p),
        no_repeat_ngram_size=settings.no_repeat_ngram_size if is_chat else None,
    )
