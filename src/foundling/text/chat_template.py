"""The chat template that a published model came with, in Jinja: conversations become ids with a loss mask."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final, Self

from foundling.text.jinja_sandbox import render
from foundling.text.prompts import ASSISTANT, TEMPLATES, USER, ChatTemplate, Message, Part, quoted
from foundling.text.tokenizer import Tokenizer

MODEL: Final = "model"  # the name in settings and chat.json
# A template is rendered with a placeholder for each message, so that a message's text is never parsed with it
_PLACEHOLDER = re.compile("\ue000(\\d{1,9})\ue001")
MAX_REPEATS = 4  # of a message on average
_QUESTION = Message(USER, "a")


def find_template(name: str, tokenizer: Tokenizer) -> ChatTemplate:
    """The template of this name; "model" is the one that came with the tokenizer."""
    if name != MODEL:
        return TEMPLATES[name]
    if tokenizer.chat_template is None:
        raise ValueError(
            f"template={MODEL}: this model came without a chat template; choose one of {', '.join(TEMPLATES)}"
        )
    return JinjaTemplate(tokenizer.chat_template)


@dataclass(frozen=True)
class _Piece:
    """A special token, or text between special tokens.

    `message` is set for the text of a response or of a masked message, and for the token that ends a
    response. Other messages are encoded with the template's text next to them.
    """

    value: str | int
    message: Message | None = None


@dataclass(frozen=True)
class JinjaTemplate(ChatTemplate):
    """A template in Jinja. What it does with a message must not depend on the message's text."""

    source: str

    def parts(self, messages: Sequence[Message], tokenizer: Tokenizer) -> list[Part]:
        return _encode(self._pieces(messages, tokenizer, add_generation_prompt=False), tokenizer)

    def prompt(self, messages: Sequence[Message], tokenizer: Tokenizer) -> list[int]:
        parts = _encode(self._pieces(messages, tokenizer, add_generation_prompt=True), tokenizer)
        return [token for part in parts for token in part.ids]

    def end(self, tokenizer: Tokenizer) -> int:
        parts = self.parts([_QUESTION, Message(ASSISTANT, "a")], tokenizer)
        ends = [part.ids[0] for part in parts if part.kind == "end"]
        if not ends:
            raise ValueError(f"the chat template leaves out responses; choose one of {', '.join(TEMPLATES)}")
        return ends[0]

    def jinja(self, tokenizer: Tokenizer) -> str:
        return self.source

    def with_system(self, text: str) -> Self:
        message = "{'role': 'system', 'content': " + quoted(text) + "}"
        lacks_system = "{% if messages[0]['role'] != 'system' %}"
        head = lacks_system + "{% set messages = [" + message + "] + messages %}{% endif %}"
        return replace(self, source=head + self.source)

    def _pieces(
        self, messages: Sequence[Message], tokenizer: Tokenizer, *, add_generation_prompt: bool
    ) -> list[_Piece]:
        """The rendered conversation, split at special tokens and at the borders of responses."""
        first, *others = _PLACEHOLDER.split(self._render(messages, tokenizer, add_generation_prompt))
        _check_placeholders(others[::2], len(messages))
        pieces = [_Piece(part) for part in tokenizer.split_specials(first)]
        for number, after in zip(others[::2], others[1::2], strict=True):
            message = messages[int(number)]
            is_response, text = message.role == ASSISTANT, message.text.strip()
            if is_response:
                text = self._beyond_prompt(pieces, tokenizer) + text
            pieces.append(_Piece(text, message if is_response or message.masked else None))
            following = [_Piece(part) for part in tokenizer.split_specials(after)]
            pieces += _with_end(following, message, tokenizer) if is_response else following
        return pieces

    def _render(self, messages: Sequence[Message], tokenizer: Tokenizer, add_generation_prompt: bool) -> str:
        """The conversation as text, with a placeholder for each message that is not empty."""
        contents = [f"\ue000{i}\ue001" if message.text.strip() else "" for i, message in enumerate(messages)]
        roles = [message.role for message in messages]
        rows = [{"role": role, "content": content} for role, content in zip(roles, contents, strict=True)]
        flags = {"tools": None, "documents": None, "add_generation_prompt": add_generation_prompt}
        return render(self.source, rows, **tokenizer.names, **flags)

    def _beyond_prompt(self, pieces: list[_Piece], tokenizer: Tokenizer) -> str:
        """Text before a response that prompts lack, such as Qwen3's empty thoughts; removed."""
        last = self._pieces([_QUESTION], tokenizer, add_generation_prompt=True)[-1:]
        opening = last[0].value if last and isinstance(last[0].value, str) else ""
        if not pieces or not isinstance(before := pieces[-1].value, str) or not before.startswith(opening):
            return ""
        pieces[-1] = replace(pieces[-1], value=opening)
        return before[len(opening) :]


def _check_placeholders(numbers: Sequence[str], count: int) -> None:
    """Refuse a template that writes placeholders of its own, or repeats messages without end."""
    if len(numbers) > MAX_REPEATS * count or any(int(number) >= count for number in numbers):
        raise ValueError(
            f"the chat template repeats messages, {len(numbers)} for a conversation of {count}; "
            f"choose one of {', '.join(TEMPLATES)}"
        )


def _with_end(following: list[_Piece], response: Message, tokenizer: Tokenizer) -> list[_Piece]:
    """What follows a response, its end marked; the end is end-of-text if the template has no token for it."""
    values = [piece.value for piece in following]
    at = 1 if values and isinstance(values[0], str) and values[0].isspace() else 0
    if at < len(values) and isinstance(values[at], int):
        return [*following[:at], _Piece(values[at], response), *following[at + 1 :]]
    return [_Piece(tokenizer.end_of_text, response), *following]


def _encode(pieces: Sequence[_Piece], tokenizer: Tokenizer) -> list[Part]:
    parts: list[Part] = []
    for is_text, group in groupby(pieces, key=lambda piece: isinstance(piece.value, str)):
        if is_text:
            texts = [(str(piece.value), piece.message) for piece in group]
            parts += _encode_texts(texts, tokenizer, at_start=not parts)
        else:
            parts += [Part([int(p.value)], "end" if p.message else "template", p.message) for p in group]
    return parts


def _encode_texts(
    texts: Sequence[tuple[str, Message | None]], tokenizer: Tokenizer, *, at_start: bool
) -> Iterator[Part]:
    """Encode texts that follow each other: as one, unless a token would cross the border of a response."""
    encode = tokenizer.encode if at_start else tokenizer.encode_inside
    joined = []
    for message, group in groupby(texts, key=lambda one: one[1]):
        joined.append(("".join(text for text, _ in group), message))
    whole, done, text = encode("".join(text for text, _ in joined)), 0, ""
    rows = []
    for part, _ in joined:
        text += part
        ids = encode(text)
        if whole[: len(ids)] != ids:
            rows = [encode(joined[0][0]), *(tokenizer.encode_inside(part) for part, _ in joined[1:])]
            break
        rows.append(ids[done:])
        done = len(ids)
    for (_, message), ids in zip(joined, rows, strict=True):
        yield Part(ids, "text" if message else "template", message)
