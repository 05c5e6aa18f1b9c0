"""Chat templates: render a conversation as token ids, with a mask of the ids that the loss counts.

Training, evaluation, chat and export share this renderer. A template puts a string before and after each message.
Where such a string names a special token of the tokenizer ("<|user|>"), it is encoded as that token, otherwise as
text. A message's own text is encoded separately, so it never becomes a special token. In every template a response
ends with the end-of-text token.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from foundling.text.tokenizer import END_OF_TEXT, UNKNOWN, Tokenizer

Role: TypeAlias = Literal["system", "user", "assistant"]
SYSTEM: Final = "system"
USER: Final = "user"
ASSISTANT: Final = "assistant"
ROLES: tuple[Role, ...] = (SYSTEM, USER, ASSISTANT)


@dataclass(frozen=True)
class Message:
    """One message of a conversation; the loss never counts a masked one."""

    role: Role
    text: str
    masked: bool = False


@dataclass(frozen=True)
class Template:
    """How a conversation is written: the strings before and after the text of each role."""

    markers: dict[Role, tuple[str, str]]
    separator: str  # between an instruction and its input
    preamble: str | None = None  # the system message of conversations that have none

    def user_text(self, instruction: str, context: str = "") -> str:
        """Join an instruction and its input, which may be empty."""
        return f"{instruction}{self.separator}{context}" if context else instruction


@dataclass(frozen=True)
class Rendered:
    """A conversation's ids (T,), and whether the loss counts each (T,)."""

    ids: list[int]
    loss_mask: list[bool]


def _markers(start: str, end: str) -> dict[Role, tuple[str, str]]:
    return {role: (start.format(role), END_OF_TEXT if role == ASSISTANT else end) for role in ROLES}


TEMPLATES = {
    # Stanford Alpaca (Taori et al. 2023)
    "alpaca": Template(
        {SYSTEM: ("", "\n\n"), USER: ("### Instruction:\n", "\n\n"), ASSISTANT: ("### Response:\n", END_OF_TEXT)},
        separator="\n\n### Input:\n",
        preamble="Below is an instruction that describes a task. "
        "Write a response that appropriately completes the request.",
    ),
    # Phi-3 (Abdin et al. 2024): the shortest, so it leaves most of a small context to the text
    "phi3": Template(_markers("<|{}|>\n", "<|end|>\n"), separator="\n"),
    # ChatML (OpenAI 2023), used by many open models
    "chatml": Template(_markers("<|im_start|>{}\n", "<|im_end|>\n"), separator="\n"),
}


def render(
    messages: Sequence[Message],
    template: Template,
    tokenizer: Tokenizer,
    *,
    loss_on: Literal["answer", "all"] = "answer",
    learn_end: bool = True,
) -> Rendered:
    """Encode a conversation; the ids of its first messages are a prefix of its ids.

    The loss counts the responses, or with `loss_on="all"` every message, without those that are masked.
    `learn_end` includes the responses' end-of-text tokens. Tokens for unknown characters never count.
    """
    ids: list[int] = []
    loss_mask: list[bool] = []
    for message in _with_preamble(messages, template):
        is_response = message.role == ASSISTANT
        counts = not message.masked and (loss_on == "all" or is_response)
        before, after = (_encode_marker(marker, tokenizer) for marker in template.markers[message.role])
        text = tokenizer.encode(message.text.strip())
        ids += [*before, *text, *after]
        loss_mask += [counts and loss_on == "all"] * len(before) + [counts] * len(text)
        loss_mask += [counts and (learn_end or not is_response)] * len(after)
    unknown = tokenizer.special_ids.get(UNKNOWN)
    if unknown in ids:
        loss_mask = [counts and token != unknown for token, counts in zip(ids, loss_mask, strict=True)]
    return Rendered(ids, loss_mask)


def render_prompt(messages: Sequence[Message], template: Template, tokenizer: Tokenizer) -> list[int]:
    """The ids after which the assistant's response starts."""
    return render(messages, template, tokenizer).ids + _encode_marker(template.markers[ASSISTANT][0], tokenizer)


def jinja(template: Template) -> str:
    """The template in Jinja, as in Hugging Face's `chat_template` and in GGUF."""
    parts = []
    if template.preamble is not None:
        before, after = template.markers[SYSTEM]
        text = _quoted(before + template.preamble + after)
        parts.append("{% if messages[0]['role'] != 'system' %}{{ " + text + " }}{% endif %}")
    parts.append("{% for message in messages %}")
    for number, role in enumerate(ROLES):
        before, after = map(_quoted, template.markers[role])
        parts.append("{% " + ("elif" if number else "if") + f" message['role'] == '{role}' " + "%}")
        parts.append("{{ " + f"{before} + message['content'].strip() + {after}" + " }}")
    parts.append("{% endif %}{% endfor %}")
    parts.append("{% if add_generation_prompt %}{{ " + _quoted(template.markers[ASSISTANT][0]) + " }}{% endif %}")
    return "".join(parts)


def _with_preamble(messages: Sequence[Message], template: Template) -> Sequence[Message]:
    if template.preamble is None or (messages and messages[0].role == SYSTEM):
        return messages
    return [Message(SYSTEM, template.preamble), *messages]


@lru_cache(maxsize=64)
def _encode_marker(marker: str, tokenizer: Tokenizer) -> list[int]:
    """Encode a template's string, with the special tokens that it names."""
    specials = "|".join(map(re.escape, tokenizer.specials))
    ids: list[int] = []
    for part in filter(None, re.split(f"({specials})", marker)):
        ids += [tokenizer.special_ids[part]] if part in tokenizer.special_ids else tokenizer.encode(part)
    return ids


def _quoted(text: str) -> str:
    """A Jinja string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
