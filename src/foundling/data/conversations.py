"""Conversations: a dataset's records in, examples in the splits train, validation and test out.

fields               which field of a record holds what
  instruction, input, output    a triple; `input: null` where there is none
  messages, role, content       or, with `messages`, a list of messages, each with these two fields
  kind               groups the results; null: none
answers: null        where `output` is a label: what the assistant says for each, {label: text}
split                how they are split, as data/splits.py tells it
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foundling.data.sources import records
from foundling.data.splits import split
from foundling.text.prompts import ASSISTANT, ROLES, SYSTEM, USER, Message, Template

SPEAKERS = {"human": USER, "gpt": ASSISTANT, "bot": ASSISTANT}  # other names of the roles


@dataclass(frozen=True)
class Example:
    """A conversation that ends with an answer, its kind, its record as it was read, and its source."""

    messages: tuple[Message, ...]
    kind: str | None
    record: Mapping[str, Any]
    source: str

    @property
    def asked(self) -> tuple[Message, ...]:
        """All but the answer."""
        return self.messages[:-1]

    @property
    def answer(self) -> str:
        """What the assistant is to say."""
        return self.messages[-1].text.strip()


def conversations(folder: Path, recipe: Mapping[str, Any], template: Template) -> dict[str, list[Example]]:
    """Read what sources.fetch() put into `folder` and split it; what training shares with the others is dropped.

    A record that lacks a field, an answer without a text, and an empty split raise ValueError that names the row or
    the setting.
    """
    return split(
        list(_examples(folder, recipe, template)),
        recipe["split"],
        recipe["seed"],
        stage="instruct",
        dataset=recipe["dataset"]["name"],
        source=lambda example: example.source,
        asked=lambda example: example.asked,
    )


def together(examples: Sequence[Example]) -> Example:
    """Examples as the turns of one conversation under the first one's system text; it asks what the last one asks."""
    first, *others = examples
    later = (message for example in others for message in example.messages if message.role != SYSTEM)
    return replace(examples[-1], messages=(*first.messages, *later))


def _examples(folder: Path, recipe: Mapping[str, Any], template: Template) -> Iterator[Example]:
    fields, answers = recipe["fields"], recipe["answers"]
    rows: Counter[str] = Counter()
    for source, record in records(folder, recipe["dataset"]):
        rows[source] += 1
        place = f"row {rows[source]} of source {source}"
        read = _listed if fields.get("messages") else _triple
        messages = read(record, fields, answers, template, place)
        if recipe["system"] and messages[0].role != SYSTEM:
            messages = [Message(SYSTEM, recipe["system"]), *messages]
        kind = _field(record, "kind", fields, place) if fields.get("kind") else None
        yield Example(tuple(messages), kind, record, source)


def _triple(
    record: Mapping[str, Any],
    fields: Mapping[str, Any],
    answers: Mapping[str, str] | None,
    template: Template,
    place: str,
) -> list[Message]:
    instruction = _field(record, "instruction", fields, place)
    given = _field(record, "input", fields, place) if fields.get("input") else ""
    output = _field(record, "output", fields, place)
    if not instruction.strip() and not given.strip():
        raise ValueError(f"{place} has an empty instruction; write one, or take the row out")
    if answers is not None and output not in answers:
        raise ValueError(
            f"{place} has {fields['output']} {output!r}, for which instruct.answers has no text; add one, or mend it"
        )
    output = answers[output] if answers is not None else output
    if not output.strip():
        raise ValueError(f"{place} has an empty answer; write one, or take the row out")
    return [Message(USER, template.asks(instruction.strip(), given.strip())), Message(ASSISTANT, output)]


def _listed(
    record: Mapping[str, Any], fields: Mapping[str, Any], answers: object, template: Template, place: str
) -> list[Message]:
    listed = record.get(fields["messages"])
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise _missing(record, "messages", fields, place, "a list of messages")
    messages = []
    for number, one in enumerate(listed, 1):
        where = f"message {number} of {place}"
        role, text = (_field(one, name, fields, where) for name in ("role", "content"))
        if SPEAKERS.get(role, role) not in ROLES:
            raise ValueError(f"{where} has the role {role!r}; allowed are {', '.join((*ROLES, *SPEAKERS))}; mend it")
        messages.append(Message(SPEAKERS.get(role, role), text))
    while messages and messages[-1].role != ASSISTANT:
        messages.pop()  # what stays unanswered teaches nothing
    if not messages or not messages[-1].text.strip():
        raise ValueError(f"{place} has no answer of the assistant; add one, or take the row out")
    return messages


def _field(record: Mapping[str, Any], name: str, fields: Mapping[str, Any], place: str) -> str:
    value = record.get(fields[name])
    if value is None and fields[name] in record and name == "input":
        return ""
    if not isinstance(value, str):
        raise _missing(record, name, fields, place, "a text")
    return value


def _missing(record: Mapping[str, Any], name: str, fields: Mapping[str, Any], place: str, what: str) -> ValueError:
    found = f"a {type(record[fields[name]]).__name__}" if fields[name] in record else ", ".join(map(str, record))
    none = " (null: there is none)" if name in ("input", "kind") else ""
    return ValueError(
        f"{place} has no field {fields[name]!r} with {what} (found {found or 'nothing'}); mend the row, or set "
        f"instruct.fields.{name} to the field that holds it{none}"
    )
