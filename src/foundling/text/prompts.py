"""The one renderer of conversations: messages in, token ids out, and which of them are an answer to be learned.

Training, evaluation, chat and export all call it. A template is two strings around each role's text; where a string
names a special token of the tokenizer ("<|user|>"), it becomes that token, else it is written out as text. What a user
says is encoded apart and never becomes a special token. Each answer ends with the end-of-text token, in every template.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from foundling.text.tokenizer import END_OF_TEXT, UNKNOWN, Tokenizer

SYSTEM, USER, ASSISTANT = "system", "user", "assistant"
ROLES = (SYSTEM, USER, ASSISTANT)


@dataclass(frozen=True)
class Message:
    """What one side of a conversation says; `learned` is false for an answer that is read, but not learned."""

    role: str
    text: str
    learned: bool = True

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"found a message of role {self.role!r}; allowed are {', '.join(ROLES)}; fix it")


@dataclass(frozen=True)
class Template:
    """How a conversation is written: what stands before and after each role's text."""

    marks: dict[str, tuple[str, str]]
    joint: str  # between an instruction and its input
    preamble: str | None = None  # the system text where none is given

    def asks(self, instruction: str, given: str = "") -> str:
        """An instruction and its input, if it has one, as one user's text."""
        return f"{instruction}{self.joint}{given}" if given else instruction


@dataclass(frozen=True)
class Rendered:
    """A conversation's ids (T,), and for each whether the loss counts it."""

    ids: list[int]
    learned: list[bool]


TEMPLATES = {
    # Stanford Alpaca (Taori et al. 2023)
    "alpaca": Template(
        {SYSTEM: ("", "\n\n"), USER: ("### Instruction:\n", "\n\n"), ASSISTANT: ("### Response:\n", END_OF_TEXT)},
        joint="\n\n### Input:\n",
        preamble="Below is an instruction that describes a task. "
        "Write a response that appropriately completes the request.",
    ),
    # Phi-3 (Abdin et al. 2024): the shortest, so that most of a small context is left for the text
    "phi3": Template(
        {
            SYSTEM: ("<|system|>\n", "<|end|>\n"),
            USER: ("<|user|>\n", "<|end|>\n"),
            ASSISTANT: ("<|assistant|>\n", END_OF_TEXT),
        },
        joint="\n",
    ),
    # ChatML (OpenAI 2023), as many open models write it
    "chatml": Template(
        {
            SYSTEM: ("<|im_start|>system\n", "<|im_end|>\n"),
            USER: ("<|im_start|>user\n", "<|im_end|>\n"),
            ASSISTANT: ("<|im_start|>assistant\n", END_OF_TEXT),
        },
        joint="\n",
    ),
}


def template_of(name: str) -> Template:
    """A template by its name."""
    if name not in TEMPLATES:
        raise ValueError(f"found template {name!r}; allowed are {', '.join(TEMPLATES)}; mend instruct.template")
    return TEMPLATES[name]


def render(
    messages: Sequence[Message], template: Template, tokenizer: Tokenizer, *, loss_on: str = "answer", end: bool = True
) -> Rendered:
    """A whole conversation. `loss_on` says what counts, "answer" or "all"; `end` whether the answers' end-of-text does.

    A message that is not `learned` and the token for unknown characters never count. The ids of a conversation's
    beginning are the beginning of its ids.
    """
    if loss_on not in ("answer", "all"):
        raise ValueError(f"found loss_on={loss_on!r}; allowed are answer, all; mend instruct.loss_on")
    ids: list[int] = []
    learned: list[bool] = []
    for message in _opened(messages, template):
        before, after = template.marks[message.role]
        counts = message.learned and (loss_on == "all" or message.role == ASSISTANT)
        opening, closing = _mark(before, tokenizer), _mark(after, tokenizer)
        text = tokenizer.encode(message.text.strip())
        ids += [*opening, *text, *closing]
        learned += [counts and loss_on == "all"] * len(opening) + [counts] * len(text)
        learned += [counts and (end or message.role != ASSISTANT)] * len(closing)
    unknown = tokenizer.special_ids.get(UNKNOWN)
    if unknown in ids:
        learned = [counts and token != unknown for token, counts in zip(ids, learned, strict=True)]
    return Rendered(ids, learned)


def prompt(messages: Sequence[Message], template: Template, tokenizer: Tokenizer) -> list[int]:
    """The ids up to where the assistant begins to answer."""
    return render(messages, template, tokenizer).ids + _mark(template.marks[ASSISTANT][0], tokenizer)


def jinja(template: Template) -> str:
    """The same template in Jinja, as Hugging Face's `chat_template` and GGUF hold it."""
    parts = []
    if template.preamble is not None:
        opening, closing = template.marks[SYSTEM]
        text = _quoted(opening + template.preamble + closing)
        parts.append("{% if messages[0]['role'] != 'system' %}{{ " + text + " }}{% endif %}")
    parts.append("{% for message in messages %}")
    for number, role in enumerate(ROLES):
        before, after = map(_quoted, template.marks[role])
        parts.append("{% " + ("elif" if number else "if") + f" message['role'] == '{role}' " + "%}")
        parts.append("{{ " + f"{before} + message['content'].strip() + {after}" + " }}")
    parts.append("{% endif %}{% endfor %}")
    parts.append("{% if add_generation_prompt %}{{ " + _quoted(template.marks[ASSISTANT][0]) + " }}{% endif %}")
    return "".join(parts)


def _opened(messages: Sequence[Message], template: Template) -> list[Message]:
    """The conversation with the template's own system text in front, where it has none."""
    if template.preamble is None or (messages and messages[0].role == SYSTEM):
        return list(messages)
    return [Message(SYSTEM, template.preamble), *messages]


@lru_cache(maxsize=64)
def _mark(text: str, tokenizer: Tokenizer) -> list[int]:
    """Ids of a template's own string, with the special tokens that it names; the same few for each message."""
    specials = "|".join(map(re.escape, tokenizer.specials))
    ids: list[int] = []
    for part in filter(None, re.split(f"({specials})", text)):
        ids += [tokenizer.special_ids[part]] if part in tokenizer.special_ids else tokenizer.encode(part)
    return ids


def _quoted(text: str) -> str:
    """A Jinja string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
