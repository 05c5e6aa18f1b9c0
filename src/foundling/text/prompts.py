"""Chat templates: render a conversation as token ids, with a mask of the ids that the loss counts.

Training, evaluation, chat and export share `render` and `render_prompt`. There are two kinds of templates:
`Template` puts a string before and after each message, and `chat_template.JinjaTemplate` is the template of a
published model. In both, the template's strings are parsed for special tokens ("<|user|>") and messages are
not, so nothing that a user writes becomes a special token.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal, Self, TypeAlias

from foundling.text.tokenizer import END_OF_TEXT, Tokenizer

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
class Part:
    """Ids of a rendered conversation that belong together.

    `kind` says whether they are a message's text, what ends it, or other text of the template.
    """

    ids: Sequence[int]
    kind: Literal["text", "end", "template"]
    message: Message | None = None


@dataclass(frozen=True)
class Rendered:
    """A conversation's ids (T,), and whether the loss counts each (T,)."""

    ids: list[int]
    loss_mask: list[bool]


class ChatTemplate(ABC):
    """How a conversation is written."""

    @abstractmethod
    def parts(self, messages: Sequence[Message], tokenizer: Tokenizer) -> list[Part]:
        """The ids of a conversation."""

    @abstractmethod
    def prompt(self, messages: Sequence[Message], tokenizer: Tokenizer) -> list[int]:
        """The ids after which the assistant's response starts."""

    @abstractmethod
    def end(self, tokenizer: Tokenizer) -> int:
        """The id that the template writes after a response."""

    def ends(self, tokenizer: Tokenizer) -> frozenset[int]:
        """The ids that end a response: the template's own, and those that end any text of the model."""
        return tokenizer.ends | {self.end(tokenizer)}

    @abstractmethod
    def jinja(self, tokenizer: Tokenizer) -> str:
        """The template in Jinja, as in Hugging Face's `chat_template` and in GGUF."""

    @abstractmethod
    def with_system(self, text: str) -> Self:
        """The same template with this system message for conversations that have none."""


@dataclass(frozen=True)
class Template(ChatTemplate):
    """The strings before and after each role's text; END_OF_TEXT means the tokenizer's end of text."""

    markers: dict[Role, tuple[str, str]]
    separator: str  # between an instruction and its input
    preamble: str | None = None  # the system message of conversations that have none

    def parts(self, messages: Sequence[Message], tokenizer: Tokenizer) -> list[Part]:
        parts = [Part(tokenizer.prefix, "template")]
        for message in self._with_preamble(messages):
            before, after = (_encode_marker(marker, tokenizer) for marker in self.markers[message.role])
            parts.append(Part(before, "template", message))
            parts.append(Part(tokenizer.encode(message.text.strip()), "text", message))
            parts.append(Part(after, "end", message))
        return parts

    def prompt(self, messages: Sequence[Message], tokenizer: Tokenizer) -> list[int]:
        before_response = _encode_marker(self.markers[ASSISTANT][0], tokenizer)
        return [*_ids(self.parts(messages, tokenizer)), *before_response]

    def end(self, tokenizer: Tokenizer) -> int:
        return tokenizer.end_of_text

    def with_system(self, text: str) -> Self:
        return replace(self, preamble=text)

    def jinja(self, tokenizer: Tokenizer) -> str:
        parts = []
        if self.preamble is not None:
            before, after = self.markers[SYSTEM]
            text = quoted(before + self.preamble + after)
            parts.append("{% if messages[0]['role'] != 'system' %}{{ " + text + " }}{% endif %}")
        parts.append("{% for message in messages %}")
        for number, role in enumerate(ROLES):
            before, after = self.markers[role]
            after = after.replace(END_OF_TEXT, tokenizer.end_of_text_name)
            parts.append("{% " + ("elif" if number else "if") + f" message['role'] == '{role}' " + "%}")
            parts.append("{{ " + f"{quoted(before)} + message['content'].strip() + {quoted(after)}" + " }}")
        parts.append("{% endif %}{% endfor %}")
        before_response = quoted(self.markers[ASSISTANT][0])
        parts.append("{% if add_generation_prompt %}{{ " + before_response + " }}{% endif %}")
        return "".join(parts)

    def _with_preamble(self, messages: Sequence[Message]) -> Sequence[Message]:
        if self.preamble is None or (messages and messages[0].role == SYSTEM):
            return messages
        return [Message(SYSTEM, self.preamble), *messages]


def _markers(start: str, end: str) -> dict[Role, tuple[str, str]]:
    return {role: (start.format(role), END_OF_TEXT if role == ASSISTANT else end) for role in ROLES}


TEMPLATES = {
    # Stanford Alpaca (Taori et al. 2023)
    "alpaca": Template(
        {
            SYSTEM: ("", "\n\n"),
            USER: ("### Instruction:\n", "\n\n"),
            ASSISTANT: ("### Response:\n", END_OF_TEXT),
        },
        separator="\n\n### Input:\n",
        preamble="Below is an instruction that describes a task. "
        "Write a response that appropriately completes the request.",
    ),
    # Phi-3 (Abdin et al. 2024): the shortest, so it leaves most of a small context to the text
    "phi3": Template(_markers("<|{}|>\n", "<|end|>\n"), separator="\n"),
    # ChatML (OpenAI 2023), used by many open models
    "chatml": Template(_markers("<|im_start|>{}\n", "<|im_end|>\n"), separator="\n"),
}


def user_text(template: str, instruction: str, context: str = "") -> str:
    """Join an instruction and its input, which may be empty, as the template of this name does."""
    separator = TEMPLATES[template].separator if template in TEMPLATES else "\n"
    return f"{instruction}{separator}{context}" if context else instruction


def render(
    messages: Sequence[Message],
    template: ChatTemplate,
    tokenizer: Tokenizer,
    *,
    loss_on: Literal["answer", "all"] = "answer",
    learn_end: bool = True,
) -> Rendered:
    """Encode a conversation.

    The loss counts the responses, or with `loss_on="all"` everything, without the messages that are masked.
    `learn_end` includes the tokens that end responses. Tokens for unknown characters never count.
    """
    ids: list[int] = []
    loss_mask: list[bool] = []
    for part in template.parts(messages, tokenizer):
        ids += part.ids
        loss_mask += [_counts(part, loss_on, learn_end)] * len(part.ids)
    unknown = tokenizer.unknown_id
    if unknown is not None and unknown in ids:
        loss_mask = [counts and token != unknown for token, counts in zip(ids, loss_mask, strict=True)]
    return Rendered(ids, loss_mask)


def render_prompt(messages: Sequence[Message], template: ChatTemplate, tokenizer: Tokenizer) -> list[int]:
    """The ids after which the assistant's response starts."""
    return template.prompt(messages, tokenizer)


def render_response(
    messages: Sequence[Message], template: ChatTemplate, tokenizer: Tokenizer
) -> tuple[list[int], list[int]]:
    """The ids before the last message, which is a response, and those of the response and its end."""
    prompt = template.prompt(messages[:-1], tokenizer)
    ids, end = _ids(template.parts(messages, tokenizer)), template.end(tokenizer)
    response = ids[len(prompt) :]
    return prompt, response[: response.index(end) + 1] if end in response else response


def _counts(part: Part, loss_on: Literal["answer", "all"], learn_end: bool) -> bool:
    message = part.message
    is_response = message is not None and message.role == ASSISTANT
    if message is not None and message.masked:
        return False
    if part.kind == "end" and is_response:
        return learn_end
    return loss_on == "all" or (part.kind == "text" and is_response)


def _ids(parts: Sequence[Part]) -> list[int]:
    return [token for part in parts for token in part.ids]


@lru_cache(maxsize=64)
def _encode_marker(marker: str, tokenizer: Tokenizer) -> list[int]:
    """Encode a template's string, with the special tokens that it names."""
    if marker == END_OF_TEXT:
        return [tokenizer.end_of_text]
    ids: list[int] = []
    for part in tokenizer.split_specials(marker):
        ids += [part] if isinstance(part, int) else tokenizer.encode(part)
    return ids


def quoted(text: str) -> str:
    """A Jinja string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
