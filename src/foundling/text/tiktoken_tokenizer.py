"""Tokenizers run by tiktoken: a BPE trained here, GPT-2's vocabulary, and characters."""

import base64
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import tiktoken
from pydantic.dataclasses import dataclass

from foundling.artifacts import atomic_folder, fingerprint, read_json, write_json
from foundling.text.byte_alphabet import printable
from foundling.text.runs import LONGEST_RUN, without_long_runs
from foundling.text.tokenizer import END_OF_TEXT, UNKNOWN, Tokenizer
from foundling.validation import STRICT, build

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
# GPT-2's pattern (Radford et al. 2019): contractions, words after a space, numbers, punctuation, white space
GPT2_PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
CHARACTER_PATTERN = r"(?s:.)"
SETTINGS, RANKS = "tokenizer.json", "tokens.tiktoken"
MAX_PATTERN, MAX_LINE = 10_000, 1 << 16  # characters, bytes
PER_TASK = 256  # texts in each task of a thread


class TiktokenTokenizer(Tokenizer):
    """A vocabulary whose special tokens have the last ids.

    Args:
        ranks: the id of each token's bytes.
        pattern: the regular expression whose matches are encoded one by one.
        normal_form: the Unicode normal form that texts are converted to first.
    """

    def __init__(
        self,
        ranks: dict[bytes, int],
        pattern: str,
        specials: Sequence[str] = (END_OF_TEXT,),
        normal_form: Form | None = None,
    ) -> None:
        _check(ranks, pattern, specials)
        self.pattern, self.ranks, self.normal_form = pattern, ranks, normal_form
        self.special_ids = {name: len(ranks) + i for i, name in enumerate(specials)}
        try:
            self.encoding = tiktoken.Encoding(
                "foundling", pat_str=pattern, mergeable_ranks=ranks, special_tokens=self.special_ids
            )
        except ValueError as error:
            raise ValueError(f"the pattern {pattern[:60]!r} is not a regular expression ({error})") from None
        self.end_of_text = self.special_ids[END_OF_TEXT]
        self.unknown_id = self.special_ids.get(UNKNOWN)
        self.vocab_size = len(ranks) + len(specials)
        self._characters = _decoded(ranks) if pattern == CHARACTER_PATTERN else None

    @cached_property
    def fingerprint(self) -> str:
        tokens = [token.hex() for token in sorted(self.ranks, key=self.ranks.__getitem__)]
        return fingerprint({"tokens": tokens} | self._settings())

    @cached_property
    def token_bytes(self) -> list[bytes]:
        ordered = sorted(self.ranks, key=self.ranks.__getitem__)
        return [*ordered, *(name.encode() for name in self.specials)]

    @property
    def vocabulary(self) -> dict[str, int]:
        return {printable(token): rank for token, rank in self.ranks.items()} | self.special_ids

    def encode(self, text: str) -> list[int]:
        """Ids of a text; no part of it becomes a special token.

        A character that a character vocabulary lacks becomes UNKNOWN if the vocabulary has that token, and
        raises ValueError otherwise. Runs of more than LONGEST_RUN characters without white space, or of white
        space, are cut.
        """
        text = unicodedata.normalize(self.normal_form, text) if self.normal_form else text
        if self._characters is not None:
            return self._encode_characters(text)
        if len(text) <= LONGEST_RUN:
            return self.encoding.encode_ordinary(text)
        return list(chain.from_iterable(map(self.encoding.encode_ordinary, without_long_runs(text))))

    def encode_batch(self, texts: list[str], threads: int) -> list[list[int]]:
        """Ids of many texts, encoded by several threads; a task has many texts, since most are short."""
        tasks = (texts[at : at + PER_TASK] for at in range(0, len(texts), PER_TASK))
        with ThreadPoolExecutor(threads) as pool:
            encoded = pool.map(lambda task: [self.encode(text) for text in task], tasks)
            return list(chain.from_iterable(encoded))

    def unknown(self, texts: Iterable[str]) -> Counter[str]:
        """The characters that a character vocabulary lacks, and how often; BPE vocabularies lack none."""
        if self._characters is None:
            return Counter()
        counts = Counter(chain.from_iterable(texts))
        return Counter({character: n for character, n in counts.items() if character not in self._characters})

    def _encode_characters(self, text: str) -> list[int]:
        """Ids of a text, one for each character."""
        assert self._characters is not None
        lacking = set(text) - self._characters
        if not lacking:
            return self.encoding.encode_ordinary(text)
        if self.unknown_id is None:
            raise ValueError(
                f"the character {min(lacking)!r} is not in this character vocabulary of {len(self.ranks)}; "
                f"remove it, add {UNKNOWN} to tokenizer.specials and train the base model again, or use "
                "tokenizer=bpe, which can encode any text"
            )
        return [
            self.unknown_id if character in lacking else self.ranks[character.encode()] for character in text
        ]

    def decode(self, ids: Sequence[int]) -> str:
        return self.encoding.decode(list(ids), errors="replace")

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        return self.encoding.decode_bytes(list(ids))

    def save(self, folder: Path) -> None:
        """Write the tokens in tiktoken's format, and the pattern and the special tokens as JSON."""
        with atomic_folder(folder) as temporary:
            ordered = sorted(self.ranks.items(), key=lambda item: item[1])
            lines = (f"{base64.b64encode(token).decode()} {i}\n" for token, i in ordered)
            (temporary / RANKS).write_text("".join(lines))
            write_json(temporary / SETTINGS, self._settings() | {"vocab_size": self.vocab_size})

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {"pattern": self.pattern, "specials": self.specials}
        return settings | ({"normal_form": self.normal_form} if self.normal_form else {})

    @staticmethod
    def load(folder: Path) -> "TiktokenTokenizer":
        """Read what `save` wrote."""
        values = read_json(folder / SETTINGS)
        try:
            settings = build(Settings, values, SETTINGS)
            tokenizer = TiktokenTokenizer(
                read_ranks(folder / RANKS), settings.pattern, settings.specials, settings.normal_form
            )
            if settings.vocab_size not in (None, tokenizer.vocab_size):
                found = tokenizer.vocab_size
                raise ValueError(f"it says vocab_size={settings.vocab_size} and has {found} tokens")
        except (OSError, ValueError) as error:
            reason = str(error) if isinstance(error, ValueError) else repr(error)
            raise ValueError(
                f"{folder} is not a tokenizer ({reason}); make it again with `dvc repro train_tokenizer`"
            ) from None
        return tokenizer


@dataclass(frozen=True, config=STRICT)
class Settings:
    """What tokenizer.json holds; the tokens have a file of their own."""

    pattern: str
    specials: tuple[str, ...]
    normal_form: Form | None = None
    vocab_size: int | None = None


def _check(ranks: dict[bytes, int], pattern: str, specials: Sequence[str]) -> None:
    """Raise ValueError for what would crash tiktoken, and for a vocabulary that cannot encode every text."""
    if not 0 < len(pattern) <= MAX_PATTERN:
        raise ValueError(f"the pattern {pattern[:60]!r} must be a regular expression, such as GPT-2's")
    if len(set(specials)) < len(specials) or "" in specials:
        raise ValueError(f"the special tokens {str(list(specials))[:60]} must differ, and none may be empty")
    if END_OF_TEXT not in specials:
        raise ValueError(
            f"the special tokens {list(specials)} lack {END_OF_TEXT}, which ends each document; add it"
        )
    if b"" in ranks or sorted(ranks.values()) != list(range(len(ranks))):
        raise ValueError(f"the ids of its {len(ranks)} tokens are not 0 to {len(ranks) - 1}, each once")
    if pattern != CHARACTER_PATTERN and (
        missing := [byte for byte in range(256) if bytes([byte]) not in ranks]
    ):
        raise ValueError(
            f"{len(missing)} of the 256 bytes are not tokens (such as 0x{missing[0]:02x}), so some texts "
            f"have no ids"
        )


def _decoded(ranks: Iterable[bytes]) -> set[str]:
    try:
        return {token.decode() for token in ranks}
    except UnicodeDecodeError as error:
        raise ValueError(f"a token of this character vocabulary is not a character ({error})") from None


def read_ranks(file: Path) -> dict[bytes, int]:
    """Read tiktoken's format: on each line a token's bytes in base64, a space, and its id."""
    ranks: dict[bytes, int] = {}
    with open(file, "rb") as lines:
        for at, line in enumerate(iter(lambda: lines.readline(MAX_LINE), b""), 1):
            token, _, rank = line.strip().partition(b" ")
            if not token:
                continue
            try:
                decoded = base64.b64decode(token, validate=True)
                if decoded in ranks:
                    raise ValueError("it occurs twice")
                ranks[decoded] = int(rank)
            except ValueError as error:
                raise ValueError(f"{file}:{at} is not a token in base64 and its id ({error})") from None
    return ranks
