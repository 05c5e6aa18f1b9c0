"""Published tokenizers of every kind: a tokenizer.json, run by Hugging Face's tokenizers library."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from pydantic.dataclasses import dataclass

from foundling.artifacts import atomic_folder, fingerprint, read_json, write_json
from foundling.text.library_loading import load
from foundling.text.token_bytes import bytes_of
from foundling.text.tokenizer import PUBLISHED, Tokenizer
from foundling.validation import STRICT, build

SETTINGS, TEMPLATE = "tokenizer.json", "chat_template.jinja"
LARGEST_TEMPLATE = 1 << 20  # characters
# what ends documents in models whose chat versions have another `eos_token`, which ends responses
DOCUMENT_ENDS: Final = ("<|endoftext|>", "<|end_of_text|>")


@dataclass(frozen=True, config=STRICT)
class Settings:
    """What a folder's tokenizer.json holds besides the published file."""

    end_of_text: str
    names: Mapping[str, str]
    vocab_size: int
    ends: tuple[str, ...] = ()


class LibraryTokenizer(Tokenizer):
    """A tokenizer that the tokenizers library loads: byte-level BPE, SentencePiece's kinds, WordPiece, ….

    Ids and decoded texts equal those of transformers with `add_special_tokens=False` and
    `split_special_tokens=True`. As there, tokens that a file adds without calling them special, such as runs
    of spaces, are found in texts; but tokens with a role and those written as <|…|> always count as special.

    Args:
        json_text: the content of a tokenizer.json.
        names: the tokens with a role, by their keys in tokenizer_config.json: {"eos_token": "</s>"}.
            eos_token or sep_token is required unless the vocabulary has one of DOCUMENT_ENDS.
        chat_template: the published chat template, in Jinja.
        ends: further tokens that end an answer; those that the vocabulary lacks are left out.
    """

    def __init__(
        self,
        json_text: str,
        names: Mapping[str, str],
        chat_template: str | None = None,
        ends: Iterable[str] = (),
    ) -> None:
        self.json_text, self.names, self.chat_template = json_text, dict(names), chat_template
        self.library = library = load(json_text, names)
        added = sorted(library.get_added_tokens_decoder().items())
        special = {i: token for i, token in added if token.special}
        self.special_ids = {token.content: i for i, token in special.items()}
        self._stripping = {i: (token.lstrip, token.rstrip) for i, token in special.items()}
        self.vocab_size = max(library.get_vocab(with_added_tokens=True).values(), default=-1) + 1
        self.end_of_text = self._end_of_text()
        self.end_names = tuple(name for name in dict.fromkeys(ends) if library.token_to_id(name) is not None)
        self.unknown_id = self._unknown_id()
        self._forbidden = {*special} - {self.unknown_id}
        self.prefix = self._prefix()

    @cached_property
    def fingerprint(self) -> str:
        values = {"specials": self.special_ids, "end_of_text": self.end_of_text}
        return fingerprint(values | {"published": json.loads(self.json_text)})

    @cached_property
    def ends(self) -> frozenset[int]:
        named = [name for name in (self.names.get("eos_token"), *self.end_names) if name is not None]
        ids = map(self.library.token_to_id, named)
        return frozenset((self.end_of_text, *(number for number in ids if number is not None)))

    @cached_property
    def token_bytes(self) -> list[bytes]:
        added = {i: token.content for i, token in self.library.get_added_tokens_decoder().items()}
        tokens = [self.library.id_to_token(i) or "" for i in range(self.vocab_size)]
        return bytes_of(tokens, added, self.library.decoder)

    @property
    def vocabulary(self) -> dict[str, int]:
        return self.library.get_vocab(with_added_tokens=True)

    def encode(self, text: str) -> list[int]:
        """Ids of a text; no part of it becomes a special token."""
        return self._encode(_valid(text), self.library)

    def encode_inside(self, text: str) -> list[int]:
        return self._encode(_valid(text), self._inside)

    def _encode(self, text: str, library: Any) -> list[int]:
        """Ids of a text, which is cut wherever the model takes a part of it for a special token.

        Unigram models do so, as their special tokens are ordinary pieces: `</s>` is encoded as `<` and `/s>`.
        A single character that is a special token is omitted.
        """
        encoded = library.encode(text, add_special_tokens=False)
        if self._forbidden.isdisjoint(encoded.ids):
            return encoded.ids
        ids: list[int] = []
        begin = 0
        for token, (start, end) in zip(encoded.ids, encoded.offsets, strict=True):
            if token in self._forbidden:
                cut = start + 1 if end - start > 1 else start
                ids += self._encode(text[begin:cut], library if begin == 0 else self._cut)
                begin = start + 1
        return ids + self._encode(text[begin:], self._cut)

    def encode_batch(self, texts: list[str], threads: int) -> list[list[int]]:
        """Ids of many texts; if `threads` is above one, by as many threads as the library starts."""
        if threads == 1:
            return [self.encode(text) for text in texts]
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")  # else the library warns once a process forks
        encoded = self.library.encode_batch_fast([_valid(text) for text in texts], add_special_tokens=False)
        rows = []
        for encoding, text in zip(encoded, texts, strict=True):
            ids = encoding.ids
            rows.append(ids if self._forbidden.isdisjoint(ids) else self.encode(text))
        return rows

    @cached_property
    def _inside(self) -> Any:
        """For text after a special token, where some kinds put no space as they do at the beginning."""
        if "prepend_scheme" not in self.json_text:
            return self.library
        return load(self.json_text, self.names, "inside")

    @cached_property
    def _cut(self) -> Any:
        """For the rest of a text that was cut within a word, without any space in front."""
        return load(self.json_text, self.names, "cut")

    def decode(self, ids: Sequence[int]) -> str:
        return self.library.decode(list(ids), skip_special_tokens=False)

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """Bytes of ids, including the space that some kinds put in front of a text and `decode` removes.

        As in `decode`, ids beyond the vocabulary, which padded models have, are skipped.
        """
        return b"".join(self.token_bytes[i] for i in ids if i < self.vocab_size)

    def unknown(self, texts: Iterable[str]) -> Counter[str]:
        """The characters that become `unknown_id`, and how often they occur."""
        counts: Counter[str] = Counter()
        if self.unknown_id is None:
            return counts
        for text in texts:
            encoded = self.library.encode(_valid(text), add_special_tokens=False)
            for token, (start, end) in zip(encoded.ids, encoded.offsets, strict=True):
                if token == self.unknown_id:
                    counts.update(text[start:end])
        return counts

    def split_specials(self, text: str) -> list[str | int]:
        """As in Tokenizer; tokens with `lstrip` or `rstrip` (Phi-3's) include adjacent white space."""
        parts = super().split_specials(text)
        for i, part in enumerate(parts):
            left, right = self._stripping[part] if isinstance(part, int) else (False, False)
            if left and i and isinstance(before := parts[i - 1], str):
                parts[i - 1] = before.rstrip()
            if right and i + 1 < len(parts) and isinstance(after := parts[i + 1], str):
                parts[i + 1] = after.lstrip()
        return [part for part in parts if part != ""]

    def save(self, folder: Path) -> None:
        """Write the published file unchanged, and the rest into files of its own."""
        with atomic_folder(folder) as temporary:
            (temporary / PUBLISHED).write_text(self.json_text, encoding="utf-8", newline="\n")
            settings = {"end_of_text": self.end_of_text_name, "names": self.names, "ends": self.end_names}
            write_json(temporary / SETTINGS, settings | {"vocab_size": self.vocab_size})
            if self.chat_template is not None:
                (temporary / TEMPLATE).write_text(self.chat_template, encoding="utf-8", newline="\n")

    @staticmethod
    def load(folder: Path) -> "LibraryTokenizer":
        """Read what `save` wrote."""
        try:
            settings = build(Settings, read_json(folder / SETTINGS), SETTINGS)
            read_json(folder / PUBLISHED)  # refuses a damaged one
            text = (folder / PUBLISHED).read_text(encoding="utf-8")
            tokenizer = LibraryTokenizer(
                text, settings.names, read_template(folder / TEMPLATE), settings.ends
            )
            recorded, found = settings.vocab_size, tokenizer.vocab_size
            if recorded != found:
                raise ValueError(f"it says vocab_size={recorded} and has {found} tokens")
            end = tokenizer.end_of_text_name
            if settings.end_of_text != end:
                raise ValueError(f"it says end_of_text={settings.end_of_text!r}, not {end!r}")
        except ValueError as error:
            raise ValueError(
                f"{folder} is not a tokenizer ({error}); make it again with `dvc repro train_tokenizer`"
            ) from None
        return tokenizer

    def _end_of_text(self) -> int:
        eos = self.names.get("eos_token") or self.names.get("sep_token")
        candidates = [*DOCUMENT_ENDS, eos] if eos else DOCUMENT_ENDS
        for name in candidates:
            if name in self.special_ids:
                return self.special_ids[name]
        raise ValueError(f"its end-of-text token (eos_token={eos!r}) is not in its vocabulary")

    def _unknown_id(self) -> int | None:
        """The id of unknown characters; byte-level BPE and byte fallback have none."""
        from tokenizers.models import BPE, Unigram

        model = self.library.model
        if isinstance(model, Unigram):
            values = json.loads(self.json_text)["model"]
            return None if values.get("byte_fallback") else values["unk_id"]
        if isinstance(model, BPE) and (model.byte_fallback or model.unk_token is None):
            return None
        return self.library.token_to_id(model.unk_token)

    def _prefix(self) -> tuple[int, ...]:
        """The special tokens that the file's post-processor puts in front of a text."""
        encoded = self.library.encode("a", add_special_tokens=True)
        length = encoded.special_tokens_mask.index(0) if 0 in encoded.special_tokens_mask else 0
        return tuple(encoded.ids[:length])


def read_template(path: Path) -> str | None:
    """The text of a chat template, or None if there is no such file."""
    if not path.is_file():
        return None
    if path.stat().st_size > LARGEST_TEMPLATE:
        raise ValueError(f"{path} has more than {LARGEST_TEMPLATE:,} bytes, too many for a chat template")
    return path.read_text(encoding="utf-8")


def _valid(text: str) -> str:
    """The text with U+FFFD for surrogates that have no partner, which UTF-8 does not encode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
