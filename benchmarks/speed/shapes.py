"""A Size as the peers' own configs."""

from typing import Any

from benchmarks.speed.sizes import Size


def litgpt_config(size: Size) -> Any:
    """LitGPT has no learned positions, so rotary ones; else as near to GPT-2 as its parts come."""
    from litgpt.model import Config

    return Config(
        name="benchmark",
        block_size=size.context,
        vocab_size=size.vocabulary,
        padded_vocab_size=size.vocabulary,
        n_layer=size.layers,
        n_head=size.heads,
        n_embd=size.width,
        bias=False,
        rotary_percentage=1.0,
        parallel_residual=False,
        norm_class_name="RMSNorm",
        mlp_class_name="GptNeoxMLP",
        intermediate_size=4 * size.width,
    )


def gpt2_config(size: Size) -> Any:
    """transformers' GPT-2 without dropout."""
    from transformers import GPT2Config

    dropouts = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    return GPT2Config(
        vocab_size=size.vocabulary,
        n_positions=size.context,
        n_layer=size.layers,
        n_head=size.heads,
        n_embd=size.width,
        bos_token_id=0,
        eos_token_id=0,
        **dropouts,
    )


def nanogpt_model(size: Size) -> Any:
    """nanoGPT's GPT, whose checkout is in sys.path."""
    from model import GPT, GPTConfig

    shape = {"n_layer": size.layers, "n_head": size.heads, "n_embd": size.width, "block_size": size.context}
    return GPT(GPTConfig(vocab_size=size.vocabulary, dropout=0.0, bias=False, **shape))
