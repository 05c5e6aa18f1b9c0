"""Conversations: a dataset's records in, examples in the splits train, validation and test out.

fields               which field of a record holds what
  instruction, input, output    a triple; `input: null` where there is none; a row may lack its input
  messages, role, content       or, with `messages`, a list of messages, each with these two fields and, as OpenAI has
                     it, a `weight`: an answer of weight 0 is read, but not learned
  kind               groups the results; null: none; a row may lack it
answers: null        where `output` is a label: what the assistant says for each, {label: text}
split                how they are split, as data/splits.py tells it
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foundling.data.sources import rows
from foundling.data.splits import split
from foundling.data.surrogates import REPLACED
from foundling.settings.datasets import RandomSplit
from foundling.text.prompts import ASSISTANT, ROLES, SYSTEM, USER, Message, Template
from foundling.validation import build

log = logging.getLogger(__name__)
# other names of the roles: ShareGPT's, OpenAI's, Gemini's
SPEAKERS = {"human": USER, "gpt": ASSISTANT, "chatgpt": ASSISTANT, "bot": ASSISTANT, "model": ASSISTANT}
SPEAKERS |= {"developer": SYSTEM}
WEIGHT = "weight"  # of a message in OpenAI's format for fine-tuning: 0 is read and not learned
TOOL_ROLES = ("tool", "function", "tool_call", "function_call", "observation", "ipython")
TOOL_CALLS = ("tool_calls", "function_call")  # fields of a message
TOOL_LISTS = ("tools", "functions")  # fields of a record
# what is left out or changed
TRAILING = "left out: messages after the last answer that is learned"
UNLEARNED = "read, but not learned: answers of weight 0"
TOOLS = "left out: definitions of tools, by rows"


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


def conversations(
    folder: Path, recipe: Mapping[str, Any], template: Template, changes: Counter[str] | None = None
) -> dict[str, list[Example]]:
    """Read what sources.fetch() put into `folder` and split it; what training shares with the others is dropped.

    A record that lacks a field, an answer without a text, and an empty split raise ValueError that names the row or
    the setting. `changes` counts what is left out or changed, by reason; the log says it, too.
    """
    changes = Counter() if changes is None else changes
    examples = list(_examples(folder, recipe, template, changes))
    for reason, count in changes.items():
        if reason != REPLACED:  # its log names the first place
            log.warning(f"instruct: {reason}: {count:,}")
    return split(
        examples,
        build(RandomSplit, recipe["split"], "instruct.split"),
        recipe["seed"],
        stage="instruct",
        dataset=recipe["dataset"]["name"],
        source=lambda example: example.source,
        prompt=_question,
        changes=changes,
    )


def _question(example: Example) -> tuple[tuple[str, str], ...]:
    """What an example asks; one that only the assistant speaks in asks for what it says."""
    asks = any(message.role == USER for message in example.asked)
    return tuple((message.role, message.text) for message in (example.asked if asks else example.messages))


def texts(splits: Mapping[str, Sequence[Example]]) -> Iterator[str]:
    """What is said in all conversations."""
    for examples in splits.values():
        for example in examples:
            yield from (message.text for message in example.messages)


def together(examples: Sequence[Example]) -> Example:
    """Examples as the turns of one conversation under the first one's system text; it asks what the last one asks."""
    first, *others = examples
    later = (message for example in others for message in example.messages if message.role != SYSTEM)
    return replace(examples[-1], messages=(*first.messages, *later))


def _examples(folder: Path, recipe: Mapping[str, Any], template: Template, changes: Counter[str]) -> Iterator[Example]:
    fields, answers = recipe["fields"], recipe["answers"]
    for row in rows(folder, recipe["dataset"], defaultdict(lambda: changes)):
        source, place, record = row.source, row.place, row.record
        if fields.get("messages"):
            messages = _listed(record, fields, place, changes)
        else:
            messages = _triple(record, fields, answers, template, place, changes)
        if recipe["system"] and messages[0].role != SYSTEM:
            messages = [Message(SYSTEM, recipe["system"]), *messages]
        kind = _optional(record, "kind", fields, place, changes) or None
        yield Example(tuple(messages), kind, record, source)


def _triple(
    record: Mapping[str, Any],
    fields: Mapping[str, Any],
    answers: Mapping[str, str] | None,
    template: Template,
    place: str,
    changes: Counter[str],
) -> list[Message]:
    instruction = _field(record, "instruction", fields, place)
    given = _optional(record, "input", fields, place, changes)
    output = _field(record, "output", fields, place)
    if not instruction.strip() and not given.strip():
        raise ValueError(f"{place} has an empty instruction; write one, or take the row out")
    if answers is not None and output not in answers:
        raise ValueError(
            f"{place} has {fields['output']} {output!r}, for which instruct.answers has no text; add one, or fix the "
            "row"
        )
    output = answers[output] if answers is not None else output
    if not output.strip():
        raise ValueError(f"{place} has an empty answer; write one, or take the row out")
    return [Message(USER, template.asks(instruction.strip(), given.strip())), Message(ASSISTANT, output)]


def _listed(record: Mapping[str, Any], fields: Mapping[str, Any], place: str, changes: Counter[str]) -> list[Message]:
    listed = record.get(fields["messages"])
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise _missing(record, "messages", fields, place, "a list of messages")
    messages = [_message(one, fields, f"message {number} of {place}") for number, one in enumerate(listed, 1)]
    if not any(message.role == ASSISTANT and message.text.strip() for message in messages):
        raise ValueError(f"{place} has no answer of the assistant; add one, or take the row out")
    if not any(message.role == ASSISTANT and message.learned for message in messages):
        raise ValueError(f"{place} has answers of weight 0 alone; give one weight 1, or take the row out")
    while messages[-1].role != ASSISTANT or not messages[-1].learned:
        messages.pop()  # what no learned answer follows teaches nothing
        changes[TRAILING] += 1
    if not messages[-1].text.strip():
        raise ValueError(f"{place} ends with an empty answer of the assistant; write one, or take the row out")
    unlearned = sum(message.role == ASSISTANT and not message.learned for message in messages)
    if unlearned:
        changes[UNLEARNED] += unlearned
    if any(record.get(name) for name in TOOL_LISTS):
        changes[TOOLS] += 1
    return messages


def _message(one: Mapping[str, Any], fields: Mapping[str, Any], where: str) -> Message:
    """A message of the OpenAI or ShareGPT format; one that calls a tool, or is a tool's, is refused by name."""
    role = _field(one, "role", fields, where).strip().lower()
    calls = [f"the field {name}" for name in TOOL_CALLS if one.get(name)]
    if role in TOOL_ROLES or calls:
        raise ValueError(
            f"{where} has {calls[0] if calls else f'the role {role!r}'}, and tool calls are not supported; take the "
            "row out, or write what the tool says into a user's message"
        )
    role = SPEAKERS.get(role, role)
    if role not in ROLES:
        raise ValueError(f"{where} has the role {role!r}; allowed are {', '.join((*ROLES, *SPEAKERS))}; fix the row")
    weight = 1 if one.get(WEIGHT) is None else one[WEIGHT]
    if weight not in (0, 1):
        raise ValueError(f"{where} has weight={weight!r}: must be 0 (read it) or 1 (learn it); fix the row")
    return Message(role, _content(one, fields, where), learned=bool(weight))


def _content(one: Mapping[str, Any], fields: Mapping[str, Any], where: str) -> str:
    """A message's text; OpenAI's list of parts is joined, if all of them are text."""
    parts = one.get(fields["content"])
    if not isinstance(parts, list):
        return _field(one, "content", fields, where)
    for part in parts:
        if not isinstance(part, Mapping) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
            raise ValueError(f"{where} has a part of type {kind!r}; only text is supported; take the row out")
    return "".join(part["text"] for part in parts)


def _optional(
    record: Mapping[str, Any], name: str, fields: Mapping[str, Any], place: str, changes: Counter[str]
) -> str:
    """A field that a record need not have: what is missing or null is empty, and counted."""
    if not fields.get(name):
        return ""
    if record.get(fields[name]) is None:
        changes[f"rows without the field {fields[name]!r} (instruct.fields.{name}), which is taken as empty"] += 1
        return ""
    return _field(record, name, fields, place)


def _field(record: Mapping[str, Any], name: str, fields: Mapping[str, Any], place: str) -> str:
    value = record.get(fields[name])
    if not isinstance(value, str):
        raise _missing(record, name, fields, place, "a text")
    return value


def _missing(record: Mapping[str, Any], name: str, fields: Mapping[str, Any], place: str, what: str) -> ValueError:
    found = f"a {type(record[fields[name]]).__name__}" if fields[name] in record else ", ".join(map(str, record))
    none = " (null: there is none)" if name in ("input", "kind") else ""
    return ValueError(
        f"{place} has no field {fields[name]!r} with {what} (found {found or 'nothing'}); fix the row, or set "
        f"instruct.fields.{name} to the field that holds it{none}"
    )
