import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from crc32c import crc32c

from foundling.artifacts import write_json
from foundling.model.gpt import GPT
from foundling.weights import openai
from foundling.weights.names import give
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
            (i for i, (a, b) in enumerate(zip(before, key, strict=False)) if a != b), min(len(before), len(key))
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
    """What TensorFlow writes: data in the order of the names, an index in blocks of three entries, a footer."""
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
    for name, tensor in give(openai.TABLE, model.config, model.state_dict()):
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
    values = {"n_vocab": shape.vocab_size, "n_ctx": shape.context, "n_embd": shape.n_embd, "n_head": shape.n_head}
    write_json(tmp_path / "m/hparams.json", values | {"n_layer": shape.n_layer})
    return tmp_path / "m", model


def test_a_checkpoint_in_openais_layout_reads_back_equal(checkpoint: tuple[Path, GPT]) -> None:
    folder, model = checkpoint
    back = openai.load_model(folder, openai.read_config(folder, OWN))
    assert back.config == model.config
    assert all(torch.equal(a, b) for a, b in zip(back.state_dict().values(), model.state_dict().values(), strict=True))
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
        assert torch.equal(tensor.flatten(), torch.arange(count, count + tensor.numel(), dtype=torch.float32)), name
        count += tensor.numel()
    assert stored["model/h11/attn/c_attn/w"].shape == (1, 2, 6)
    assert len(stored) == 148


def test_damage_is_found(checkpoint: tuple[Path, GPT]) -> None:
    folder, model = checkpoint
    config = openai.read_config(folder, OWN)
    for name, at, says in (
        (DATA, 5000, r"data-00000-of-00001 is damaged at byte"),
        (INDEX, 40, r"index is no whole TensorFlow checkpoint index \(a block does not match its checksum\)"),
    ):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(ValueError, match=says):
            openai.load_model(folder, config)
        (folder / name).write_bytes(whole)
    for name, says in ((DATA, "the download is not whole"), (INDEX, "no whole TensorFlow checkpoint index")):
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
    with pytest.raises(ValueError, match="is missing; put it beside"):
        (folder / INDEX).write_bytes((folder / "other" / INDEX).read_bytes())
        openai.load_model(folder, config)


def test_tensors_that_do_not_fit_are_named(checkpoint: tuple[Path, GPT]) -> None:
    folder, model = checkpoint
    arrays = dict(published(model))
    arrays["model/stranger"] = arrays.pop("model/wpe")
    arrays["model/h0/mlp/c_fc/w"] = arrays["model/h0/mlp/c_fc/w"][:, :3]
    write_checkpoint(folder, arrays)
    with pytest.raises(ValueError, match="does not fit its config") as error:
        openai.load_model(folder, openai.read_config(folder, OWN))
    for part in (
        "model/wpe is missing",
        "model/stranger is not of this model",
        "has shape (3, 128), (32, 128) is expected",
    ):
        assert part in str(error.value)


def test_a_broken_hparams_file_is_refused(checkpoint: tuple[Path, GPT]) -> None:
    write_json(checkpoint[0] / "hparams.json", {"n_vocab": 50, "n_ctx": "long"})
    with pytest.raises(ValueError, match="lacks n_ctx, n_embd, n_head, n_layer"):
        openai.read_config(checkpoint[0], OWN)
