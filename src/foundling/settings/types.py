"""Types shared by settings: numbers with their ranges, choices, and the components that Hydra builds."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import AfterValidator, Field, JsonValue, model_validator
from pydantic.dataclasses import dataclass

from foundling.validation import STRICT

LARGEST = 2**53  # above it, floats cannot represent all integers

Natural = Annotated[int, Ge(0), Le(LARGEST)]
Size = Annotated[int, Ge(1), Lt(2**31)]  # the product of two sizes fits into 64 bits
Positive = Annotated[int, Ge(1), Le(LARGEST)]
Seed = Annotated[int, Ge(0), Le(2**32 - 1)]
NonNegative = Annotated[float, Ge(0), Le(LARGEST)]
PositiveNumber = Annotated[float, Gt(0), Le(LARGEST)]
Fraction = Annotated[float, Ge(0), Le(1)]
Probability = Annotated[float, Gt(0), Le(1)]
Megabytes = Annotated[float, Ge(1e-6), Le(1e9)]
Pooling = Literal["last", "mean"]  # which positions' hidden states a classifier's head reads
TEXT = "{text}"  # where a template has the text


def _has_text_once(template: str) -> str:
    if template.count(TEXT) != 1:
        raise ValueError(f"must contain {TEXT} exactly once")
    return template


Template = Annotated[str, AfterValidator(_has_text_once)]  # words around a text


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Component:
    """An object that Hydra builds: `_target_` is the path of a class or function, the rest its arguments."""

    target: str = Field(alias="_target_")

    def build(self, *args: Any, **kwargs: Any) -> Any:
        """Import the target and call it with its settings and these arguments."""
        return self.partial()(*args, **kwargs)

    def partial(self) -> Callable[..., Any]:
        """The target with its settings filled in; ValueError if it cannot be imported."""
        from hydra.errors import InstantiationException
        from hydra.utils import instantiate

        try:
            made: Callable[..., Any] = instantiate(self._config(), _partial_=True)
        except InstantiationException as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"_target_={self.target}: cannot be imported ({reason}); name a class") from None
        return made

    def _config(self) -> dict[str, Any]:
        values = asdict(self)
        return {"_target_": values.pop("target"), **values}


@dataclass(frozen=True, config=STRICT, kw_only=True)
class CustomComponent(Component):
    """A custom component: any target, with arguments that only the target validates."""

    arguments: Mapping[str, JsonValue]

    @model_validator(mode="before")
    @classmethod
    def _collect_arguments(cls, values: Any) -> Any:
        """Move all keys but `_target_` into `arguments`."""
        if not isinstance(values, Mapping) or "_target_" not in values:
            return values
        arguments = {key: value for key, value in values.items() if key != "_target_"}
        return {"_target_": values["_target_"], "arguments": arguments}

    def _config(self) -> dict[str, Any]:
        return {"_target_": self.target, **self.arguments}
