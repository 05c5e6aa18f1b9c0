"""The tokenizer of published weights: a folder's tokenizer.json, or a GGUF file's metadata."""

from pathlib import Path

from foundling.text.gguf_tokenizer import from_gguf
from foundling.text.library_tokenizer import LibraryTokenizer
from foundling.text.published import TOKENIZER, read_published
from foundling.weights.gguf_file import find, read_gguf


def read_tokenizer(path: Path) -> LibraryTokenizer:
    """The tokenizer at `path`, a folder or a GGUF file; ValueError where there is none that can be read."""
    file = None if (path / TOKENIZER).is_file() else find(path)
    if file is None:
        return read_published(path)
    try:
        return from_gguf(read_gguf(file).metadata)
    except ValueError as error:
        raise error if str(file) in str(error) else ValueError(f"{file}: {error}") from None
