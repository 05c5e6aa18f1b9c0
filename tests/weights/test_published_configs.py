"""Published config.json files, shrunk: on random weights we compute what transformers does."""

import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from foundling.artifacts import read_json, write_json
from foundling.model.gpt import GPT
from foundling.weights import huggingface
from foundling.weights.checkpoints import open_checkpoint
from foundling.weights.huggingface_config import read_config
from foundling.weights.huggingface_families import FAMILIES, IGNORED, QUANTIZED, READ

transformers = pytest.importorskip("transformers")
FREE = {"dropout": 0.0, "init": "gpt2", "attention": "fused"}
SMALL = {"vocab_size": 60, "hidden_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4}
SMALL |= {"num_key_value_heads": 2, "intermediate_size": 80, "max_position_embeddings": 96}
IDS = {"bos_token_id": 0, "eos_token_id": 0}
LLAMA3 = {
    "factor": 32.0,
    "high_freq_factor": 4.0,
    "low_freq_factor": 1.0,
    "original_max_position_embeddings": 48,
}
LONGROPE = {"type": "longrope", "short_factor": [1.0, 1.1, 1.3, 1.5, 1.8, 2.0]}
LONGROPE |= {"long_factor": [1.0, 1.5, 2.5, 4.0, 7.0, 12.0]}
# what the projects publish, with the sizes above
PUBLISHED: dict[str, dict[str, Any]] = {
    "SmolLM2-135M": {
        **SMALL,
        **IDS,
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "hidden_act": "silu",
        "initializer_range": 0.041666666666666664,
        "is_llama_config": True,
        "model_type": "llama",
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_interleaved": False,
        "rope_scaling": None,
        "rope_theta": 100000,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16"}},
        "transformers_version": "4.42.3",
        "use_cache": True,
        "_model_name_or_path": "a/b",
    },
    "Llama-2-7b": {
        **SMALL,
        **IDS,
        "_name_or_path": "meta-llama/Llama-2-7b-hf",
        "hidden_act": "silu",
        "model_type": "llama",
        "num_key_value_heads": 4,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": {"factor": 4.0, "type": "linear"},
        "tie_word_embeddings": False,
    },
    "Llama-3.2-1B": {
        **SMALL,
        **IDS,
        "eos_token_id": [1, 2, 3],
        "attention_bias": False,
        "head_dim": 16,
        "hidden_act": "silu",
        "mlp_bias": False,
        "model_type": "llama",
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": {**LLAMA3, "rope_type": "llama3"},
        "rope_theta": 500000.0,
        "tie_word_embeddings": True,
    },
    "Mistral-7B-v0.3": {
        **SMALL,
        **IDS,
        "hidden_act": "silu",
        "model_type": "mistral",
        "rms_norm_eps": 1e-05,
        "rope_theta": 1000000.0,
        "sliding_window": None,
        "tie_word_embeddings": False,
    },
    "Mistral-7B-v0.1": {
        **SMALL,
        **IDS,
        "hidden_act": "silu",
        "model_type": "mistral",
        "rms_norm_eps": 1e-05,
        "rope_theta": 10000.0,
        "sliding_window": 40,
        "tie_word_embeddings": False,
    },
    "OLMo-2-1B": {
        **SMALL,
        **IDS,
        "architectures": ["Olmo2ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "hidden_act": "silu",
        "model_type": "olmo2",
        "num_key_value_heads": 4,
        "rms_norm_eps": 1e-06,
        "rope_scaling": None,
        "rope_theta": 500000,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
    },
    "Phi-3-mini-128k": {
        **SMALL,
        **IDS,
        "hidden_act": "silu",
        "model_type": "phi3",
        "original_max_position_embeddings": 40,
        "pad_token_id": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": LONGROPE,
        "rope_theta": 10000.0,
        "sliding_window": 200,
        "tie_word_embeddings": False,
    },
    "Phi-4-mini": {
        **SMALL,
        **IDS,
        "full_attn_mod": 1,
        "hidden_act": "silu",
        "hidden_size": 64,
        "model_type": "phi3",
        "original_max_position_embeddings": 40,
        "pad_token_id": 1,
        "partial_rotary_factor": 0.75,
        "rms_norm_eps": 1e-05,
        "rope_scaling": LONGROPE,
        "rope_theta": 10000.0,
        "sliding_window": 200,
        "tie_word_embeddings": True,
    },
    "Qwen2-7B, with windows": {
        **SMALL,
        **IDS,
        "hidden_act": "silu",
        "max_window_layers": 3,
        "model_type": "qwen2",
        "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0,
        "sliding_window": 24,
        "tie_word_embeddings": False,
        "use_sliding_window": True,
    },
    "Qwen3, windows in some layers": {
        **SMALL,
        **IDS,
        "head_dim": 32,
        "hidden_act": "silu",
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention"],
        "model_type": "qwen3",
        "rms_norm_eps": 1e-06,
        "rope_theta": 1000000,
        "sliding_window": 24,
        "tie_word_embeddings": True,
        "use_sliding_window": True,
    },
    "Qwen2.5-0.5B": {
        **SMALL,
        **IDS,
        "attention_dropout": 0.0,
        "hidden_act": "silu",
        "max_window_layers": 2,
        "model_type": "qwen2",
        "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0,
        "sliding_window": 40,
        "tie_word_embeddings": True,
        "use_mrope": False,
        "use_sliding_window": False,
    },
    "Qwen2.5-7B, long": {
        **SMALL,
        **IDS,
        "hidden_act": "silu",
        "model_type": "qwen2",
        "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0,
        "rope_scaling": {"factor": 4.0, "original_max_position_embeddings": 24, "type": "yarn"},
        "tie_word_embeddings": False,
        "use_sliding_window": False,
    },
    "Qwen3-0.6B": {
        **SMALL,
        **IDS,
        "attention_bias": False,
        "head_dim": 32,
        "hidden_act": "silu",
        "max_window_layers": 28,
        "model_type": "qwen3",
        "rms_norm_eps": 1e-06,
        "rope_scaling": None,
        "rope_theta": 1000000,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "use_sliding_window": False,
    },
    "SmolLM3-3B": {
        **SMALL,
        **IDS,
        "attention_bias": False,
        "hidden_act": "silu",
        "layer_types": ["full_attention"] * 4,
        "max_window_layers": 28,
        "mlp_bias": False,
        "model_type": "smollm3",
        "no_rope_layer_interval": 4,
        "no_rope_layers": [1, 1, 1, 0],
        "pad_token_id": 1,
        "pretraining_tp": 2,
        "rms_norm_eps": 1e-06,
        "rope_scaling": None,
        "rope_theta": 5000000.0,
        "sliding_window": None,
        "use_sliding_window": False,
    },
    "Phi-3-mini-4k": {
        **SMALL,
        **IDS,
        "auto_map": {"AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"},
        "embd_pdrop": 0.0,
        "hidden_act": "silu",
        "model_type": "phi3",
        "num_key_value_heads": 4,
        "original_max_position_embeddings": 96,
        "pad_token_id": 1,
        "resid_pdrop": 0.0,
        "rms_norm_eps": 1e-05,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "sliding_window": 47,
        "tie_word_embeddings": False,
        "attention_bias": False,
    },
    "LFM2-350M": {
        **{name: value for name, value in SMALL.items() if name != "intermediate_size"},
        "architectures": ["Lfm2ForCausalLM"],
        "block_auto_adjust_ff_dim": True,
        "block_dim": 48,
        "block_ff_dim": 130,
        "block_ffn_dim_multiplier": 1.0,
        "block_mlp_init_scale": 1.0,
        "block_multiple_of": 16,
        "block_norm_eps": 1e-05,
        "block_out_init_scale": 1.0,
        "block_use_swiglu": True,
        "block_use_xavier_init": True,
        "bos_token_id": 1,
        "conv_L_cache": 3,
        "conv_bias": False,
        "conv_dim": 48,
        "conv_dim_out": 48,
        "conv_use_xavier_init": True,
        "eos_token_id": 7,
        "full_attn_idxs": [2],
        "initializer_range": 0.02,
        "model_type": "lfm2",
        "norm_eps": 1e-05,
        "num_heads": 4,
        "pad_token_id": 0,
        "rope_theta": 1000000.0,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.54.0.dev0",
        "use_cache": True,
        "use_pos_enc": True,
    },
    "gpt2": {
        **{"vocab_size": 60, "n_ctx": 96, "n_embd": 48, "n_head": 4, "n_layer": 2, "n_positions": 96},
        **IDS,
        "activation_function": "gelu_new",
        "architectures": ["GPT2LMHeadModel"],
        "attn_pdrop": 0.1,
        "layer_norm_epsilon": 1e-05,
        "model_type": "gpt2",
        "summary_type": "cls_index",
        "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
    },
}


def load(folder: Path) -> GPT:
    checkpoint = open_checkpoint(folder, FREE)
    assert checkpoint is not None
    return checkpoint.load(checkpoint.config.context, checkpoint.config.vocab_size)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_config_computes_what_transformers_computes(
    name: str, tmp_path: Path, greedy: Callable[..., list[int]]
) -> None:
    write_json(tmp_path / "config.json", PUBLISHED[name])
    config = transformers.AutoConfig.from_pretrained(tmp_path)
    torch.manual_seed(0)
    peer = transformers.AutoModelForCausalLM.from_config(config).eval()
    for parameter in peer.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    peer.save_pretrained(tmp_path, max_shard_size="60KB")
    peer.float()  # SmolLM2 is saved in bfloat16
    write_json(tmp_path / "config.json", PUBLISHED[name])  # transformers writes its own
    model = load(tmp_path)
    ids = torch.randint(1, 60, (2, model.config.context))  # transformers takes a 0 for padding
    assert ids.size(1) == 96
    with torch.inference_mode():
        for length in (96, 30):  # longer and shorter than the windows and original contexts
            assert (model(ids[:, :length]) - peer(ids[:, :length]).logits).abs().max() < 1e-4
    peer.generation_config.eos_token_id = None
    for length in (3, 50):
        options = {"do_sample": False, "max_new_tokens": 46, "pad_token_id": 0}
        theirs = peer.generate(ids[:1, :length], **options)[0, length:]
        assert greedy(model, ids[0, :length].tolist(), 46) == theirs.tolist()


@pytest.mark.parametrize(
    ("name", "window", "blocks"),
    [
        ("Mistral-7B-v0.1", 40, None),
        ("Phi-3-mini-4k", 47, None),
        ("Qwen2-7B, with windows", 24, (3,)),
        ("Qwen3, windows in some layers", 24, (0, 2)),
        ("Qwen2.5-0.5B", 0, None),
        ("Phi-4-mini", 0, None),
    ],
)
def test_a_window_is_of_the_layers_that_have_it(
    name: str, window: int, blocks: tuple[int, ...] | None, tmp_path: Path
) -> None:
    write_json(tmp_path / "config.json", PUBLISHED[name])
    _, config = read_config(tmp_path, {})
    assert (config.window, config.window_blocks) == (window, blocks)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_field_of_transformers_own_config_is_known(name: str) -> None:
    """So a field that transformers adds to a family is not let through as one that it never reads."""
    family = FAMILIES[name]
    known = {*family.fields.values(), *family.allowed, *IGNORED, *READ, *QUANTIZED}
    theirs = transformers.AutoConfig.for_model(name).to_dict()
    assert {field for field in theirs if not field.startswith("_")} <= known


def test_fields_that_change_nothing_are_let_through_with_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_json(tmp_path / "config.json", PUBLISHED["SmolLM2-135M"] | {"aspect_ratio": 3})
    with caplog.at_level(logging.INFO):
        read_config(tmp_path, FREE)
    (line,) = caplog.messages
    assert line.endswith(
        "ignored, since llama does not compute with them: aspect_ratio, is_llama_config, "
        "transformers.js_config"
    )


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        (
            "SmolLM2-135M",
            {"model_type": "gemma2"},
            "model_type='gemma2' .it scales embeddings.*must be one of gpt2, lla",
        ),
        ("SmolLM2-135M", {"hidden_act": "gelu"}, "hidden_act='gelu' .must be 'silu'"),
        ("SmolLM2-135M", {"mlp_bias": True}, "mlp_bias=True with attention_bias=False"),
        (
            "SmolLM2-135M",
            {"rope_scaling": {"type": "longrope", "factor": 2}},
            "is not a valid config .*KeyError: 'short_factor'",
        ),
        (
            "Phi-4-mini",
            {"rope_scaling": LONGROPE | {"long_factor": [1.0]}},
            "rope_scaling.long_factors: must be 6 numbers, one a frequency",
        ),
        ("SmolLM2-135M", {"rope_scaling": {"type": "ntk", "factor": 2}}, "rope_type='ntk' .must be default"),
        (
            "Qwen3-0.6B",
            {"layer_types": ["full_attention"]},
            "layer_types of 1 layers .must be num_hidden_layers",
        ),
        (
            "SmolLM2-135M",
            {"rope_parameters": {"full_attention": {"rope_theta": 1e4}}},
            "must be the same in all",
        ),
        (
            "SmolLM2-135M",
            {"quantization_config": {"bits": 4}},
            "quantization_config=.* .use the checkpoint that is",
        ),
        ("Llama-3.2-1B", {"rope_scaling": {"type": "llama3"}}, "is not a valid config .*KeyError: 'factor'"),
        (
            "Llama-3.2-1B",
            {"rope_scaling": {**LLAMA3, "type": "llama3", "factor": 0.5}},
            "factor=0.5: must be at least",
        ),
        ("Qwen3-0.6B", {"attention_bias": True}, "attention_bias=True .must be False"),
        (
            "Qwen3-0.6B",
            {"layer_types": ["linear_attention"]},
            "layer_types=.*linear_attention.* .must be full",
        ),
        (
            "SmolLM3-3B",
            {"no_rope_layers": [1, 0, 1, 1]},
            "no_rope_layers=.1, 0, 1, 1. .must leave out every n-th",
        ),
        ("SmolLM2-135M", {"partial_rotary_factor": 0.75}, "partial_rotary_factor=0.75 .must be 1"),
        (
            "Phi-3-mini-4k",
            {"partial_rotary_factor": 1.5},
            "rotary_dim=18: must be even and at most head_dim",
        ),
        ("Qwen2.5-0.5B", {"max_position_embeddings": 10**12}, "model.context=1000000000000: must be below"),
        ("LFM2-350M", {"conv_bias": True}, "conv_bias=True .must be False"),
        (
            "LFM2-350M",
            {"layer_types": ["conv", "mamba"]},
            "layer_types=.*mamba.* .must be full_attention or conv",
        ),
        (
            "LFM2-350M",
            {"full_attn_idxs": [0], "num_hidden_layers": 2**30},
            "TypeError: num_hidden_layers=1,073",
        ),
        ("LFM2-350M", {"layer_types": ["conv"]}, "layer_types of 1 layers .must be num_hidden_layers"),
        ("LFM2-350M", {"block_multiple_of": 0}, "is not a valid config .*ZeroDivisionError"),
        (
            "Qwen2-7B, with windows",
            {"num_hidden_layers": 2**30},
            "TypeError: num_hidden_layers=1073741824: must be at most 10,000",
        ),
        ("gpt2", {"activation_function": "relu"}, "activation_function='relu' .must be 'gelu_new'"),
    ],
)
def test_a_field_that_changes_the_computation_is_refused_by_name(
    tmp_path: Path, name: str, changes: dict[str, Any], says: str
) -> None:
    write_json(tmp_path / "config.json", PUBLISHED[name] | changes)
    with pytest.raises(ValueError, match=says):
        read_config(tmp_path, FREE)


ODD: list[Any] = [None, True, 0, -1, 1.5, 1e308, 2**31, 10**30, "x", [], ["a"] * 3, [None], {}]
ODD += [{"type": "longrope"}, {"rope_type": "yarn", "factor": 0}]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_config_with_odd_values_is_read_or_one_line(name: str, tmp_path: Path) -> None:
    chance = random.Random(name)
    for _ in range(60):
        values = dict(PUBLISHED[name])
        for field in chance.sample([*values, "rope_scaling", "layer_types", "sliding_window"], 2):
            values[field] = chance.choice(ODD)
        write_json(tmp_path / "config.json", values)
        try:
            read_config(tmp_path, {})
        except ValueError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_a_config_that_asks_for_terabytes_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    huge = {
        "hidden_size": 2**16,
        "intermediate_size": 2**18,
        "num_hidden_layers": 40,
        "num_attention_heads": 512,
    }
    write_json(tmp_path / "config.json", PUBLISHED["SmolLM2-135M"] | huge)
    names = [f"model.layers.{i}.mlp.up_proj.weight" for i in range(40)]
    save_file({name: torch.zeros(1) for name in names}, tmp_path / huggingface.WEIGHTS)
    with pytest.raises(
        ValueError, match=r"weights, which need [\d,]+ GiB of memory, but only [\d.,]+ GiB are free"
    ):
        load(tmp_path)


def test_buffers_and_names_without_prefix_are_read(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", PUBLISHED["SmolLM2-135M"])
    config = transformers.AutoConfig.from_pretrained(tmp_path)
    peer = transformers.AutoModelForCausalLM.from_config(config)
    peer.save_pretrained(tmp_path)
    path = tmp_path / huggingface.WEIGHTS
    state = {name.removeprefix("model."): tensor for name, tensor in load_file(path).items()}
    state |= {"layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8), "rotary_emb.inv_freq": torch.ones(8)}
    save_file(state, path)
    assert load(tmp_path).parameter_count() == sum(p.numel() for p in peer.parameters())
    assert read_json(tmp_path / "config.json")["model_type"] == "llama"
