"""From a stream of tokens to a stream of text: complete characters, up to the first stop string."""

import codecs
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from foundling.serving.stream import Token
from foundling.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Piece:
    """Text that can be sent, the tokens that it completes, and where each starts in the whole text."""

    text: str = ""
    tokens: tuple[Token, ...] = ()
    starts: tuple[int, ...] = ()


def joined(pieces: Iterable[Piece]) -> Piece:
    """Pieces that follow each other as one."""
    text = ""
    tokens: list[Token] = []
    starts: list[int] = []
    for piece in pieces:
        text += piece.text
        tokens += piece.tokens
        starts += piece.starts
    return Piece(text, tuple(tokens), tuple(starts))


class TextBuilder:
    """Decodes tokens, and holds text back while it may be the beginning of a stop string.

    Stop strings are found across the borders of tokens, and are not part of the text. `stopped` says whether
    one was found; later tokens are ignored.
    """

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str] = ()) -> None:
        self._tokenizer, self._stop = tokenizer, tuple(stop)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._sent = 0  # characters
        self._held = ""  # decoded, but not sent
        self._tokens: list[tuple[int, Token]] = []  # those that are not sent, and where they start
        self.stopped = False

    def add(self, token: Token) -> Piece:
        """What can be sent after one more token, which may be nothing."""
        if self.stopped:
            return Piece()
        self._tokens.append((self._sent + len(self._held), token))
        self._held += self._decoder.decode(self._tokenizer.decode_bytes([token.id]))
        at = self._find_stop()
        self.stopped = at is not None
        return self._send(len(self._held) - self._possible_stop() if at is None else at)

    def finish(self) -> Piece:
        """What is left after the last token; bytes of an incomplete character become U+FFFD."""
        if self.stopped:
            return Piece()
        self._held += self._decoder.decode(b"", final=True)
        at = self._find_stop()
        self.stopped = at is not None
        return self._send(len(self._held) if at is None else at, everything=at is None)

    def _send(self, end: int, everything: bool = False) -> Piece:
        """Send the held text before `end`, and the tokens that start in it, or with `everything` all."""
        self._sent += end
        sent = [(start, token) for start, token in self._tokens if everything or start < self._sent]
        self._tokens = self._tokens[len(sent) :]
        text, self._held = self._held[:end], self._held[end:]
        return Piece(text, tuple(token for _, token in sent), tuple(start for start, _ in sent))

    def _find_stop(self) -> int | None:
        found = [at for stop in self._stop if (at := self._held.find(stop)) >= 0]
        return min(found, default=None)

    def _possible_stop(self) -> int:
        """The length of the longest end of the held text that is the beginning of a stop string."""
        longest = min(len(self._held), max(map(len, self._stop), default=0))
        for length in range(longest, 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stop):
                return length
        return 0
