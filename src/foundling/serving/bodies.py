"""Read a request's body as a schema, and what the schemas share."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from fastapi import Request
from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic_core import PydanticCustomError

from foundling.serving.errors import from_validation

Body = TypeVar("Body", bound=BaseModel)
# values by which a client says that it does not use a feature
NEUTRAL: tuple[JsonValue, ...] = (None, False, 0, "", [], {}, "none", "auto", {"type": "text"}, ["text"])
LARGEST_SEED = 2**63 - 1


class Strict(BaseModel):
    """A schema that coerces nothing and refuses unknown fields, as OpenAI's API does."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


def unsupported() -> PydanticCustomError:
    """The error of a parameter that this server does not support."""
    return PydanticCustomError("unsupported_parameter", "not supported")


def _refuse(value: JsonValue) -> None:
    if value not in NEUTRAL:
        raise unsupported()


Unsupported = Annotated[JsonValue, AfterValidator(_refuse)]
Temperature = Annotated[float, Ge(0), Le(2)]
TopP = Annotated[float, Gt(0), Le(1)]
TopK = Annotated[int, Ge(1), Le(2**31 - 1)]
Seed = Annotated[int, Ge(-(2**63)), Le(LARGEST_SEED)]
Count = Annotated[int, Ge(1), Le(2**31 - 1)]
StopString = Annotated[str, MinLen(1), MaxLen(256)]
Stop = StopString | Annotated[list[StopString], MaxLen(16)]


def body(schema: type[Body]) -> Callable[[Request], Coroutine[Any, Any, Body]]:
    """A dependency that reads the body as this schema, whatever its content type is called.

    pydantic's parser refuses invalid UTF-8 and deep nesting.
    """

    async def read(request: Request) -> Body:
        try:
            return schema.model_validate_json(await request.body())
        except ValidationError as error:
            raise from_validation(error) from None

    return read


def stop_strings(stop: Stop | None) -> list[str]:
    """`stop` as a list."""
    return [stop] if isinstance(stop, str) else stop or []
