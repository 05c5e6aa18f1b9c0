import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch

from foundling.model.gpt import GPT
from foundling.model.rotary import frequencies, scaled_frequencies
from foundling.settings.rope import Llama3Scaling, LongropeScaling
from foundling.text.tokenizer import Tokenizer
from foundling.weights import gguf as gguf_export
from foundling.weights.checkpoints import open_checkpoint
from foundling.weights.gguf_file import GGUF, StoredTensor, read_gguf
from foundling.weights.gguf_import import read_config

FREE = {"dropout": 0.0, "init": "gpt2", "attention": "fused"}
SHAPES = (
    *("gpt2", "gpt2_without_bias", "llama", "llama_with_bias", "qwen2", "qwen3", "lfm2", "olmo2"),
    *("linear", "yarn", "yarn_sharper", "llama3"),
)
KINDS = ("F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")  # those that gguf can write, too
LLAMA = {"context_length": 64, "block_count": 1, "embedding_length": 64, "feed_forward_length": 96}
LLAMA |= {"attention.head_count": 4, "attention.head_count_kv": 2, "attention.layer_norm_rms_epsilon": 1e-5}
TENSORS = {
    "token_embd.weight": (50, 64),
    "output_norm.weight": (64,),
    "output.weight": (50, 64),
    "blk.0.attn_norm.weight": (64,),
    "blk.0.attn_q.weight": (64, 64),
    "blk.0.attn_k.weight": (32, 64),
    "blk.0.attn_v.weight": (32, 64),
    "blk.0.attn_output.weight": (64, 64),
    "blk.0.ffn_norm.weight": (64,),
    "blk.0.ffn_gate.weight": (96, 64),
    "blk.0.ffn_up.weight": (96, 64),
    "blk.0.ffn_down.weight": (64, 96),
}


def load(path: Path) -> GPT:
    checkpoint = open_checkpoint(path, FREE)
    assert checkpoint is not None
    return checkpoint.load(checkpoint.config.context, checkpoint.config.vocab_size)


def write(
    path: Path,
    changes: dict[str, Any] | None = None,
    kind: str = "F32",
    more: dict[str, np.ndarray] | None = None,
    architecture: str = "llama",
) -> dict[str, np.ndarray]:
    """A small Llama in a file; returns its tensors as they are after quantization."""
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in {**LLAMA, **(changes or {})}.items():
        add = {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}[type(value)]
        add(f"{architecture}.{key}", value)
    random = np.random.default_rng(0)
    arrays = {name: random.normal(0, 0.2, shape).astype(np.float32) for name, shape in TENSORS.items()}
    stored = {}
    for name, values in {**arrays, **(more or {})}.items():
        chosen = gguf.GGMLQuantizationType[kind if values.ndim > 1 else "F32"]
        data = gguf.quants.quantize(values, chosen)
        writer.add_tensor(name, data, raw_dtype=chosen)
        stored[name] = gguf.quants.dequantize(data, chosen)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return stored


@pytest.mark.parametrize("shape", SHAPES)
def test_what_we_exported_comes_back(
    shape: str, any_model: Callable[[str], GPT], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    model = any_model(shape)
    gguf_export.export(tmp_path / "out", model, tokenizer)
    back = load(tmp_path / "out")
    ids = torch.randint(500, (2, 80), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(back(ids), model(ids), atol=1e-4, rtol=1e-5)
    if shape not in ("gpt2_without_bias", "llama3"):  # the factors of frequencies do not say what made them
        assert back.config == model.config
        assert all(torch.equal(a, b) for a, b in zip(back.parameters(), model.parameters(), strict=True))


@pytest.mark.parametrize("precision", ["f32", "f16"])
@pytest.mark.parametrize("shape", ["gpt2", "llama", "qwen2", "qwen3", "lfm2"])
def test_an_imported_file_writes_the_tokens_that_llama_cpp_writes(
    shape: str,
    precision: str,
    trained: Callable[[str], GPT],
    tokenizer: Tokenizer,
    tmp_path: Path,
    greedy: Callable[..., list[int]],
    llama_cpp: Callable[[Path], Any],
) -> None:
    gguf_export.export(tmp_path / "out", trained(shape), tokenizer, precision=precision)
    (file,) = (tmp_path / "out").glob("*.gguf")
    ids = tokenizer.encode("The fox and the ")
    assert greedy(load(file), ids, 32) == llama_cpp(file).greedy(ids, 32)


def rewrite(
    source: Path, target: Path, architecture: str, changes: dict[str, Any], tensors: dict[str, np.ndarray]
) -> None:
    """A copy of a file, tokenizer included, as another architecture with other keys and these tensors."""
    reader, writer = gguf.GGUFReader(source), gguf.GGUFWriter(target, architecture)
    own = reader.get_field("general.architecture").contents()
    for key, field in reader.fields.items():
        name = key.removeprefix(f"{own}.")
        if not key.startswith(("GGUF.", "general.architecture")) and name not in changes:
            kind, inner = field.types[0], field.types[1] if len(field.types) > 1 else None
            writer.add_key_value(
                f"{architecture}.{name}" if name != key else key, field.contents(), kind, inner
            )
    for name, value in changes.items():
        add = {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}[type(value)]
        add(f"{architecture}.{name}", value)
    for name, values in tensors.items():
        writer.add_tensor(name, np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def packed(tensors: dict[str, np.ndarray], n_layer: int) -> dict[str, np.ndarray]:
    """Llama's tensors as Phi-3 has them: q, k, v in one, gate and up in one; rotary pairs are halves."""
    tensors = dict(tensors)
    for layer in range(n_layer):
        q, k, v, gate, up = (
            tensors.pop(f"blk.{layer}.{name}.weight")
            for name in ("attn_q", "attn_k", "attn_v", "ffn_gate", "ffn_up")
        )
        halves = [part.reshape(-1, 8, 2, part.shape[1]).swapaxes(1, 2).reshape(part.shape) for part in (q, k)]
        tensors[f"blk.{layer}.attn_qkv.weight"] = np.concatenate((*halves, v))
        tensors[f"blk.{layer}.ffn_up.weight"] = np.concatenate((gate, up))
    return tensors


YARN = {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 24}
LONGROPE = {"rope.scaling.original_context_length": 24, "rope.scaling.attn_factor": 1.3}
LLAMA3 = Llama3Scaling(
    kind="llama3", factor=32.0, original_context=8192, low_freq_factor=1.0, high_freq_factor=4.0
)


@pytest.mark.parametrize(
    ("case", "architecture", "changes"),
    [
        ("smollm3", "smollm3", {}),
        ("phi3", "phi3", {}),
        ("phi4", "phi3", {"rope.dimension_count": 12, **LONGROPE}),
        ("linear", "llama", {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}),
        ("yarn", "llama", YARN),
        ("llama3", "llama", {}),
    ],
)
def test_what_we_cannot_export_is_computed_as_llama_cpp_does(
    case: str,
    architecture: str,
    changes: dict[str, Any],
    gpt_config: Callable[..., Any],
    tokenizer: Tokenizer,
    tmp_path: Path,
    greedy: Callable[..., list[int]],
    llama_cpp: Callable[[Path], Any],
) -> None:
    torch.manual_seed(0)
    sizes = {"context": 96, "n_layer": 4, "n_embd": 64, "n_ffn": 128, "n_head": 4, "n_kv_head": 4}
    model = GPT(gpt_config("llama", tokenizer.vocab_size, **sizes)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    gguf_export.export(tmp_path / "out", model, tokenizer)
    source, target = tmp_path / "out/model-f32.gguf", tmp_path / "other.gguf"
    tensors = {tensor.name: np.array(tensor.data) for tensor in gguf.GGUFReader(source).tensors}
    if architecture == "phi3":
        tensors = packed(tensors, 4)
    if case == "phi4":  # the prompt is longer than the original context
        tensors["rope_factors_short.weight"] = np.linspace(1, 2, 6, dtype=np.float32)
        tensors["rope_factors_long.weight"] = np.geomspace(1, 16, 6).astype(np.float32)
    if case == "llama3":
        tensors["rope_freqs.weight"] = _llama3_factors(10_000.0)
    rewrite(source, target, architecture, changes, tensors)
    back = load(target)
    assert back.config.rope_skip == (4 if case == "smollm3" else 0)
    assert (back.config.rope_scaling is not None) == (case in ("linear", "yarn", "llama3", "phi4"))
    ids = tokenizer.encode("The fox and the lion went home, and the cat slept in the barn. The fox and the ")
    ours, peer = greedy(back, ids, 32), llama_cpp(target)
    assert ours == peer.greedy(ids, 32)
    with torch.inference_mode():
        logits, plain = back(torch.tensor([ids + ours]))[0, -1], model(torch.tensor([ids + ours]))[0, -1]
    theirs = peer.logprobs(ids + ours, tokenizer.vocab_size)
    assert (logits.log_softmax(-1) - theirs).abs().max() < 1e-2
    if case in ("smollm3", "linear", "yarn"):  # the difference to plain Llama is more than that
        assert (logits - plain).abs().max() > 2e-2


def _llama3_factors(theta: float) -> np.ndarray:
    """What the converter of llama.cpp writes for Llama 3.2: the divisors of the frequencies."""
    factors = frequencies(16, theta) / scaled_frequencies(16, theta, LLAMA3)
    return factors.float().numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_quantized_tensors_become_what_the_package_gguf_makes_of_them(kind: str, tmp_path: Path) -> None:
    stored = write(tmp_path / "a.gguf", kind=kind)
    model = load(tmp_path / "a.gguf")
    block = model.blocks[0]
    assert torch.equal(model.token_embedding.weight, torch.from_numpy(stored["token_embd.weight"]))
    assert torch.equal(block.mlp.up.weight, torch.from_numpy(stored["blk.0.ffn_up.weight"]))
    value = block.attention.qkv.weight[-32:]
    assert torch.equal(value, torch.from_numpy(stored["blk.0.attn_v.weight"]))
    # llama.cpp stores the two halves of a rotary pair next to each other
    first_head = torch.from_numpy(stored["blk.0.attn_q.weight"])[:16]
    assert torch.equal(block.attention.qkv.weight[:16], torch.cat((first_head[0::2], first_head[1::2])))


def test_phi3s_packed_tensors_are_taken_apart(tmp_path: Path) -> None:
    stored = write(tmp_path / "llama.gguf")
    theirs = {name: values for name, values in stored.items() if "attn_q" not in name}
    qkv = np.concatenate([stored[f"blk.0.attn_{part}.weight"] for part in "qkv"])
    gate_up = np.concatenate([stored["blk.0.ffn_gate.weight"], stored["blk.0.ffn_up.weight"]])
    for name in ("attn_k", "attn_v", "ffn_gate", "ffn_up"):
        del theirs[f"blk.0.{name}.weight"]
    writer = gguf.GGUFWriter(tmp_path / "phi3.gguf", "phi3")
    for key, value in LLAMA.items():
        (writer.add_uint32 if isinstance(value, int) else writer.add_float32)(f"phi3.{key}", value)
    for name, values in {**theirs, "blk.0.attn_qkv.weight": qkv, "blk.0.ffn_up.weight": gate_up}.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    model = load(tmp_path / "phi3.gguf")
    assert torch.equal(model.blocks[0].attention.qkv.weight, torch.from_numpy(qkv))
    assert torch.equal(model.blocks[0].mlp.gate.weight, torch.from_numpy(stored["blk.0.ffn_gate.weight"]))
    assert torch.equal(model.blocks[0].mlp.up.weight, torch.from_numpy(stored["blk.0.ffn_up.weight"]))


def test_llama3s_scaled_positions_are_found_from_their_factors(tmp_path: Path) -> None:
    factors = _llama3_factors(500_000.0)
    write(tmp_path / "a.gguf", {"rope.freq_base": 500_000.0}, more={"rope_freqs.weight": factors})
    assert load(tmp_path / "a.gguf").config.rope_scaling == LLAMA3
    write(
        tmp_path / "b.gguf", {"rope.freq_base": 500_000.0}, more={"rope_freqs.weight": factors[::-1].copy()}
    )
    other = load(tmp_path / "b.gguf").config.rope_scaling
    assert isinstance(other, LongropeScaling)
    assert other.short_factors == other.long_factors == tuple(factors[::-1].tolist())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"expert_count": 8}, r"not supported by Foundling's llama: llama\.expert_count=8"),
        ({"rope.dimension_count": 8}, r"llama\.rope\.dimension_count=8: must be the head size, 16"),
        (
            {"rope.scaling.type": "longrope", "rope.scaling.factor": 2.0},
            "rope.scaling.type='longrope': must be none",
        ),
        ({"attention.head_count": 5}, r"n_embd=64 to be divisible by n_head=5"),
        ({"block_count": 200}, "has 200 layers for 12 tensors"),
        ({"feed_forward_length": 2**30}, r"weights, which need [\d,]+ GiB of memory"),
        ({"embedding_length": 32}, r"has shape \(50, 64\), expected \(50, 32\)"),
    ],
)
def test_a_shape_that_our_model_cannot_have_is_refused(
    changes: dict[str, Any], says: str, tmp_path: Path
) -> None:
    write(tmp_path / "a.gguf", changes)
    with pytest.raises(ValueError, match=says):
        load(tmp_path / "a.gguf")


@pytest.mark.parametrize(
    ("heads", "says"),
    [
        ([0, 2], r"layers: must name n_layer=4 layers, not 2"),
        ([0, 2, 0, 1], r"n_kv_head=\[0, 2, 0, 1\]: must be an integer"),
        ([0, 3, 0, 3], r"n_kv_head=3: must divide n_head=4"),
        ([0, -1, 0, 0], r"n_kv_head=-1: must be at least 1"),
    ],
)
def test_key_value_heads_by_layer_that_cannot_be_are_refused(
    heads: list[int], says: str, tmp_path: Path
) -> None:
    values = LLAMA | {"block_count": 4, "attention.head_count_kv": heads, "shortconv.l_cache": 3}
    metadata = {"general.architecture": "lfm2", **{f"lfm2.{key}": value for key, value in values.items()}}
    tensors = {"token_embd.weight": StoredTensor((50, 64), "F32", 0, 12800)}
    with pytest.raises(ValueError, match=says):
        read_config(GGUF(tmp_path, metadata, tensors), FREE)


def test_a_window_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "a.gguf", {"attention.sliding_window": 48})
    assert (load(tmp_path / "a.gguf").config.window, load(tmp_path / "a.gguf").config.context) == (48, 64)


def test_a_file_that_is_cut_anywhere_is_one_line(tmp_path: Path) -> None:
    write(tmp_path / "a.gguf")
    whole = (tmp_path / "a.gguf").read_bytes()
    cut = tmp_path / "cut.gguf"
    for length in [*range(0, 1200, 7), len(whole) - 1]:
        cut.write_bytes(whole[:length])
        with pytest.raises(
            ValueError, match=r"cut\.gguf is not a valid GGUF file \(.*\); fetch it again"
        ) as error:
            read_gguf(cut)
        assert "\n" not in str(error.value)


def test_a_file_that_lies_is_one_line(tmp_path: Path) -> None:
    write(tmp_path / "a.gguf")
    whole = (tmp_path / "a.gguf").read_bytes()

    def refused(says: str, data: bytes) -> None:
        (tmp_path / "b.gguf").write_bytes(data)
        with pytest.raises(ValueError, match=says):
            read_gguf(tmp_path / "b.gguf")

    at = whole.index(b"token_embd.weight") + len(b"token_embd.weight") + 4  # shape (64, 50), type, offset
    refused("has type number 250", whole[: at + 16] + struct.pack("<I", 250) + whole[at + 20 :])
    refused(r"takes [\d,]+ bytes at", whole[:at] + struct.pack("<Q", 2**50) + whole[at + 8 :])
    refused(r"has shape \(50, 0\)", whole[:at] + struct.pack("<Q", 0) + whole[at + 8 :])
    refused(r"it is incomplete", whole[: at + 20] + struct.pack("<Q", 2**40) + whole[at + 28 :])
    refused("a count or length of 1,099,511,627,776", whole[:8] + struct.pack("<Q", 2**40) + whole[16:])
    refused("a count or length of", whole[:24] + struct.pack("<Q", 2**63) + whole[32:])
    refused(
        "version 50,331,648; must be 2 or 3, or the file is big", whole[:4] + struct.pack(">I", 3) + whole[8:]
    )
    refused("it does not begin with GGUF", b"PK" + whole[2:])
    for byte in range(32, 900, 5):  # whatever a flipped byte makes of it, it is read or refused
        (tmp_path / "b.gguf").write_bytes(whole[:byte] + bytes([whole[byte] ^ 0x81]) + whole[byte + 1 :])
        try:
            load(tmp_path / "b.gguf")
        except ValueError as error:
            assert "b.gguf" in str(error)  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017


def test_integers_are_no_weights(tmp_path: Path) -> None:
    write(tmp_path / "a.gguf")
    data = (tmp_path / "a.gguf").read_bytes()
    at = data.index(b"output_norm.weight") + len(b"output_norm.weight") + 4 + 8
    (tmp_path / "a.gguf").write_bytes(
        data[:at] + struct.pack("<I", int(gguf.GGMLQuantizationType.I32)) + data[at + 4 :]
    )
    with pytest.raises(
        ValueError, match=r"output_norm\.weight is of type I32, which the package gguf cannot"
    ):
        load(tmp_path / "a.gguf")


def test_of_several_files_in_a_folder_one_must_be_named(tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path / f"{name}.gguf")
    with pytest.raises(ValueError, match=r"has 2 GGUF files \(a\.gguf, b\.gguf\); name one of them"):
        load(tmp_path)
    assert load(tmp_path / "b.gguf").config.n_embd == 64
