"""Strings to ids and back, on tiktoken: one type for a BPE trained here, GPT-2's vocabulary, and characters."""

import base64
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args

import tiktoken

from foundling.artifacts import atomic_folder, fingerprint, read_json, sha256, write_json
from foundling.text.runs import LONGEST_RUN, without_long_runs

END_OF_TEXT = "<|endoftext|>"
UNKNOWN = "<|unknown|>"  # stands for each character that a character vocabulary lacks
Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
# GPT-2's pattern: contractions, words with their space, numbers, punctuation, white space (Radford et al. 2019)
GPT2_PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
CHARACTER_PATTERN = r"(?s:.)"
GPT2_FILE = "gpt2_bpe/gpt2.tiktoken"
GPT2_SHA256 = "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"
SETTINGS, RANKS = "tokenizer.json", "tokens.tiktoken"
LONGEST_PATTERN, LONGEST_TOKEN = 10_000, 1 << 16  # characters, bytes of a line
PER_TASK = 256  # texts that a thread encodes before it asks for more


class Tokenizer:
    """A vocabulary: `ranks` maps each token's bytes to its id, specials follow with the next ids, end-of-text first."""

    def __init__(
        self,
        ranks: dict[bytes, int],
        pattern: str,
        specials: Sequence[str] = (END_OF_TEXT,),
        normal_form: Form | None = None,  # of Unicode, that texts are brought into first: NFC … or None
    ) -> None:
        _check(ranks, pattern, specials, normal_form)
        self.pattern, self.specials, self.ranks, self.normal_form = pattern, list(specials), ranks, normal_form
        self.special_ids = {name: len(ranks) + i for i, name in enumerate(specials)}
        try:
            self.encoding = tiktoken.Encoding(
                "foundling", pat_str=pattern, mergeable_ranks=ranks, special_tokens=self.special_ids
            )
        except ValueError as error:
            raise ValueError(f"the pattern {pattern[:60]!r} is no regular expression ({error})") from None
        self.end_of_text = self.special_ids[END_OF_TEXT]
        self.vocab_size = len(ranks) + len(specials)
        self._characters = _decoded(ranks) if pattern == CHARACTER_PATTERN else None

    @cached_property
    def fingerprint(self) -> str:
        """Equal for tokenizers that give equal ids."""
        tokens = [token.hex() for token in sorted(self.ranks, key=self.ranks.__getitem__)]
        return fingerprint({"tokens": tokens} | self._settings())

    def encode(self, text: str) -> list[int]:
        """Ids of a text; whatever it says, it never becomes a special token.

        A character that a character vocabulary lacks becomes UNKNOWN where the vocabulary has that token, and is
        refused otherwise. Runs of more than LONGEST_RUN characters without a space, or of white space, are cut first.
        """
        text = unicodedata.normalize(self.normal_form, text) if self.normal_form else text
        if self._characters is not None:
            return self._encode_characters(text)
        if len(text) <= LONGEST_RUN:
            return self.encoding.encode_ordinary(text)
        return list(chain.from_iterable(map(self.encoding.encode_ordinary, without_long_runs(text))))

    def encode_batch(self, texts: list[str], threads: int) -> list[list[int]]:
        """Ids of many texts, by several threads; each takes many texts at a time, as most are short."""
        parts = (texts[at : at + PER_TASK] for at in range(0, len(texts), PER_TASK))
        with ThreadPoolExecutor(threads) as pool:
            return list(chain.from_iterable(pool.map(lambda part: [self.encode(text) for text in part], parts)))

    def unknown(self, texts: Iterable[str]) -> Counter[str]:
        """The characters that this vocabulary lacks, and how often they occur; byte-pair vocabularies lack none."""
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
        if UNKNOWN not in self.special_ids:
            raise ValueError(
                f"the character {min(lacking)!r} is not in this character vocabulary of {len(self.ranks)}; "
                f"leave it out, add {UNKNOWN} to tokenizer.specials and make the base model again, or use "
                "tokenizer=bpe, which can write any text"
            )
        unknown = self.special_ids[UNKNOWN]
        return [unknown if character in lacking else self.ranks[character.encode()] for character in text]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids; bytes that are no whole character become U+FFFD."""
        return self.encoding.decode(list(ids), errors="replace")

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """Bytes of ids."""
        return self.encoding.decode_bytes(list(ids))

    def save(self, folder: Path) -> None:
        """Write two files: the tokens in tiktoken's format, pattern and specials as JSON."""
        with atomic_folder(folder) as beside:
            ordered = sorted(self.ranks.items(), key=lambda item: item[1])
            (beside / RANKS).write_text("".join(f"{base64.b64encode(t).decode()} {i}\n" for t, i in ordered))
            write_json(beside / SETTINGS, self._settings() | {"vocab_size": self.vocab_size})

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {"pattern": self.pattern, "specials": self.specials}
        return settings | ({"normal_form": self.normal_form} if self.normal_form else {})

    @classmethod
    def load(cls, folder: Path) -> "Tokenizer":
        """Read what `save` wrote."""
        settings = read_json(folder / SETTINGS)
        try:
            ranks, form = read_ranks(folder / RANKS), settings.get("normal_form")
            tokenizer = cls(ranks, settings["pattern"], settings["specials"], form)
            if settings.get("vocab_size", tokenizer.vocab_size) != tokenizer.vocab_size:
                raise ValueError(f"it says vocab_size={settings['vocab_size']!r} and has {tokenizer.vocab_size} tokens")
        except (KeyError, TypeError, OSError, ValueError) as error:
            reason = str(error) if isinstance(error, ValueError) else repr(error)
            raise ValueError(f"{folder} is no tokenizer ({reason}); make it again with `dvc repro tokenizer`") from None
        return tokenizer


def _check(ranks: dict[bytes, int], pattern: Any, specials: Any, normal_form: Any) -> None:
    """Refuse what tiktoken would not survive, and a vocabulary that cannot write every text that it is given."""
    if not isinstance(pattern, str) or not 0 < len(pattern) <= LONGEST_PATTERN:
        raise ValueError(f"found the pattern {str(pattern)[:60]!r}; allowed is a regular expression, as GPT-2's")
    if not isinstance(specials, Sequence) or isinstance(specials, str) or len(set(map(str, specials))) < len(specials):
        raise ValueError(f"found the special tokens {str(specials)[:60]}; allowed is a list of texts, each once")
    if not all(isinstance(name, str) and name for name in specials):
        raise ValueError(
            f"found the special tokens {str(list(specials))[:60]}; allowed are texts; mend tokenizer.specials"
        )
    if END_OF_TEXT not in specials:
        raise ValueError(f"the special tokens {list(specials)} lack {END_OF_TEXT}, which ends each document; add it")
    if normal_form not in (None, *get_args(Form)):
        raise ValueError(f"found the normal form {normal_form!r}; allowed are {', '.join(get_args(Form))}, or none")
    if b"" in ranks or sorted(ranks.values()) != list(range(len(ranks))):
        raise ValueError(f"the ids of its {len(ranks)} tokens are not 0 to {len(ranks) - 1}, each once")
    if pattern != CHARACTER_PATTERN and (missing := [byte for byte in range(256) if bytes([byte]) not in ranks]):
        raise ValueError(
            f"{len(missing)} of the 256 bytes are no token (as 0x{missing[0]:02x}), so not every text can be read"
        )


def _decoded(ranks: Iterable[bytes]) -> set[str]:
    try:
        return {token.decode() for token in ranks}
    except UnicodeDecodeError as error:
        raise ValueError(f"a token of this character vocabulary is no character ({error})") from None


def train_bpe(texts: Iterable[str], vocab_size: int, specials: Sequence[str] = (END_OF_TEXT,)) -> Tokenizer:
    """Byte-pair encoding (Sennrich et al. 2016) of bytes: 256, then again and again the commonest pair."""
    from tokenizers import Regex
    from tokenizers import Tokenizer as Trained
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel, Split
    from tokenizers.pre_tokenizers import Sequence as Steps
    from tokenizers.trainers import BpeTrainer

    if vocab_size < 256 + len(specials):
        raise ValueError(
            f"tokenizer.vocab_size={vocab_size} is too small; 256 bytes and {len(specials)} special token(s) must fit"
        )
    model = Trained(BPE())
    model.pre_tokenizer = Steps(
        [Split(Regex(GPT2_PATTERN), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    alphabet = sorted(ByteLevel.alphabet())
    trainer = BpeTrainer(vocab_size=vocab_size - len(specials), initial_alphabet=alphabet, show_progress=False)
    model.train_from_iterator(chain.from_iterable(map(without_long_runs, texts)), trainer)
    ranks = {from_printable(token): i for token, i in model.get_vocab().items()}
    return Tokenizer(ranks, GPT2_PATTERN, specials)


def gpt2(mirror: Path | None, specials: Sequence[str] = (END_OF_TEXT,)) -> Tokenizer:
    """GPT-2's vocabulary of 50,257: from the mirror, else by tiktoken from OpenAI's server."""
    file = mirror / GPT2_FILE if mirror else None
    if file and file.is_file():
        if sha256(file) != GPT2_SHA256:
            raise ValueError(f"{file} has not the expected sha256 {GPT2_SHA256}; copy it to the mirror again")
        return Tokenizer(read_ranks(file), GPT2_PATTERN, specials)
    try:
        return Tokenizer(tiktoken.get_encoding("gpt2")._mergeable_ranks, GPT2_PATTERN, specials)
    except Exception as error:
        raise ValueError(
            f"GPT-2's vocabulary is neither at {file or 'a mirror (FOUNDLING_MIRROR is not set)'} nor to be downloaded "
            f"({type(error).__name__}); put gpt2.tiktoken into <mirror>/{GPT2_FILE}, or use tokenizer=bpe"
        ) from None


def characters(texts: Iterable[str], specials: Sequence[str] = (END_OF_TEXT,)) -> Tokenizer:
    """One token for each character that occurs, in code-point order."""
    found: set[str] = set()
    for text in texts:
        found.update(text)
    return Tokenizer({c.encode(): i for i, c in enumerate(sorted(found))}, CHARACTER_PATTERN, specials)


def read_ranks(file: Path) -> dict[bytes, int]:
    """tiktoken's format: a token's bytes in base64, a space, its id."""
    ranks: dict[bytes, int] = {}
    with open(file, "rb") as lines:
        for at, line in enumerate(iter(lambda: lines.readline(LONGEST_TOKEN), b""), 1):
            token, _, rank = line.strip().partition(b" ")
            if not token:
                continue
            try:
                piece = base64.b64decode(token, validate=True)
                if piece in ranks:
                    raise ValueError("it comes twice")
                ranks[piece] = int(rank)
            except ValueError as error:
                raise ValueError(f"{file}:{at} is no token in base64 and its id ({error})") from None
    return ranks


def from_printable(token: str) -> bytes:
    """The bytes of a token of GPT-2's files."""
    return bytes(_BYTES[character] for character in token)


def printable(token: bytes) -> str:
    """A token's bytes as the characters that stand for them in GPT-2's files."""
    return "".join(_PRINTABLE[byte] for byte in token)


def _byte_alphabet() -> dict[str, int]:
    """The printable characters by which the tokenizers library writes the 256 bytes, as GPT-2 did."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}


_BYTES = _byte_alphabet()
_PRINTABLE = {byte: character for character, byte in _BYTES.items()}
