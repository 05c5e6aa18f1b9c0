"""Published tokenizers of every kind, run by Hugging Face's tokenizers library from the text of a tokenizer.json."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from pydantic.dataclasses import dataclass

from foundling.artifacts import atomic_folder, fingerprint, read_json, write_json
from foundling.text.token_bytes import bytes_of
from foundling.text.tokenizer import PUBLISHED, Tokenizer
from foundling.validation import STRICT, build

SETTINGS, TEMPLATE = "tokenizer.json", "chat_template.jinja"
LARGEST_TEMPLATE = 1 << 20  # characters
# the tokens that end documents in models whose chat versions have another `eos_token`, which ends an answer
DOCUMENT_ENDS: Final = ("<|endoftext|>", "<|end_of_text|>")


@dataclass(frozen=True, config=STRICT)
class Settings:
    """What a folder's tokenizer.json holds besides the published file."""

    end_of_text: str
    names: Mapping[str, str]
    vocab_size: int


class LibraryTokenizer(Tokenizer):
    """A tokenizer that the tokenizers library loads: byte-level BPE, SentencePiece's kinds, WordPiece, ….

    Ids and decoded texts equal those of transformers with `add_special_tokens=False, split_special_tokens=True`. Tokens
    that a file adds without calling them special, such as runs of spaces, are found in texts as there; but those with
    a role and those written <|…|> always count as special.

    Args:
        json_text: the content of a tokenizer.json.
        names: the tokens with a role, by the names of tokenizer_config.json: {"eos_token": "</s>"}. Needed is one of
            eos_token and sep_token.
        chat_template: Jinja.
    """

    def __init__(self, json_text: str, names: Mapping[str, str], chat_template: str | None = None) -> None:
        self.json_text, self.names, self.chat_template = json_text, dict(names), chat_template
        self.library = library = _load(json_text, names)
        special = {i: token for i, token in sorted(library.get_added_tokens_decoder().items()) if token.special}
        self.special_ids = {token.content: i for i, token in special.items()}
        self._stripping = {i: (token.lstrip, token.rstrip) for i, token in special.items()}
        self.vocab_size = max(library.get_vocab(with_added_tokens=True).values(), default=-1) + 1
        self.end_of_text = self._end_of_text()
        self.unknown_id = self._unknown_id()
        self._forbidden = {*special} - {self.unknown_id}
        self.prefix = self._prefix()

    @cached_property
    def fingerprint(self) -> str:
        values = {"specials": self.special_ids, "end_of_text": self.end_of_text}
        return fingerprint(values | {"published": json.loads(self.json_text)})

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
        """Ids of a text, which is cut wherever the model reads a special token, as Unigram does for a written `</s>`.

        It is cut within each such place, as often as needed; a single character that is a special token is left out.
        """
        encoded = library.encode(text, add_special_tokens=False)
        if self._forbidden.isdisjoint(encoded.ids):
            return encoded.ids
        ids: list[int] = []
        begin = 0
        for token, (start, end) in zip(encoded.ids, encoded.offsets, strict=True):
            if token in self._forbidden:
                ids += self._encode(text[begin : start + (end - start > 1)], library if begin == 0 else self._cut)
                begin = start + 1
        return ids + self._encode(text[begin:], self._cut)

    def encode_batch(self, texts: list[str], threads: int) -> list[list[int]]:
        """Ids of many texts; if `threads` is above one, by as many threads as the library starts."""
        if threads == 1:
            return [self.encode(text) for text in texts]
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")  # else the library warns once a process forks
        encoded = self.library.encode_batch_fast([_valid(text) for text in texts], add_special_tokens=False)
        rows = (encoding.ids for encoding in encoded)
        return [
            ids if self._forbidden.isdisjoint(ids) else self.encode(text) for ids, text in zip(rows, texts, strict=True)
        ]

    @cached_property
    def _inside(self) -> Any:
        """The library's tokenizer for text after a special token: without a space that only documents begin with."""
        values = json.loads(self.json_text)
        first = [step for step in _steps(values, "pre_tokenizer") if step.get("prepend_scheme") == "first"]
        for step in first:
            step["prepend_scheme"] = "never"
        return _load(json.dumps(values), self.names) if first else self.library

    @cached_property
    def _cut(self) -> Any:
        """The library's tokenizer for the rest of a text that was cut within a word: without any space in front."""
        values = json.loads(self.json_text)
        for step in _steps(values, "pre_tokenizer"):
            step |= {"prepend_scheme": "never"} if "prepend_scheme" in step else {}
            step |= {"add_prefix_space": False} if "add_prefix_space" in step else {}
        normalizers = [step for step in _steps(values, "normalizer") if step["type"] != "Prepend"]
        values["normalizer"] = {"type": "Sequence", "normalizers": normalizers}
        return _load(json.dumps(values), self.names)

    def decode(self, ids: Sequence[int]) -> str:
        return self.library.decode(list(ids), skip_special_tokens=False)

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """Bytes of ids; unlike `decode`, with the space that some kinds put in front of a text.

        As in `decode`, ids beyond the vocabulary, which padded models have, stand for nothing.
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
        """As in Tokenizer; tokens with `lstrip` or `rstrip`, as Phi-3's, include the white space next to them."""
        parts = super().split_specials(text)
        for i, part in enumerate(parts):
            left, right = self._stripping[part] if isinstance(part, int) else (False, False)
            if left and i and isinstance(before := parts[i - 1], str):
                parts[i - 1] = before.rstrip()
            if right and i + 1 < len(parts) and isinstance(after := parts[i + 1], str):
                parts[i + 1] = after.lstrip()
        return [part for part in parts if part != ""]

    def save(self, folder: Path) -> None:
        """Write the published file as it is, and beside it what else is known of the tokenizer."""
        with atomic_folder(folder) as temporary:
            (temporary / PUBLISHED).write_text(self.json_text, encoding="utf-8", newline="\n")
            settings = {"end_of_text": self.end_of_text_name, "names": self.names, "vocab_size": self.vocab_size}
            write_json(temporary / SETTINGS, settings)
            if self.chat_template is not None:
                (temporary / TEMPLATE).write_text(self.chat_template, encoding="utf-8", newline="\n")

    @staticmethod
    def load(folder: Path) -> "LibraryTokenizer":
        """Read what `save` wrote."""
        try:
            settings = build(Settings, read_json(folder / SETTINGS), SETTINGS)
            read_json(folder / PUBLISHED)  # refuses a damaged one
            text, template = (folder / PUBLISHED).read_text(encoding="utf-8"), read_template(folder / TEMPLATE)
            tokenizer = LibraryTokenizer(text, settings.names, template)
            if settings.vocab_size != tokenizer.vocab_size:
                raise ValueError(f"it says vocab_size={settings.vocab_size} and has {tokenizer.vocab_size} tokens")
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
        """The id that the model gives to unknown characters; byte-level BPE and byte fallback have no such id."""
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
        raise ValueError(f"{path} has more than {LARGEST_TEMPLATE:,} bytes; a chat template has a few thousand")
    return path.read_text(encoding="utf-8")


def _steps(values: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    """The steps of a tokenizer.json's normalizer or pre_tokenizer; one that is made of several is taken apart."""
    whole = values.get(part) or {}
    return [step for step in whole.get(f"{part}s".replace("_", ""), [whole]) if step]


def _load(json_text: str, names: Mapping[str, str]) -> Any:
    """The library's tokenizer, which encodes text that looks like a special token as text."""
    from tokenizers import AddedToken

    library = _parse(json_text)
    library.no_truncation()
    library.no_padding()
    added = {token.content: token for token in library.get_added_tokens_decoder().values()}
    for name in {*names.values(), *filter(_is_marker, added)}:
        token = added.get(name) or AddedToken(name, normalized=False)
        if library.token_to_id(name) is not None and not token.special:
            token.special = True
            library.add_special_tokens([token])
    library.encode_special_tokens = True
    return library


def _parse(json_text: str) -> Any:
    """What the library makes of a tokenizer.json; what it refuses raises ValueError."""
    from tokenizers import Tokenizer as Library

    try:
        return Library.from_str(json_text)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # Exception, or a panic in Rust, which is not an Exception
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"the tokenizers library cannot load it: {reason}") from None


def _is_marker(name: str) -> bool:
    """Whether an added token is written as markers of chat templates are, which early files do not call special."""
    return name.startswith("<|") and name.endswith("|>")


def _valid(text: str) -> str:
    """The text with U+FFFD for surrogates that have no partner, which UTF-8 does not encode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
