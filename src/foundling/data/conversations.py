"""Read a dataset's records as conversations, in the splits train, validation and test."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foundling.data.sources import rows
from foundling.data.splits import split
from foundling.data.surrogates import REPLACED
from foundling.settings.training import ConversationFields, Instruct
from foundling.text.prompts import ASSISTANT, ROLES, SYSTEM, USER, Message, Role, user_text

log = logging.getLogger(__name__)
# the roles by our names and by ShareGPT's, OpenAI's and Gemini's
ROLE_NAMES: dict[str, Role] = {role: role for role in ROLES}
ROLE_NAMES |= {"human": USER, "gpt": ASSISTANT, "chatgpt": ASSISTANT, "bot": ASSISTANT, "model": ASSISTANT}
ROLE_NAMES |= {"developer": SYSTEM}
TOOL_ROLES = ("tool", "function", "tool_call", "function_call", "observation", "ipython")
# fields of OpenAI's fine-tuning format
WEIGHT = "weight"  # of a message: the loss does not count responses of weight 0
TOOL_CALLS = ("tool_calls", "function_call")  # of a message
TOOL_DEFINITIONS = ("tools", "functions")  # of a record
# what is left out or changed
TRAILING = "left out: messages after the last response that is trained on"
MASKED = "masked: responses of weight 0"
TOOLS = "left out: tool definitions, by rows"


@dataclass(frozen=True)
class Example:
    """A conversation that ends with a response, the record that it was read from, and the record's source."""

    messages: tuple[Message, ...]
    kind: str | None
    record: Mapping[str, Any]
    origin: str

    @property
    def prompt(self) -> tuple[Message, ...]:
        """All messages before the response."""
        return self.messages[:-1]

    @property
    def response(self) -> str:
        return self.messages[-1].text.strip()


def read_conversations(folder: Path, settings: Instruct, changes: Counter[str]) -> dict[str, list[Example]]:
    """Read a fetched dataset and split it; prompts of validation or test are left out of train.

    `changes` counts what is left out or changed, by reason, which is also logged. A malformed record or an
    empty split raises ValueError.
    """
    examples = list(_examples(folder, settings, changes))
    for reason, count in changes.items():
        if count and reason != REPLACED:  # sources.rows logs the latter with its first place
            log.warning(f"instruct: {reason}: {count:,}")
    return split(examples, settings, "instruct", prompt=_prompt_key, changes=changes)


def texts(splits: Mapping[str, Sequence[Example]]) -> Iterator[str]:
    """The text of every message."""
    for examples in splits.values():
        for example in examples:
            yield from (message.text for message in example.messages)


def join_turns(examples: Sequence[Example]) -> Example:
    """Join examples as turns of one conversation with the system message of the first."""
    first, *others = examples
    later = (message for example in others for message in example.messages if message.role != SYSTEM)
    return replace(examples[-1], messages=(*first.messages, *later))


def _prompt_key(example: Example) -> tuple[tuple[str, str], ...]:
    """What must not occur in two splits: the prompt, or the whole conversation without a user message."""
    has_user = any(message.role == USER for message in example.prompt)
    return tuple(
        (message.role, message.text) for message in (example.prompt if has_user else example.messages)
    )


@dataclass(frozen=True)
class _Record:
    """A record, or a message in it, whose values are looked up by the settings `instruct.fields`."""

    values: Mapping[str, Any]
    fields: ConversationFields
    place: str  # for errors: "a.jsonl:3 of source mine"

    def field(self, name: str) -> Any:
        """The record's field that a setting names, or None."""
        return getattr(self.fields, name)

    def value(self, name: str) -> Any:
        return self.values.get(self.field(name))

    def text(self, name: str) -> str:
        value = self.value(name)
        if not isinstance(value, str):
            raise self.error(name, "a string")
        return value

    def optional_text(self, name: str, changes: Counter[str]) -> str:
        """The text, or "" if the setting is null or the value missing; the latter is counted."""
        field = self.field(name)
        if not field:
            return ""
        if self.values.get(field) is None:
            changes[
                f"rows without the field {field!r} (instruct.fields.{name}), which is taken as empty"
            ] += 1
            return ""
        return self.text(name)

    def earlier_turns(self) -> list[Message]:
        """The messages of the turns before the instruction; none if the field is missing or null."""
        turns = self.value("history") or []
        if not isinstance(turns, list) or not all(map(_is_turn, turns)):
            raise self.error("history", "a list of pairs of strings")
        messages = []
        for asked, answered in turns:
            messages += [Message(USER, asked), Message(ASSISTANT, answered)]
        return messages

    def error(self, name: str, expected: str) -> ValueError:
        field, present = self.field(name), ", ".join(map(str, self.values)) or "none"
        problem = f"{self.place} has no field {field!r} (fields: {present})"
        if field in self.values:
            problem = (
                f"{self.place} has a {type(self.values[field]).__name__} in field {field!r}, not {expected}"
            )
        optional = ", or to null" if name in ("input", "kind", "history") else ""
        return ValueError(
            f"{problem}; fix the row, or set instruct.fields.{name} to the right field{optional}"
        )


def _examples(folder: Path, settings: Instruct, changes: Counter[str]) -> Iterator[Example]:
    for row in rows(folder, settings.dataset, defaultdict(lambda: changes)):
        record = _Record(row.record, settings.fields, row.place)
        read = _read_messages if settings.fields.messages else _read_triple
        messages = read(record, settings, changes)
        if settings.system and messages[0].role != SYSTEM:
            messages = [Message(SYSTEM, settings.system), *messages]
        kind = record.optional_text("kind", changes) or None
        yield Example(tuple(messages), kind, row.record, row.source)


def _read_triple(record: _Record, settings: Instruct, changes: Counter[str]) -> list[Message]:
    """A record of instruction, input and output; with `answers`, the output is a label."""
    instruction = record.text("instruction").strip()
    context = record.optional_text("input", changes).strip()
    output = record.text("output")
    if not instruction and not context:
        raise ValueError(f"{record.place} has an empty instruction; write one, or remove the row")
    if settings.answers is not None:
        if output not in settings.answers:
            raise ValueError(
                f"{record.place} has {record.field('output')} {output!r}, which is not in instruct.answers; "
                "add its answer, or fix the row"
            )
        output = settings.answers[output]
    if not output.strip():
        raise ValueError(f"{record.place} has an empty answer; write one, or remove the row")
    text = user_text(settings.template, instruction, context)
    return [*record.earlier_turns(), Message(USER, text), Message(ASSISTANT, output)]


def _is_turn(turn: Any) -> bool:
    """Whether this is a pair of texts, neither empty."""
    if not isinstance(turn, list) or len(turn) != 2:
        return False
    return all(isinstance(text, str) and text.strip() for text in turn)


def _read_messages(record: _Record, settings: Instruct, changes: Counter[str]) -> list[Message]:
    """A record with a list of messages."""
    listed = record.value("messages")
    if not isinstance(listed, list) or not all(isinstance(values, Mapping) for values in listed):
        raise record.error("messages", "a list of messages")
    messages = [
        _read_message(_Record(values, settings.fields, f"message {number} of {record.place}"))
        for number, values in enumerate(listed, 1)
    ]
    responses = [message for message in messages if message.role == ASSISTANT]
    if not any(message.text.strip() for message in responses):
        raise ValueError(f"{record.place} has no response by the assistant; add one, or remove the row")
    if all(message.masked for message in responses):
        raise ValueError(
            f"{record.place} has only responses of weight 0; give one weight 1, or remove the row"
        )
    while messages[-1].role != ASSISTANT or messages[-1].masked:
        messages.pop()
        changes[TRAILING] += 1
    if not messages[-1].text.strip():
        raise ValueError(f"{record.place} ends with an empty response; write one, or remove the row")
    changes[MASKED] += sum(message.masked for message in messages if message.role == ASSISTANT)
    changes[TOOLS] += any(record.values.get(name) for name in TOOL_DEFINITIONS)
    return messages


def _read_message(record: _Record) -> Message:
    """A message in OpenAI's or ShareGPT's format; tool calls and tools' messages raise ValueError."""
    role_name = record.text("role").strip().lower()
    calls = [f"the field {name}" for name in TOOL_CALLS if record.values.get(name)]
    if role_name in TOOL_ROLES or calls:
        raise ValueError(
            f"{record.place} has {calls[0] if calls else f'the role {role_name!r}'}, but tool calls are not "
            "supported; remove the row, or move the tool's text into a user's message"
        )
    if role_name not in ROLE_NAMES:
        raise ValueError(
            f"{record.place} has the role {role_name!r}: must be one of {', '.join(ROLE_NAMES)}; fix the row"
        )
    role, weight = ROLE_NAMES[role_name], record.values.get(WEIGHT)
    if weight not in (None, 0, 1):
        raise ValueError(
            f"{record.place} has weight={weight!r}: must be 0 (mask it) or 1 (train on it); fix the row"
        )
    return Message(role, _content(record), masked=weight == 0)


def _content(record: _Record) -> str:
    """A message's text; OpenAI's lists of text parts are joined."""
    parts = record.value("content")
    if not isinstance(parts, list):
        return record.text("content")
    for part in parts:
        if (
            not isinstance(part, Mapping)
            or part.get("type") != "text"
            or not isinstance(part.get("text"), str)
        ):
            raise ValueError(f"{record.place} has a part that is not text: {str(part)[:60]}; remove the row")
    return "".join(part["text"] for part in parts)
