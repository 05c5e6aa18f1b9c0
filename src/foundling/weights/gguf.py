"""Export to GGUF, the format of llama.cpp, Ollama and LM Studio: weights, tokenizer and chat template in one
file.

Supports GPT-2, Llama, Qwen2, Qwen3 and LFM2, in f32, f16 or q8_0 (blocks of 32 numbers in 8 bits with a
shared scale), by the package gguf.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from foundling.artifacts import atomic_folder
from foundling.model.config import GPTConfig
from foundling.model.interface import LanguageModel
from foundling.text.byte_alphabet import printable
from foundling.text.gguf_fields import to_gguf
from foundling.text.library_tokenizer import LibraryTokenizer
from foundling.text.merges import merges
from foundling.text.prompts import ASSISTANT, ROLES, ChatTemplate, Template
from foundling.text.tiktoken_tokenizer import GPT2_PATTERN, TiktokenTokenizer
from foundling.text.tokenizer import Tokenizer
from foundling.weights.architectures import known
from foundling.weights.gguf_file import library
from foundling.weights.gguf_rope import unsupported_scaling, write_scaling
from foundling.weights.names import Entry, Table, export_tensors

if TYPE_CHECKING:
    from gguf import GGUFWriter

# llama.cpp's pre-tokenizers (LLAMA_VOCAB_PRE_TYPE) by our pattern
QWEN2_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PATTERNS = {GPT2_PATTERN: "gpt-2", QWEN2_PATTERN: "qwen2"}
# which llama.cpp computes with in f32: positions, and kernels of convolutions
ALWAYS_F32 = ("position_embd.weight", ".shortconv.conv.weight")


def _layer(ours: str, *theirs: str, interleaved: bool = False) -> Table:
    entries = []
    for kind in ("weight", "bias"):
        names = tuple(f"{name}.{kind}" for name in theirs)
        entries.append(Entry(f"{ours}.{kind}", names, interleaved=interleaved))
    return tuple(entries)


def _table(
    *qkv: str,
    interleaved: bool,
    norm: str = "output_norm",
    norms: tuple[str, str] = ("attn_norm", "ffn_norm"),
) -> Table:
    attention_norm, mlp_norm = norms
    return (
        *_layer("token_embedding", "token_embd"),
        *_layer("position_embedding", "position_embd"),
        *_layer("norm", norm),
        *_layer("blocks.{i}.attention_norm", f"blk.{{i}}.{attention_norm}"),
        *_layer("blocks.{i}.attention.qkv", *qkv, interleaved=interleaved),
        *_layer("blocks.{i}.attention.q_norm", "blk.{i}.attn_q_norm"),
        *_layer("blocks.{i}.attention.k_norm", "blk.{i}.attn_k_norm"),
        *_layer("blocks.{i}.attention.out", "blk.{i}.attn_output"),
        *_layer("blocks.{i}.convolution_norm", "blk.{i}.attn_norm"),
        *_layer("blocks.{i}.convolution.projection", "blk.{i}.shortconv.in_proj"),
        Entry("blocks.{i}.convolution.weight", ("blk.{i}.shortconv.conv.weight",), transposed=True),
        *_layer("blocks.{i}.convolution.out", "blk.{i}.shortconv.out_proj"),
        *_layer("blocks.{i}.mlp_norm", f"blk.{{i}}.{mlp_norm}"),
        *_layer("blocks.{i}.mlp.gate", "blk.{i}.ffn_gate"),
        *_layer("blocks.{i}.mlp.up", "blk.{i}.ffn_up"),
        *_layer("blocks.{i}.mlp.out", "blk.{i}.ffn_down"),
        *_layer("output", "output"),
    )


_SEPARATE = ("blk.{i}.attn_q", "blk.{i}.attn_k", "blk.{i}.attn_v")
TABLES = {
    "gpt2": _table("blk.{i}.attn_qkv", interleaved=False),
    # llama.cpp rotates neighbouring channels in Llama, halves in Qwen3
    "llama": _table(*_SEPARATE, interleaved=True),
    "smollm3": _table(*_SEPARATE, interleaved=True),
    "qwen2": _table(*_SEPARATE, interleaved=False),
    "qwen3": _table(*_SEPARATE, interleaved=False),
    "olmo2": _table(*_SEPARATE, interleaved=False, norms=("post_attention_norm", "post_ffw_norm")),
    "phi3": _table("blk.{i}.attn_qkv", interleaved=False),
    "lfm2": _table(*_SEPARATE, interleaved=False, norm="token_embd_norm"),
}


def export(
    folder: Path,
    model: LanguageModel,
    tokenizer: Tokenizer,
    template: ChatTemplate | None = None,
    precision: str = "f32",
    name: str = "model",
) -> None:
    """Write `name`-`precision`.gguf, and a Modelfile for `ollama create`."""
    gguf = library()
    architecture, config, state = known(model, unsupported_scaling)
    with atomic_folder(folder) as temporary:
        file = f"{name}-{precision}.gguf"
        writer = gguf.GGUFWriter(temporary / file, architecture.name)
        writer.add_name(name)
        writer.add_file_type(
            gguf.LlamaFileType[{"f32": "ALL_F32"}.get(precision, f"MOSTLY_{precision.upper()}")]
        )
        _write_shape(writer, config)
        write_scaling(writer, config)
        _write_tokenizer(writer, tokenizer, config.vocab_size, template)
        for tensor_name, tensor in export_tensors(TABLES[architecture.name], config, state):
            kind = _kind(tensor_name, tensor, precision)
            data = gguf.quants.quantize(tensor.float().numpy(), gguf.GGMLQuantizationType[kind])
            writer.add_tensor(tensor_name, data, raw_dtype=gguf.GGMLQuantizationType[kind])
        try:
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        except OSError as error:
            if error.errno is None:  # from numpy, which reports only the bytes requested and written
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from None
            raise
        finally:
            writer.close()
        end = template.end(tokenizer) if template else tokenizer.end_of_text
        modelfile = _modelfile(file, template, config.context, stop=tokenizer.special_name(end))
        (temporary / "Modelfile").write_text(modelfile, encoding="utf-8")


def _kind(name: str, tensor: Tensor, precision: str) -> str:
    """A tensor's GGUF type: vectors, and those of ALWAYS_F32, stay f32, as in llama.cpp's own converter."""
    if tensor.dim() < 2 or name.endswith(ALWAYS_F32):
        return "F32"
    return "F16" if precision == "q8_0" and tensor.size(-1) % 32 else precision.upper()


def _write_shape(writer: "GGUFWriter", config: GPTConfig) -> None:
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.n_embd)
    writer.add_block_count(config.n_layer)
    writer.add_feed_forward_length(config.n_ffn)
    writer.add_head_count(config.n_head)
    if config.position == "learned":
        writer.add_layer_norm_eps(config.norm_eps)
    else:
        writer.add_layer_norm_rms_eps(config.norm_eps)
        writer.add_head_count_kv(_kv_heads(config))
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
        writer.add_rope_dimension_count(config.head_dim)
        writer.add_rope_freq_base(config.rope_theta)
    if config.conv_kernel:
        writer.add_shortconv_l_cache(config.conv_kernel)


def _kv_heads(config: GPTConfig) -> int | list[int]:
    """The number of key/value heads, or a list with that of each layer: 0 where it is a convolution."""
    if config.layers is None:
        return config.n_kv_head
    return [config.n_kv_head if kind == "attention" else 0 for kind in config.layers]


def _write_tokenizer(
    writer: "GGUFWriter", tokenizer: Tokenizer, vocab_size: int, template: ChatTemplate | None
) -> None:
    if isinstance(tokenizer, LibraryTokenizer):
        for key, value in to_gguf(tokenizer, vocab_size).items():
            _ADDERS[type(value)](writer, key, value)
    else:
        assert isinstance(tokenizer, TiktokenTokenizer)
        _write_trained(writer, tokenizer, vocab_size)
    if template is not None:
        writer.add_chat_template(template.jinja(tokenizer))


# how the values of a published tokenizer are written, by their type
_ADDERS: dict[type, Callable[["GGUFWriter", str, Any], None]] = {
    str: lambda writer, key, value: writer.add_string(key, value),
    bool: lambda writer, key, value: writer.add_bool(key, value),
    int: lambda writer, key, value: writer.add_uint32(key, value),
    list: lambda writer, key, value: writer.add_array(key, value),
}


def _write_trained(writer: "GGUFWriter", tokenizer: TiktokenTokenizer, vocab_size: int) -> None:
    gguf = library()
    if tokenizer.pattern not in PATTERNS:
        raise ValueError(
            "llama.cpp has no pre-tokenizer for this tokenizer (it supports the patterns of GPT-2 and Qwen, "
            "and no character vocabulary); export a model with tokenizer=bpe or gpt2, or use "
            "format=huggingface"
        )
    kinds = gguf.TokenType
    tokens = [printable(token) for token in sorted(tokenizer.ranks, key=tokenizer.ranks.__getitem__)]
    types = [kinds.NORMAL] * len(tokens) + [kinds.CONTROL] * len(tokenizer.specials)
    tokens += tokenizer.specials
    spare = range(len(tokens), vocab_size)  # ids of the model that the tokenizer does not use
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PATTERNS[tokenizer.pattern])
    writer.add_token_list([*tokens, *(f"[PAD{i}]" for i in spare)])
    writer.add_token_types([*types, *(kinds.UNUSED for _ in spare)])
    writer.add_token_merges(
        [f"{printable(left)} {printable(right)}" for left, right in merges(tokenizer.ranks)]
    )
    for add in (writer.add_bos_token_id, writer.add_eos_token_id, writer.add_pad_token_id):
        add(tokenizer.end_of_text)
    writer.add_add_bos_token(False)


def _modelfile(file: str, template: ChatTemplate | None, context: int, stop: str) -> str:
    """Ollama's Modelfile: the weights, and the chat template in Go's syntax.

    Ollama recognizes the templates of published models by itself, from the GGUF file.
    """
    lines = [f"FROM ./{file}"]
    if template is None:
        lines.append('TEMPLATE """{{ .Prompt }}"""')
    elif isinstance(template, Template):
        roles = ""
        for role in ROLES:
            message = "{{ .Content }}".join(template.markers[role])
            roles += f'{{{{ if eq .Role "{role}" }}}}{message}{{{{ end }}}}'
        messages = f"{{{{ range .Messages }}}}{roles}{{{{ end }}}}"
        lines.append(f'TEMPLATE """{messages}{template.markers[ASSISTANT][0]}"""')
        if template.preamble is not None:
            if '"""' in template.preamble:
                raise ValueError(
                    'the system prompt contains """, which a Modelfile cannot quote; use format=huggingface'
                )
            lines.append(f'SYSTEM """{template.preamble}"""')
    return "\n".join([*lines, f'PARAMETER stop "{stop}"', f"PARAMETER num_ctx {context}", ""])
