"""The requests of OpenAI's API. A feature that is not supported is refused by its name."""

from typing import Annotated, Literal

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import JsonValue, field_validator, model_validator
from pydantic_core import PydanticCustomError

from foundling.serving.bodies import (
    Count,
    Seed,
    Stop,
    Strict,
    Temperature,
    TopK,
    TopP,
    Unsupported,
    unsupported,
)

TopLogprobs = Annotated[int, Ge(0), Le(20)]
Ids = Annotated[list[Annotated[int, Ge(0), Le(2**31 - 1)]], MinLen(1)]
Texts = str | Ids | Annotated[list[str], MinLen(1)] | Annotated[list[Ids], MinLen(1)]


class StreamOptions(Strict):
    """What a stream contains besides text."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None  # of no use here: ignored


class Generating(Strict):
    """The settings that chats and completions share."""

    model: str | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None  # not OpenAI's, but common
    seed: Seed | None = None
    stop: Stop | None = None
    n: Count | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Ge(0), Le(2**31 - 1)] | None = None
    # of no influence on the response: accepted and ignored
    user: JsonValue = None
    metadata: JsonValue = None
    store: JsonValue = None
    service_tier: JsonValue = None
    # not supported
    frequency_penalty: Unsupported = None
    presence_penalty: Unsupported = None
    logit_bias: Unsupported = None

    @model_validator(mode="after")
    def _check_stream_options(self) -> "Generating":
        if self.stream_options is not None and not self.stream:
            raise PydanticCustomError("value_error", "stream_options is allowed only with stream=true")
        return self


class TextPart(Strict):
    """A part of a message; images, sounds and files are refused."""

    type: Literal["text"]
    text: str


class ChatMessage(Strict):
    """A message; those of tools are refused."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]
    name: str | None = None  # ignored
    refusal: None = None
    annotations: JsonValue = None  # of responses that are sent back: ignored
    tool_calls: Unsupported = None
    function_call: Unsupported = None
    audio: Unsupported = None

    @property
    def text(self) -> str:
        """The content as one string."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class ChatRequest(Generating):
    """POST /v1/chat/completions."""

    messages: Annotated[list[ChatMessage], MinLen(1), MaxLen(2048)]
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    logprobs: bool | None = None
    top_logprobs: TopLogprobs | None = None
    # of no influence on the response: accepted and ignored
    parallel_tool_calls: JsonValue = None
    prompt_cache_key: JsonValue = None
    prompt_cache_retention: JsonValue = None
    safety_identifier: JsonValue = None
    # not supported
    response_format: Unsupported = None
    tools: Unsupported = None
    tool_choice: Unsupported = None
    functions: Unsupported = None
    function_call: Unsupported = None
    audio: Unsupported = None
    modalities: Unsupported = None
    prediction: Unsupported = None
    reasoning_effort: Unsupported = None
    verbosity: Unsupported = None
    web_search_options: Unsupported = None

    @model_validator(mode="after")
    def _check_pairs(self) -> "ChatRequest":
        if self.top_logprobs is not None and not self.logprobs:
            raise PydanticCustomError("value_error", "top_logprobs is allowed only with logprobs=true")
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise PydanticCustomError(
                "value_error", "max_tokens and max_completion_tokens are two names of one setting; give one"
            )
        return self


class CompletionRequest(Generating):
    """POST /v1/completions. Ids of tokens are taken as they are; text never becomes a special token."""

    prompt: Texts
    echo: bool | None = None
    logprobs: TopLogprobs | None = None
    best_of: int | None = None
    suffix: Unsupported = None

    @field_validator("best_of")
    @classmethod
    def _check_best_of(cls, value: int | None) -> int | None:
        if value not in (None, 1):
            raise unsupported()
        return value


class EmbeddingRequest(Strict):
    """POST /v1/embeddings."""

    input: Texts
    model: str | None = None
    encoding_format: Literal["float", "base64"] = "float"
    user: JsonValue = None
    dimensions: Unsupported = None
