"""Plain values become dataclasses without coercion, or a one-line error names the key and what is allowed."""

import re
from typing import Annotated, Any, Literal, Self

import pytest
from annotated_types import Ge, Gt, Le, Lt
from pydantic import field_validator, model_validator
from pydantic.dataclasses import dataclass

from foundling.validation import STRICT, build


@dataclass(frozen=True, config=STRICT)
class Inner:
    size: Annotated[int, Ge(1)]


@dataclass(frozen=True, config=STRICT)
class Outer:
    count: Annotated[int, Ge(1), Lt(2**31)]
    rate: Annotated[float, Gt(0), Le(1)]
    names: tuple[str, ...]
    devices: Literal["auto"] | Annotated[int, Ge(-1)] | None
    kind: Literal["learned", "rotary"]
    inner: Inner
    weights: dict[str, float]
    switch: bool

    @field_validator("count")
    @classmethod
    def _even(cls, count: int) -> int:
        if count % 2:
            raise ValueError(f"must be even; try {count + 1}")
        return count

    @model_validator(mode="after")
    def _enough_names(self) -> Self:
        if len(self.names) > self.count:
            raise ValueError(f"names={list(self.names)}: must be at most count={self.count}; drop some")
        return self


VALUES: dict[str, Any] = {
    **{"count": 2, "rate": 1, "names": ["a", "b"], "devices": "auto", "kind": "rotary"},
    **{"inner": {"size": 3}, "weights": {"a": 1}, "switch": True},
}


def test_values_become_the_declared_types() -> None:
    built = build(Outer, VALUES, "model")
    assert built == Outer(2, 1.0, ("a", "b"), "auto", "rotary", Inner(3), {"a": 1.0}, True)
    assert isinstance(built.rate, float)
    assert isinstance(built.names, tuple)
    assert isinstance(built.inner, Inner)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"count": 0}, "model.count=0: must be at least 1"),
    ({"count": "2"}, "model.count='2': must be an integer, not a string"),
    ({"count": True}, "model.count=true: must be an integer, not a boolean"),
    ({"count": 2.5}, "model.count=2.5: must be an integer, not a float"),
    ({"count": None}, "model.count=null: must be an integer, not null"),
    ({"count": {"_target_": "x"}}, "model.count={'_target_': 'x'}: must be an integer, not a mapping"),
    ({"count": 10**400}, f"model.count=1{'0' * 59}…: must be below 2,147,483,648"),
    ({"count": 3}, "model.count=3: must be even; try 4"),
    ({"rate": 0}, "model.rate=0: must be above 0"),
    ({"rate": 1.5}, "model.rate=1.5: must be at most 1"),
    ({"rate": float("nan")}, "model.rate=nan: must be a finite number"),
    ({"rate": True}, "model.rate=true: must be a number, not a boolean"),
    ({"names": "ab"}, "model.names='ab': must be a list, not a string"),
    ({"names": ["a", 1]}, "model.names.1=1: must be a string, not an integer"),
    ({"names": ["a", "b", "c"]}, "model.names=['a', 'b', 'c']: must be at most count=2; drop some"),
    ({"devices": -2}, "model.devices=-2: must be one of auto or at least -1"),
    ({"kind": "absolute"}, "model.kind='absolute': must be one of learned or rotary"),
    ({"inner": {"size": 0}}, "model.inner.size=0: must be at least 1"),
    ({"inner": {}}, "model.inner.size is missing"),
    ({"inner": 5}, "model.inner=5: must be a mapping, not an integer"),
    ({"weights": {"a": "1"}}, "model.weights.a='1': must be a number, not a string"),
    ({"switch": 1}, "model.switch=1: must be true or false, not an integer"),
    ({"sise": 1}, "model.sise: unknown key; remove it"),
    ({"count": 0, "rate": 2}, "model.count=0: must be at least 1; model.rate=2: must be at most 1"),
]


@pytest.mark.parametrize(("changes", "says"), WRONG, ids=[says[:40] for _, says in WRONG])
def test_one_line_names_key_value_and_requirement(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(says)}$"):
        build(Outer, VALUES | changes, "model")


def test_many_errors_are_counted() -> None:
    with pytest.raises(ValueError, match=r"model\.key0.*model\.key1.*model\.key2.*; and 6 more$"):
        build(Outer, VALUES | {f"key{i}": i for i in range(9)}, "model")


def test_a_missing_key_without_a_prefix() -> None:
    with pytest.raises(ValueError, match=r"^kind is missing$"):
        build(Outer, {key: value for key, value in VALUES.items() if key != "kind"}, "")


@pytest.mark.parametrize("values", [None, 5, "text", [1]])
def test_values_that_are_no_mapping(values: Any) -> None:
    with pytest.raises(ValueError, match=r"^config\.json=.*: must be a mapping, not "):
        build(Outer, values, "config.json")
