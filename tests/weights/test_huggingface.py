from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from safetensors.torch import load_file, save_file

from foundling.artifacts import read_json, write_json
from foundling.model.gpt import GPT
from foundling.text.library_tokenizer import LibraryTokenizer
from foundling.text.prompts import TEMPLATES
from foundling.text.published import read_published
from foundling.text.tokenizer import Tokenizer
from foundling.weights import huggingface, huggingface_export
from foundling.weights.huggingface_config import read_config

transformers = pytest.importorskip("transformers")
SHAPES = (
    *("gpt2", "gpt2_without_bias", "gpt2_with_sinusoids", "llama", "llama_with_bias", "qwen2", "qwen3"),
    *("lfm2", "olmo2", "mistral", "qwen3_with_windows", "longrope"),
    *("linear", "yarn", "yarn_sharper", "llama3"),
)
OWN = {"dropout": 0.0, "init": "gpt2", "attention": "fused"}
SMALL = {"vocab_size": 60, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
SMALL |= {
    "num_key_value_heads": 2,
    "intermediate_size": 80,
    "max_position_embeddings": 96,
    "pad_token_id": None,
}
PEERS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": (
        "GPT2",
        {"vocab_size": 60, "n_positions": 96, "n_embd": 48, "n_layer": 2, "n_head": 4, "n_inner": 80},
    ),
    "gpt2, a head of its own": (
        "GPT2",
        {
            "vocab_size": 60,
            "n_positions": 96,
            "n_embd": 48,
            "n_layer": 2,
            "n_head": 4,
            "tie_word_embeddings": False,
        },
    ),
    "llama": ("Llama", SMALL),
    "llama, tied, with biases": (
        "Llama",
        SMALL | {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True},
    ),
    "llama, far": ("Llama", SMALL | {"rope_parameters": {"rope_type": "default", "rope_theta": 500_000.0}}),
    "qwen3": ("Qwen3", SMALL | {"head_dim": 32}),
    "lfm2": ("Lfm2", SMALL | {"layer_types": ["conv", "full_attention"]}),
    "lfm2, longer kernels, another width": (
        "Lfm2",
        SMALL | {"full_attn_idxs": [0], "conv_L_cache": 5, "block_multiple_of": 16, "tie_embedding": False},
    ),
    "qwen3, tied": ("Qwen3", SMALL | {"head_dim": 16, "tie_word_embeddings": True}),
}


def read(folder: Path) -> GPT:
    name, config = read_config(folder, OWN)
    return huggingface.load_model(folder, name, config)


def their_greedy(peer: Any, ids: list[int], count: int) -> list[int]:
    peer.generation_config.eos_token_id = None
    written = peer.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=count, pad_token_id=0)
    return written[0, len(ids) :].tolist()


@pytest.mark.parametrize("shape", SHAPES)
def test_transformers_computes_what_we_exported(
    shape: str,
    any_model: Callable[[str], GPT],
    tokenizer: Tokenizer,
    tmp_path: Path,
    greedy: Callable[..., list[int]],
) -> None:
    model = any_model(shape)
    huggingface_export.export(tmp_path / "out", model, tokenizer)
    peer, found = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "out", output_loading_info=True
    )
    assert not any(found.values()), found
    ids = torch.randint(500, (2, 80), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert (peer.eval()(ids).logits - model(ids)).abs().max() < 1e-4
    prompt = tokenizer.encode("The lion and the")
    assert their_greedy(peer, prompt, 64) == greedy(model, prompt, 64)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_we_exported_comes_back(
    shape: str, any_model: Callable[[str], GPT], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    model = any_model(shape)
    huggingface_export.export(tmp_path / "out", model, tokenizer)
    back = read(tmp_path / "out")
    ids = torch.randint(500, (2, 80), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(back(ids), model(ids), atol=1e-5, rtol=1e-5)
    if shape in (
        "gpt2",
        "llama",
        "llama_with_bias",
        "qwen2",
        "qwen3",
        "lfm2",
    ):  # nothing was filled in on the way
        assert back.config == model.config
        assert all(torch.equal(a, b) for a, b in zip(back.parameters(), model.parameters(), strict=True))


@pytest.mark.parametrize("peer_name", PEERS)
@pytest.mark.parametrize("sharded", [False, True], ids=["whole", "sharded"])
def test_we_compute_what_transformers_saved(
    peer_name: str, sharded: bool, tmp_path: Path, greedy: Callable[..., list[int]]
) -> None:
    kind, values = PEERS[peer_name]
    torch.manual_seed(0)
    head = "LMHeadModel" if kind == "GPT2" else "ForCausalLM"
    config = getattr(transformers, f"{kind}Config")(bos_token_id=0, eos_token_id=0, **values)
    peer = getattr(transformers, f"{kind}{head}")(config).eval()
    for parameter in peer.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    peer.save_pretrained(tmp_path, max_shard_size="30KB" if sharded else "1GB")
    assert (tmp_path / huggingface.INDEX).is_file() == sharded
    model = read(tmp_path)
    ids = torch.randint(60, (2, 80))
    with torch.inference_mode():
        assert (model(ids) - peer(ids).logits).abs().max() < 1e-4
    assert greedy(model, [1, 2, 3], 64) == their_greedy(peer, [1, 2, 3], 64)


@pytest.mark.parametrize(("precision", "dtype"), [("f16", torch.float16), ("bf16", torch.bfloat16)])
def test_half_precision_goes_out_and_comes_back_as_float32(
    precision: str, dtype: torch.dtype, make_model: Callable[[str], GPT], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    model = make_model("qwen3")
    huggingface_export.export(tmp_path / "out", model, tokenizer, precision=precision)
    peer = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    back = read(tmp_path / "out")
    assert peer.dtype == dtype
    assert {p.dtype for p in back.parameters()} == {torch.float32}
    assert all(
        torch.equal(b, a.to(dtype).float())
        for a, b in zip(model.parameters(), back.parameters(), strict=True)
    )


def test_a_chat_template_and_special_tokens_go_along(
    make_model: Callable[[str], GPT], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    from foundling.text.prompts import Message, render_prompt

    template = TEMPLATES["phi3"]
    huggingface_export.export(tmp_path / "out", make_model("llama"), tokenizer, template)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    said = [{"role": "user", "content": "Who sleeps?"}, {"role": "assistant", "content": "The lion."}]
    said += [{"role": "user", "content": "Why?"}]
    ids = theirs.apply_chat_template(said, add_generation_prompt=True, return_dict=False)
    assert ids == render_prompt([Message(one["role"], one["content"]) for one in said], template, tokenizer)
    assert theirs.eos_token_id == tokenizer.end_of_text
    assert theirs.convert_tokens_to_ids("<|user|>") == tokenizer.special_ids["<|user|>"]


def test_a_compiled_models_state_dict_and_what_transformers_remembers_are_read(
    make_model: Callable[[str], GPT], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    """torch.compile puts _orig_mod. in front of each name; config.json may hold fields like _num_labels."""
    model = make_model("llama")
    huggingface_export.export(tmp_path / "out", model, tokenizer)
    path = tmp_path / "out" / huggingface.WEIGHTS
    save_file({f"_orig_mod.{name}": tensor for name, tensor in load_file(path).items()}, path)
    remembered = {
        "_num_labels": 1,
        "_name_or_path": "a/b",
        "_model_name_or_path": "c",
        "_attn_implementation": "x",
    }
    write_json(tmp_path / "out/config.json", read_json(tmp_path / "out/config.json") | remembered)
    back = read(tmp_path / "out")
    assert all(torch.equal(a, b) for a, b in zip(back.parameters(), model.parameters(), strict=True))


@pytest.fixture
def saved(make_model: Callable[[str], GPT], tokenizer: Tokenizer, tmp_path: Path) -> Path:
    huggingface_export.export(tmp_path / "out", make_model("llama"), tokenizer)
    return tmp_path / "out"


def test_tensors_that_do_not_fit_are_named(saved: Path) -> None:
    state = load_file(saved / "model.safetensors")
    state["stranger"] = state.pop("model.norm.weight")
    state["model.layers.1.self_attn.k_proj.weight"] = torch.zeros(3, 64)
    save_file(state, saved / "model.safetensors")
    with pytest.raises(ValueError, match="does not match its config") as error:
        read(saved)
    for part in ("norm.weight is missing", "stranger is unexpected", "shape (3, 64), expected (32, 64)"):
        assert part in str(error.value)


def test_a_quantized_tensor_a_cut_file_and_a_lost_shard_are_refused(saved: Path) -> None:
    weights = saved / "model.safetensors"
    state = load_file(weights)
    save_file(state | {"model.norm.weight": torch.zeros(64, dtype=torch.int8)}, weights)
    with pytest.raises(ValueError, match=r"model\.norm\.weight has dtype I8; must be one of F32, F16, BF16"):
        read(saved)
    weights.write_bytes(weights.read_bytes()[:-5])
    with pytest.raises(ValueError, match="is not a valid safetensors file"):
        read(saved)
    write_json(saved / huggingface.INDEX, {"weight_map": {"a": "model-1-of-2.safetensors"}})
    with pytest.raises(
        ValueError, match=r"lacks model-1-of-2\.safetensors, which model\.safetensors\.index\.json names"
    ):
        read(saved)
    write_json(saved / huggingface.INDEX, {"weight_map": {"a": "../elsewhere.safetensors"}})
    with pytest.raises(
        ValueError, match=r"names \.\./elsewhere\.safetensors; shards must be in the folder itself"
    ):
        read(saved)


def test_a_pickle_is_refused_unopened(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"has neither model\.safetensors nor"):
        read(saved)
    (saved / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(ValueError, match=r"pickle \(pytorch_model\.bin\).*reads safetensors only"):
        read(saved)


def test_a_stored_tied_head_must_be_what_it_is_tied_to(saved: Path) -> None:
    write_json(saved / "config.json", read_json(saved / "config.json") | {"tie_word_embeddings": True})
    with pytest.raises(ValueError, match=r"tie_word_embeddings is true, but lm_head\.weight differs"):
        read(saved)
    state = load_file(saved / "model.safetensors")
    save_file(
        state | {"lm_head.weight": state["model.embed_tokens.weight"].clone()}, saved / "model.safetensors"
    )
    assert read(saved).output is None


def test_old_files_of_gpt2_with_masks_and_without_prefix_are_read(
    make_model: Callable[[str], GPT], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    model = make_model("gpt2")
    huggingface_export.export(tmp_path / "out", model, tokenizer)
    path = tmp_path / "out/model.safetensors"
    state = {name.removeprefix("transformer."): tensor for name, tensor in load_file(path).items()}
    save_file(state | {"h.0.attn.bias": torch.ones(1, 1, 96, 96, dtype=torch.uint8)}, path)
    assert all(
        torch.equal(a, b)
        for a, b in zip(read(tmp_path / "out").parameters(), model.parameters(), strict=True)
    )


def test_all_tokens_that_end_an_answer_go_along(gpt_config: Callable[..., Any], tmp_path: Path) -> None:
    library = tokenizers.Tokenizer(tokenizers.models.WordLevel({"fox": 0}, unk_token="fox"))
    library.add_special_tokens(["<|endoftext|>", "<|im_end|>"])
    tokenizer = LibraryTokenizer(library.to_str(), {"eos_token": "<|im_end|>"})
    huggingface_export.export(tmp_path / "out", GPT(gpt_config("llama", 3)), tokenizer)
    assert read_json(tmp_path / "out/generation_config.json")["eos_token_id"] == [1, 2]
    assert read_published(tmp_path / "out").ends == tokenizer.ends == {1, 2}
