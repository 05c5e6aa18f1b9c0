"""Export a translator as a folder that transformers' AutoModelForSeq2SeqLM loads, with our code."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from foundling.artifacts import atomic_folder, write_json
from foundling.model.translator import Translator
from foundling.settings.generation import BeamSearch
from foundling.text.tokenizer import Tokenizer
from foundling.weights.card import write_exported_card
from foundling.weights.folder import save_tensors
from foundling.weights.huggingface import WEIGHTS
from foundling.weights.huggingface_code import SEQ2SEQ, TRANSLATOR_FILES, write_code, write_config
from foundling.weights.huggingface_config import CONFIG
from foundling.weights.huggingface_export import GENERATION, PRECISIONS
from foundling.weights.huggingface_tokenizer import write_translator_tokenizer

# their names for the first part of ours
MODULES = {
    "target_embedding": "model.decoder.embedding",
    "source_embedding": "model.encoder.embedding",
    "encoder": "model.encoder.blocks",
    "decoder": "model.decoder.blocks",
    "encoder_norm": "model.encoder.norm",
    "decoder_norm": "model.decoder.norm",
    "output": "lm_head",
}
QKV = "qkv", ("query", "key", "value")  # which we store as one tensor


def export_translator(
    folder: Path,
    model: Translator,
    tokenizer: Tokenizer,
    search: BeamSearch,
    precision: str = "f32",
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write a translator with its tokenizer, its card, and `search` as what `generate` does by default."""
    config, dtype, end = model.config, PRECISIONS[precision], tokenizer.end_of_text
    names = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
    tokens = dict.fromkeys(names, end)
    # the start token counts, and the last token written is not read
    decoding: dict[str, Any] = {
        "num_beams": search.beam,
        "do_sample": False,
        "max_length": config.context + 1,
    }
    if search.beam > 1:  # ends with the first `num_beams` translations that are complete, as ours
        decoding |= {"length_penalty": search.length_penalty, "early_stopping": True}
    with atomic_folder(folder) as temporary:
        shape = write_config(config, SEQ2SEQ, str(dtype).removeprefix("torch."))
        is_tied = {"is_encoder_decoder": True, "tie_word_embeddings": config.shared != "none"}
        write_json(temporary / CONFIG, {**shape, **is_tied, **tokens})
        write_json(temporary / GENERATION, {**tokens, **decoding})
        write_code(temporary, TRANSLATOR_FILES)
        tensors = {name: tensor.to(dtype) for name, tensor in _tensors(model)}
        save_tensors(tensors, temporary / WEIGHTS, {"format": "pt"})
        write_translator_tokenizer(temporary, tokenizer, config.context)
        count = model.parameter_count()
        write_exported_card(temporary, SEQ2SEQ, TRANSLATOR_FILES, asdict(config), count, provenance or {})


def _tensors(model: Translator) -> Iterator[tuple[str, Tensor]]:
    """Their name and tensor for each of ours."""
    fused, parts = QKV
    for name, tensor in model.state_dict().items():
        first, _, rest = name.partition(".")
        theirs = f"{MODULES[first]}.{rest}"
        if f".{fused}." not in theirs:
            yield theirs, tensor.contiguous()
            continue
        for part, rows in zip(parts, tensor.chunk(3), strict=True):  # (C, C) each, or (C,)
            yield theirs.replace(f".{fused}.", f".{part}."), rows.clone()
