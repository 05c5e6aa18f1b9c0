"""What the config.json of each family of models in transformers says in the terms of our GPT."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foundling.weights import lfm2_config
from foundling.weights.architectures import GPT2, LFM2, MODERN


@dataclass(frozen=True)
class Family:
    """What the config.json of a model_type says in our terms."""

    fixed: Mapping[str, Any]  # our fields that it does not mention, since the family has one value for them
    fields: Mapping[str, str]  # our field -> theirs
    defaults: Mapping[str, Any]  # transformers' values of fields that are omitted
    # fields with the values that match our computation; the first is written
    allowed: Mapping[str, tuple[Any, ...]]


_SHARED = {"vocab_size": "vocab_size", "tied": "tie_word_embeddings"}
_GPT2 = Family(
    GPT2.fixed,
    {
        **_SHARED,
        **{"context": "n_positions", "n_embd": "n_embd", "n_head": "n_head", "n_layer": "n_layer"},
        **{"n_ffn": "n_inner", "norm_eps": "layer_norm_epsilon"},
    },
    {"tie_word_embeddings": True, "n_inner": None, "layer_norm_epsilon": 1e-5},
    {
        "activation_function": ("gelu_new", "gelu_pytorch_tanh", "gelu_fast"),
        "scale_attn_weights": (True,),
        "scale_attn_by_inverse_layer_idx": (False,),
        "add_cross_attention": (False,),
    },
)


def _modern(
    fixed: Mapping[str, Any],
    defaults: Mapping[str, Any],
    allowed: Mapping[str, tuple[Any, ...]] | None = None,
    fields: Mapping[str, str] | None = None,
) -> Family:
    """A family of Llama's kind."""
    theirs = {
        **_SHARED,
        **{"context": "max_position_embeddings", "n_embd": "hidden_size", "n_head": "num_attention_heads"},
        **{"n_layer": "num_hidden_layers", "n_ffn": "intermediate_size", "norm_eps": "rms_norm_eps"},
        **{"n_kv_head": "num_key_value_heads", "head_dim": "head_dim", **(fields or {})},
    }
    common = {
        "tie_word_embeddings": False,
        "num_key_value_heads": None,
        "head_dim": None,
        "rms_norm_eps": 1e-6,
    }
    silu = {"hidden_act": ("silu", "swish")}
    return Family(
        {**MODERN, "qk_norm": False, **fixed}, theirs, {**common, **defaults}, {**silu, **(allowed or {})}
    )


FAMILIES = {
    "gpt2": _GPT2,
    "llama": _modern(
        {}, {"attention_bias": False}, {"pretraining_tp": (1, None)}, {"bias": "attention_bias"}
    ),
    "mistral": _modern({"bias": False}, {"num_key_value_heads": 8, "sliding_window": 4096}),
    "olmo2": _modern(
        {"bias": False, "qk_norm": "all", "norm_place": "output"},
        {"rms_norm_eps": 1e-5},
        {"attention_bias": (False,)},
    ),
    "qwen2": _modern({"bias": "qkv"}, {"num_key_value_heads": 32, "sliding_window": 4096}),
    "qwen3": _modern(
        {"bias": False, "qk_norm": True},
        {"head_dim": 128, "sliding_window": 4096},
        {"attention_bias": (False,)},
    ),
    "smollm3": _modern(
        {"bias": False},
        {"tie_word_embeddings": True, "num_key_value_heads": 4, "rope_theta": 2_000_000.0},
        {"attention_bias": (False,), "mlp_bias": (False,)},
    ),
    "phi3": _modern({"bias": False}, {"rms_norm_eps": 1e-5}),
    "lfm2": Family(
        LFM2.fixed, {**_SHARED, **lfm2_config.FIELDS}, lfm2_config.DEFAULTS, {"conv_bias": (False,)}
    ),
}
WHY_NOT = {  # families that are near, and what our model lacks for them
    "gemma": "it scales embeddings, and its norms add 1 to their weights",
    "gemma2": "it scales embeddings and caps logits",
    "mixtral": "it is a mixture of experts",
}
# fields that do not change the computation: names, training, generation, output formats
IGNORED = {
    *("architectures", "model_type", "transformers_version", "torch_dtype", "dtype", "auto_map"),
    *("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "sep_token_id"),
    *("tokenizer_class", "resid_pdrop", "embd_pdrop", "attn_pdrop", "attention_dropout"),
    *("initializer_range", "use_cache", "n_ctx", "summary_type", "summary_use_proj"),
    *("summary_activation", "summary_first_dropout", "summary_proj_to_labels"),
    *("task_specific_params", "id2label", "label2id", "problem_type", "return_dict"),
    *("reorder_and_upcast_attn", "chunk_size_feed_forward", "gradient_checkpointing"),
    *("output_past", "predict_special_tokens", "output_attentions", "output_hidden_states"),
    *("is_encoder_decoder",),
}
# fields that huggingface_config.py reads, each with what it depends on
READ = {
    *("rope_theta", "rope_parameters", "rope_scaling", "original_max_position_embeddings"),
    *("partial_rotary_factor", "sliding_window", "use_sliding_window", "max_window_layers"),
    *("layer_types", "no_rope_layers", "no_rope_layer_interval", "mlp_bias"),
    *lfm2_config.READ,
}
QUANTIZED = ("quantization_config", "compression_config")
