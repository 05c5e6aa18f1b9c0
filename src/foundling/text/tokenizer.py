"""The interface of all tokenizers, which turn strings into ids and back.

`TiktokenTokenizer` is fast, and runs what is trained here; `LibraryTokenizer` runs the tokenizers of
published models by Hugging Face's tokenizers library.
"""

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

END_OF_TEXT = "<|endoftext|>"
UNKNOWN = "<|unknown|>"  # stands for each character that a character vocabulary lacks
PUBLISHED = "published.json"  # a tokenizer's folder has this file if the tokenizer is a LibraryTokenizer


class Tokenizer(ABC):
    """A vocabulary with its special tokens.

    Attributes:
        special_ids: the ids of the special tokens by name. Text is never encoded as one, except that unknown
            characters may become `unknown_id`.
        end_of_text: the id that ends each document.
        prefix: the ids that precede every text, such as Llama's `<s>`; mostly empty.
        unknown_id: the id of all characters that the vocabulary lacks; None if it can encode any text.
        vocab_size: the highest id plus one.
        chat_template: the chat template that was published with the tokenizer, in Jinja.
        names: the tokens that have a role in a published tokenizer, such as {"eos_token": "</s>"}.
    """

    special_ids: dict[str, int]
    end_of_text: int
    prefix: tuple[int, ...] = ()
    unknown_id: int | None = None
    vocab_size: int
    chat_template: str | None = None
    names: dict[str, str] = {}

    @property
    def specials(self) -> list[str]:
        """The names of the special tokens."""
        return list(self.special_ids)

    @property
    def end_of_text_name(self) -> str:
        """The special token that ends each document."""
        return self.special_name(self.end_of_text)

    def special_name(self, number: int) -> str:
        """The special token with this id."""
        return next(name for name, known in self.special_ids.items() if known == number)

    @property
    def ends(self) -> frozenset[int]:
        """The ids that end a generated text: `end_of_text`, and others that a published model names."""
        return frozenset((self.end_of_text,))

    @property
    def start_of_text(self) -> int:
        """The id to put in front of a text: the prefix's, or the end of a previous document."""
        return self.prefix[-1] if self.prefix else self.end_of_text

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Equal for tokenizers that give equal ids."""

    @property
    @abstractmethod
    def token_bytes(self) -> list[bytes]:
        """The bytes of each id, in the order of ids."""

    @property
    @abstractmethod
    def vocabulary(self) -> dict[str, int]:
        """Ids by token, written as in a tokenizer.json: the bytes of a byte-level BPE in GPT-2's alphabet."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Ids of a text, without the prefix; no part of the text becomes a special token."""

    def encode_inside(self, text: str) -> list[int]:
        """Ids of a text that follows a special token; some kinds put a space only in front of documents."""
        return self.encode(text)

    def encode_prompt(self, text: str) -> list[int]:
        """Ids that a model continues: the prefix and a text. An empty text starts a document."""
        return [*self.prefix, *self.encode(text)] or [self.end_of_text]

    def encode_document(self, text: str) -> list[int]:
        """Ids of the beginning of a document: after the token that comes before each document in training."""
        return [self.start_of_text, *self.encode(text)]

    @abstractmethod
    def encode_batch(self, texts: list[str], threads: int) -> list[list[int]]:
        """Ids of many texts, encoded by several threads."""

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids; bytes of incomplete characters become U+FFFD."""

    @abstractmethod
    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """Bytes of ids: those of each token, joined."""

    @abstractmethod
    def unknown(self, texts: Iterable[str]) -> Counter[str]:
        """The characters that this vocabulary lacks, and how often they occur."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the files that `Tokenizer.load` reads."""

    def split_specials(self, text: str) -> list[str | int]:
        """A template's text as the ids of the special tokens that it names, and the strings between them."""
        parts = filter(None, self._special_pattern.split(text))
        return [self.special_ids.get(part, part) for part in parts]

    @cached_property
    def _special_pattern(self) -> re.Pattern[str]:
        longest_first = sorted(self.special_ids, key=len, reverse=True)
        return re.compile(f"({'|'.join(map(re.escape, longest_first))})")

    @staticmethod
    def load(folder: Path) -> "Tokenizer":
        """Read what `save` wrote."""
        if (folder / PUBLISHED).is_file():
            from foundling.text.library_tokenizer import LibraryTokenizer

            return LibraryTokenizer.load(folder)
        from foundling.text.tiktoken_tokenizer import TiktokenTokenizer

        return TiktokenTokenizer.load(folder)
