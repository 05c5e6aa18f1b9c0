"""A conversation with a chat model, which streams its response to each user message."""

import codecs
from collections.abc import Generator, Iterable, Iterator

from foundling.generation.decode import generate
from foundling.generation.sampling import Sampling
from foundling.model.interface import LanguageModel
from foundling.text.prompts import ASSISTANT, SYSTEM, USER, ChatTemplate, Message, render_prompt
from foundling.text.tokenizer import Tokenizer


def decode_stream(tokenizer: Tokenizer, ids: Iterable[int]) -> Iterator[str]:
    """Decode a stream of ids into a stream of texts, each of complete characters; others become U+FFFD."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for token in ids:
        if text := decoder.decode(tokenizer.decode_bytes([token])):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text


class Assistant:
    """A chat model and its conversation.

    If the conversation leaves too little of the context for a response, its oldest turns are dropped from the
    prompt, then the beginning of the newest message. `dropped` is the number of messages missing from the
    last prompt.
    """

    def __init__(
        self,
        model: LanguageModel,
        tokenizer: Tokenizer,
        template: ChatTemplate,
        *,
        system: str | None,
        sampling: Sampling,
        max_new_tokens: int,
        seed: int,
    ) -> None:
        self.model, self.tokenizer, self.template = model, tokenizer, template
        self.sampling, self.max_new_tokens, self.seed = sampling, max_new_tokens, seed
        context = model.config.context
        self.longest_prompt = context - max(1, min(max_new_tokens, context // 2))
        self.reset(system)

    def reset(self, system: str | None) -> None:
        """Start a new conversation with this system message."""
        self.system = system
        self.messages: list[Message] = []
        self.dropped = 0

    def reply(self, text: str) -> Generator[str]:
        """Stream the response to a user message; both join the conversation, even if reading stops early."""
        self.messages.append(Message(USER, text))
        response = ""
        try:
            seed, ends = self.seed + len(self.messages), self.template.ends(self.tokenizer)
            ids = generate(self.model, self._prompt(), self.max_new_tokens, self.sampling, ends, seed)
            for piece in decode_stream(self.tokenizer, ids):
                response += piece
                yield piece
        finally:
            self.messages.append(Message(ASSISTANT, response.strip()))

    def _prompt(self) -> list[int]:
        """The ids of as many of the latest turns as leave enough of the context for a response."""
        system = [Message(SYSTEM, self.system)] if self.system else []
        for first in range(0, len(self.messages), 2):  # a turn is a user's message and the response
            ids = render_prompt([*system, *self.messages[first:]], self.template, self.tokenizer)
            self.dropped = first
            if len(ids) <= self.longest_prompt:
                break
        return ids[-self.longest_prompt :]
