"""A GGUF file with any damage is loaded or refused in one line, and takes no more memory than it may."""

import random
import resource
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from foundling.model.gpt import GPT
from foundling.text.gguf_tokenizer import from_gguf
from foundling.text.vocabularies import train_bpe
from foundling.weights import gguf, gguf_file
from foundling.weights.checkpoints import open_checkpoint
from foundling.weights.gguf_file import read_gguf

FREE = {"dropout": 0.0, "init": "gpt2", "attention": "fused"}
EXTREMES = (0, 1, 3, 7, 8, 9, 13, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)
MEMORY = 512 << 20  # bytes that damage may take beyond what the process has


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, gpt_config: Callable[..., Any]) -> bytes:
    """A file with a model and a tokenizer."""
    tokenizer = train_bpe(["the fox and the lion"], 266)
    sizes = {"n_layer": 1, "n_embd": 32, "n_head": 2, "n_kv_head": 1, "n_ffn": 32, "context": 32}
    folder = tmp_path_factory.mktemp("gguf") / "out"
    gguf.export(folder, GPT(gpt_config("llama", tokenizer.vocab_size, **sizes)), tokenizer)
    return (folder / "model-f32.gguf").read_bytes()


@pytest.fixture(scope="module")
def numbers(whole: bytes, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, int]]:
    """(start, size) of each number in the header: counts, lengths, types, offsets and values."""
    places: list[tuple[int, int]] = []

    class Recording(gguf_file._Reader):
        def number(self, kind: str) -> Any:
            places.append((self.at, struct.calcsize(f"<{kind}")))
            return super().number(kind)

    path = tmp_path_factory.mktemp("whole") / "a.gguf"
    path.write_bytes(whole)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(gguf_file, "_Reader", Recording)
        read_gguf(path)
    return places


def wrong_number(data: bytes, numbers: list[tuple[int, int]], choice: random.Random) -> bytes:
    """One to three numbers of the header are others."""
    for at, size in choice.sample(numbers, choice.randint(1, 3)):
        value = choice.choice(EXTREMES) & (1 << 8 * size) - 1
        data = data[:at] + value.to_bytes(size, "little") + data[at + size :]
    return data


def flipped(data: bytes, numbers: list[tuple[int, int]], choice: random.Random) -> bytes:
    """Some bits of the header are flipped."""
    end, changed = max(at for at, _ in numbers) + 8, bytearray(data)
    for _ in range(choice.randint(1, 8)):
        changed[choice.randrange(4, end)] ^= 1 << choice.randrange(8)
    return bytes(changed)


def cut(data: bytes, numbers: list[tuple[int, int]], choice: random.Random) -> bytes:
    """The end is missing."""
    return data[: choice.randrange(len(data))]


def shifted(data: bytes, numbers: list[tuple[int, int]], choice: random.Random) -> bytes:
    """Some bytes are missing, or occur twice."""
    end = max(at for at, _ in numbers) + 8
    at, size = choice.randrange(4, end), choice.randint(1, 64)
    return data[:at] + data[at + size :] if choice.random() < 0.5 else data[: at + size] + data[at:]


def load(path: Path) -> int:
    """The number of parameters of a file's model, once its tokenizer is read."""
    checkpoint = open_checkpoint(path, FREE)
    assert checkpoint is not None
    tokenizer = from_gguf(read_gguf(path).metadata)
    tokenizer.decode(tokenizer.encode("the fox"))
    model = checkpoint.load(checkpoint.config.context, checkpoint.config.vocab_size)
    return sum(parameter.numel() for parameter in model.parameters())


@contextmanager
def little_memory() -> Iterator[None]:
    """Whoever asks for more memory gets an error, where the system can limit it."""
    if sys.platform != "linux":
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.parametrize("damage", [wrong_number, flipped, cut, shifted], ids=lambda one: one.__name__)
def test_damage_is_a_value_error_of_one_line(
    damage: Callable[..., bytes], whole: bytes, numbers: list[tuple[int, int]], tmp_path: Path
) -> None:
    path, messages = tmp_path / "a.gguf", []
    path.write_bytes(whole)
    load(path)
    with little_memory():
        for seed in range(120):
            path.write_bytes(damage(whole, numbers, random.Random(seed)))
            try:
                load(path)
            except ValueError as error:
                messages.append(str(error))
    assert len(messages) > 30
    assert [message for message in messages if not message or "\n" in message] == []
