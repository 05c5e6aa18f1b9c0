"""The requests of Ollama's API. Fields that Ollama does not know are ignored, as there."""

from typing import Annotated, Literal

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BaseModel, ConfigDict

from foundling.serving.bodies import Seed, Stop, Temperature, TopP, Unsupported

Integer = Annotated[int, Ge(-(2**31)), Le(2**31 - 1)]


class Lenient(BaseModel):
    """A schema that coerces nothing and ignores unknown fields."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class Options(Lenient):
    """How a response is generated; other options, such as num_ctx, are ignored."""

    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: Integer | None = None  # 0 or less: all tokens
    seed: Seed | None = None
    stop: Stop | None = None
    num_predict: Integer | None = None  # less than 0: as many as the context has room for


class Named(Lenient):
    """A request about a model, or without a name about the first one."""

    model: str | None = None
    name: str | None = None  # older clients'

    @property
    def model_name(self) -> str | None:
        """The name without Ollama's tag."""
        name = self.model or self.name
        return None if name is None else name.removesuffix(":latest")


class Generating(Named):
    """The settings that chats and continuations share."""

    options: Options = Options()
    stream: bool | None = None  # null: true
    format: Unsupported = None
    think: Unsupported = None


class Message(Lenient):
    """A message; those of tools are refused."""

    role: Literal["system", "user", "assistant"]
    content: str
    images: Unsupported = None
    tool_calls: Unsupported = None


class ChatRequest(Generating):
    """POST /api/chat."""

    messages: Annotated[list[Message], MaxLen(2048)]
    tools: Unsupported = None


class GenerateRequest(Generating):
    """POST /api/generate: an assistant answers the prompt, unless `raw`; a base model continues it."""

    prompt: str = ""
    system: str | None = None
    raw: bool | None = None
    suffix: Unsupported = None
    images: Unsupported = None
    template: Unsupported = None
    context: Unsupported = None


class EmbedRequest(Named):
    """POST /api/embed."""

    input: str | Annotated[list[str], MinLen(1)]
    dimensions: Unsupported = None
