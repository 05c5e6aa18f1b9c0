"""A conversation with a chat model: user messages in, answers out as a stream of text."""

from collections.abc import Generator, Iterable, Iterator

from foundling.generation.decode import generate
from foundling.generation.sampling import Sampling
from foundling.model.gpt import GPT
from foundling.text.prompts import ASSISTANT, SYSTEM, USER, Message, Template, prompt
from foundling.text.tokenizer import Tokenizer

UNFINISHED = "\ufffd"  # decoded in place of an incomplete character


def pieces(tokenizer: Tokenizer, ids: Iterable[int]) -> Iterator[str]:
    """Decode a stream of ids into pieces of text that contain whole characters."""
    pending: list[int] = []
    for token in ids:
        pending.append(token)
        text = tokenizer.decode(pending)
        if not text.endswith(UNFINISHED):
            yield text
            pending = []
    if pending:
        yield tokenizer.decode(pending)


class Assistant:
    """A chat model with its template, and the conversation so far.

    Where the conversation and an answer exceed the context, the oldest turns are dropped, then the beginning
    of the newest message. `forgotten` is the number of messages that were dropped for the last answer.
    """

    def __init__(
        self,
        model: GPT,
        tokenizer: Tokenizer,
        template: Template,
        *,
        system: str | None,
        sampling: Sampling,
        max_new_tokens: int,
        seed: int,
    ) -> None:
        self.model, self.tokenizer, self.template = model, tokenizer, template
        self.sampling, self.seed = sampling, seed
        self.reserved = max(1, min(max_new_tokens, model.config.context // 2))
        self.max_new_tokens = max_new_tokens
        self.begin(system)

    def begin(self, system: str | None) -> None:
        """Start a new conversation with this system prompt."""
        self.system = system
        self.messages: list[Message] = []
        self.forgotten = 0

    def reply(self, text: str) -> Generator[str]:
        """Stream the answer to the user's text; the part that was streamed becomes part of the conversation."""
        self.messages.append(Message(USER, text))
        answer = ""
        try:
            ids = generate(
                self.model,
                self._prompt(),
                self.max_new_tokens,
                self.sampling,
                self.tokenizer.end_of_text,
                self.seed + len(self.messages),
            )
            for piece in pieces(self.tokenizer, ids):
                answer += piece
                yield piece
        finally:
            self.messages.append(Message(ASSISTANT, answer.strip()))

    def _prompt(self) -> list[int]:
        """The ids of the latest part of the conversation that leaves space for an answer."""
        system = [Message(SYSTEM, self.system)] if self.system else []
        longest = self.model.config.context - self.reserved
        for first in range(0, len(self.messages), 2):  # a turn is a user message and an answer
            ids = prompt([*system, *self.messages[first:]], self.template, self.tokenizer)
            self.forgotten = first
            if len(ids) <= longest:
                return ids
        return ids[-longest:]
