import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from crc32c import crc32c
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundling.artifacts import write_json
from foundling.model.gpt import GPT
from foundling.weights import openai
from foundling.weights.names import export_tensors
from foundling.weights.tensor_bundle import read_index, read_tensor

OWN = {"dropout": 0.0, "init": "gpt2", "attention": "fused"}
INDEX, DATA = "model.ckpt.index", "model.ckpt.data-00000-of-00001"


def varint(value: int) -> bytes:
    digits = [value >> shift & 127 for shift in range(0, max(1, value.bit_length()), 7)]
    return bytes([*(digit | 128 for digit in digits[:-1]), digits[-1]])


def masked(data: bytes) -> int:
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def block(entries: list[tuple[bytes, bytes]], compression: int = 0) -> bytes:
    """A LevelDB block: shared prefixes, a restart every two entries, the way of compression, a checksum."""
    out, restarts, before = b"", [], b""
    for number, (key, value) in enumerate(entries):
        if number % 2 == 0:
            restarts.append(len(out))
            before = b""
        shared = next(
            (i for i, (a, b) in enumerate(zip(before, key, strict=False)) if a != b),
            min(len(before), len(key)),
        )
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    out += struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts)) + bytes([compression])
    return out + struct.pack("<I", masked(out))


def entry(array: np.ndarray, offset: int) -> bytes:
    """A BundleEntryProto: dtype float, shape, offset, size, checksum."""
    sizes = b"".join(b"\x12" + varint(2 + len(varint(n)) - 1) + b"\x08" + varint(n) for n in array.shape)
    raw = array.tobytes()
    numbers = b"\x20" + varint(offset) + b"\x28" + varint(len(raw)) + b"\x35" + struct.pack("<I", masked(raw))
    return b"\x08\x01" + b"\x12" + varint(len(sizes)) + sizes + numbers


def write_checkpoint(folder: Path, arrays: dict[str, np.ndarray], compression: int = 0) -> None:
    """What TensorFlow writes: data ordered by name, an index in blocks of three entries, a footer."""
    folder.mkdir(parents=True, exist_ok=True)
    data, entries = b"", [(b"", b"\x08\x01\x1a\x02\x08\x01")]  # the header: one file, version 1
    for name in sorted(arrays):
        entries.append((name.encode(), entry(arrays[name], len(data))))
        data += arrays[name].tobytes()
    table, handles = b"", []
    for at in range(0, len(entries), 3):
        part = block(entries[at : at + 3], compression)
        handles.append((entries[at : at + 3][-1][0], varint(len(table)) + varint(len(part) - 5)))
        table += part
    footer = b""
    for part in (block([]), block(handles)):
        footer += varint(len(table)) + varint(len(part) - 5)
        table += part
    (folder / INDEX).write_bytes(table + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57))
    (folder / DATA).write_bytes(data)


def published(model: GPT) -> Iterator[tuple[str, np.ndarray]]:
    """A model's arrays in OpenAI's layout: linear layers are convolutions of one position, (1, in, out)."""
    for name, tensor in export_tensors(openai.TABLE, model.config, model.state_dict()):
        yield name, tensor.numpy()[None] if name.endswith("/w") else tensor.numpy()


@pytest.fixture
def checkpoint(tmp_path: Path, gpt_config: Callable[..., Any]) -> tuple[Path, GPT]:
    """A folder as OpenAI's, and the model that is in it."""
    torch.manual_seed(0)
    model = GPT(gpt_config("gpt2_124m", 50, context=96, n_layer=2, n_embd=32, n_head=4)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    shape = model.config
    write_checkpoint(tmp_path / "m", dict(published(model)))
    values = {
        "n_vocab": shape.vocab_size,
        "n_ctx": shape.context,
        "n_embd": shape.n_embd,
        "n_head": shape.n_head,
    }
    write_json(tmp_path / "m/hparams.json", values | {"n_layer": shape.n_layer})
    return tmp_path / "m", model


def test_a_checkpoint_in_openais_layout_reads_back_equal(checkpoint: tuple[Path, GPT]) -> None:
    folder, model = checkpoint
    back = openai.load_model(folder, openai.read_config(folder, OWN))
    assert back.config == model.config
    assert all(
        torch.equal(a, b)
        for a, b in zip(back.state_dict().values(), model.state_dict().values(), strict=True)
    )
    ids = torch.randint(50, (2, 20))
    assert torch.equal(back(ids), model(ids))


def test_the_names_are_openais(checkpoint: tuple[Path, GPT]) -> None:
    stored = read_index(checkpoint[0] / INDEX)
    assert stored["model/h1/attn/c_attn/w"].shape == (1, 32, 96)
    assert stored["model/wpe"].shape == (96, 32)
    assert {name.split("/")[-1] for name in stored} == {"w", "b", "g", "wte", "wpe"}
    assert len(stored) == 2 * 12 + 4


def test_what_tensorflow_itself_wrote_reads_back_equal() -> None:
    """tensorflow/ holds a checkpoint that TensorFlow wrote: numbers from 0 on, in OpenAI's names."""
    stored = read_index(Path(__file__).parent / "tensorflow" / INDEX)
    count = 0
    for name in sorted(stored):
        tensor = read_tensor(stored[name])
        assert torch.equal(
            tensor.flatten(), torch.arange(count, count + tensor.numel(), dtype=torch.float32)
        ), name
        count += tensor.numel()
    assert stored["model/h11/attn/c_attn/w"].shape == (1, 2, 6)
    assert len(stored) == 148


def test_damage_is_found(checkpoint: tuple[Path, GPT]) -> None:
    folder, model = checkpoint
    config = openai.read_config(folder, OWN)
    for name, at, says in (
        (DATA, 5000, r"data-00000-of-00001 is damaged at byte"),
        (
            INDEX,
            40,
            r"index is not a valid TensorFlow checkpoint index \(a block does not match its checksum\)",
        ),
    ):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(ValueError, match=says):
            openai.load_model(folder, config)
        (folder / name).write_bytes(whole)
    for name, says in (
        (DATA, "the download is incomplete"),
        (INDEX, "not a valid TensorFlow checkpoint index"),
    ):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[:-9])
        with pytest.raises(ValueError, match=says):
            openai.load_model(folder, config)
        (folder / name).write_bytes(whole)
    write_checkpoint(folder, dict(published(model)), compression=1)
    with pytest.raises(ValueError, match="its blocks are compressed"):
        openai.load_model(folder, config)
    (folder / DATA).unlink()
    write_checkpoint(folder / "other", dict(published(model)))
    with pytest.raises(ValueError, match="is missing; put it into the folder of"):
        (folder / INDEX).write_bytes((folder / "other" / INDEX).read_bytes())
        openai.load_model(folder, config)


def test_tensors_that_do_not_fit_are_named(checkpoint: tuple[Path, GPT]) -> None:
    folder, model = checkpoint
    arrays = dict(published(model))
    arrays["model/stranger"] = arrays.pop("model/wpe")
    arrays["model/h0/mlp/c_fc/w"] = arrays["model/h0/mlp/c_fc/w"][:, :3]
    write_checkpoint(folder, arrays)
    with pytest.raises(ValueError, match="does not match its config") as error:
        openai.load_model(folder, openai.read_config(folder, OWN))
    for part in (
        "model/wpe is missing",
        "model/stranger is unexpected",
        "has shape (3, 128), expected (32, 128)",
    ):
        assert part in str(error.value)


def test_a_broken_hparams_file_is_refused(checkpoint: tuple[Path, GPT]) -> None:
    write_json(checkpoint[0] / "hparams.json", {"n_vocab": 50, "n_ctx": "long"})
    with pytest.raises(ValueError, match="lacks n_ctx, n_embd, n_head, n_layer"):
        openai.read_config(checkpoint[0], OWN)


def write_entries(folder: Path, entries: list[tuple[bytes, bytes]], data: bytes = b"x" * 64) -> Path:
    """An index of these entries, whatever they say."""
    folder.mkdir(parents=True, exist_ok=True)
    part = block(sorted([(b"", b"\x08\x01\x1a\x02\x08\x01"), *entries]))
    handles = block([(b"z", varint(0) + varint(len(part) - 5))])
    none = block([])
    footer = (
        varint(len(part)) + varint(len(none) - 5) + varint(len(part) + len(none)) + varint(len(handles) - 5)
    )
    table = part + none + handles + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    (folder / INDEX).write_bytes(table)
    (folder / DATA).write_bytes(data)
    return folder / INDEX


def described(
    kind: int = 1, shape: tuple[int, ...] = (4, 4), offset: int = 0, size: int = 64, file: int = 0
) -> bytes:
    """A BundleEntryProto that may lie."""
    sizes = b"".join(b"\x12" + varint(len(b"\x08" + varint(n))) + b"\x08" + varint(n) for n in shape)
    numbers = b"\x18" + varint(file) + b"\x20" + varint(offset) + b"\x28" + varint(size) + b"\x35\0\0\0\0"
    return b"\x08" + varint(kind) + b"\x12" + varint(len(sizes)) + sizes + numbers


LIES: dict[str, tuple[list[tuple[bytes, bytes]], str]] = {
    "a type of objects": ([(b"a", described(kind=7))], "type number 7"),
    "a type that is none": ([(b"a", described(kind=2**40))], "type number 1099511627776"),
    "a shape of terabytes": (
        [(b"a", described(shape=(2**20, 2**20), size=2**42))],
        "takes 4,398,046,511,104 bytes",
    ),
    "a size that is not the shape's": ([(b"a", described(size=60))], "takes 60 bytes"),
    "an offset beyond the data": (
        [(b"a", described(offset=2**50))],
        "takes 64 bytes at 1,125,899,906,842,624",
    ),
    "a file that is not there": ([(b"a", described(file=7))], "data-00007-of-00001 is missing"),
    "a file of many digits": ([(b"a", described(file=2**63))], "is missing"),
    "tensors on top of each other": (
        [(b"a", described()), (b"b", described())],
        "describes 128 bytes of tensors",
    ),
    "very many dimensions": ([(b"a", described(shape=(1,) * 900, size=4))], "a tensor of 900 dimensions"),
    "a name of many bytes": ([(b"a" * 2000, described())], "a name of more than 1000 bytes"),
    "a name that is no text": ([(b"\xff\xfe", described())], "not a valid TensorFlow checkpoint index"),
    "an entry that is cut": ([(b"a", described()[:9])], "not a valid TensorFlow checkpoint index|takes"),
    "an entry of another kind": ([(b"a", b"\x0b\x0c")], "wire type 3 is unknown"),
    "a number without end": ([(b"a", b"\x08" + b"\xff" * 200)], "a number of more than 64 bits"),
}


@pytest.mark.parametrize("what", LIES)
def test_an_index_that_lies(tmp_path: Path, what: str) -> None:
    entries, says = LIES[what]
    index = write_entries(tmp_path / "m", entries)
    with pytest.raises(ValueError, match=says) as refusal:
        read_index(index)
    assert "\n" not in str(refusal.value)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=40), st.binary(max_size=12))
def test_any_entry_is_read_or_refused(tmp_path: Path, value: bytes, name: bytes) -> None:
    index = write_entries(tmp_path / "m", [(b"a", described()), (name + b"b", value)])
    refusal = None
    try:
        read_index(index)
    except ValueError as error:
        refusal = str(error)
    assert refusal is None or refusal.startswith(str(tmp_path))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=5))
def test_any_damage_of_an_index_is_refused_or_harmless(tmp_path: Path, damage: list[tuple[int, int]]) -> None:
    index = write_entries(tmp_path / "m", [(b"a", described())])
    data = bytearray(index.read_bytes())
    for at, value in damage:
        data[at % len(data)] = value
    index.write_bytes(data)
    refusal = None
    try:
        read_index(index)
    except ValueError as error:
        refusal = str(error)
    assert refusal is None or refusal.startswith(str(tmp_path))
