"""A conversation with a tuned model: what the user says in, the answer piece by piece out; it remembers what fits."""

from collections.abc import Generator, Iterable, Iterator

from foundling.generation.decode import generate
from foundling.generation.sampling import Sampling
from foundling.model.gpt import GPT
from foundling.text.prompts import ASSISTANT, SYSTEM, USER, Message, Template, prompt
from foundling.text.tokenizer import Tokenizer

UNFINISHED = "\ufffd"  # how a character is decoded whose last bytes are still to come


def pieces(tokenizer: Tokenizer, ids: Iterable[int]) -> Iterator[str]:
    """The text of ids as they come, cut where characters are whole."""
    waiting: list[int] = []
    for token in ids:
        waiting.append(token)
        text = tokenizer.decode(waiting)
        if not text.endswith(UNFINISHED):
            yield text
            waiting = []
    if waiting:
        yield tokenizer.decode(waiting)


class Assistant:
    """A tuned model with its template, and the conversation so far.

    What a prompt and its answer need beyond the context is made room for: first the oldest turns go, then the
    beginning of the newest message. `forgotten` counts the messages that the last answer did not see any more.
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
        self.room = max(1, min(max_new_tokens, model.config.context // 2))
        self.max_new_tokens = max_new_tokens
        self.begin(system)

    def begin(self, system: str | None) -> None:
        """Start anew, with this system text."""
        self.system = system
        self.messages: list[Message] = []
        self.forgotten = 0

    def reply(self, text: str) -> Generator[str]:
        """The answer to the user's text, in pieces; what was said until it ends, or is closed, is remembered."""
        self.messages.append(Message(USER, text))
        said = ""
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
                said += piece
                yield piece
        finally:
            self.messages.append(Message(ASSISTANT, said.strip()))

    def _prompt(self) -> list[int]:
        """The ids of as much of the conversation as leaves room for an answer."""
        opening = [Message(SYSTEM, self.system)] if self.system else []
        most = self.model.config.context - self.room
        for first in range(0, len(self.messages), 2):  # a turn: what the user said, and the answer
            ids = prompt([*opening, *self.messages[first:]], self.template, self.tokenizer)
            self.forgotten = first
            if len(ids) <= most:
                return ids
        return ids[-most:]
