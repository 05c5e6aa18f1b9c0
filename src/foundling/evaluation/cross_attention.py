"""Which source tokens a translator looks at for each token of a translation."""

from dataclasses import dataclass

import torch

from foundling.model.translator import Translator
from foundling.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class CrossAttention:
    """A translation's cross-attention: per layer, target tokens (rows, sum 1) by source tokens."""

    source: list[str]
    translation: list[str]
    layers: list[list[list[float]]]


@torch.inference_mode()
def cross_attention(model: Translator, tokenizer: Tokenizer, source: str, translation: str) -> CrossAttention:
    """The decoder's cross-attention for a translation, averaged over the heads of each layer."""
    device, end, longest = next(model.parameters()).device, tokenizer.end_of_text, model.config.context - 1
    inputs, targets = tokenizer.encode(source)[:longest], tokenizer.encode(translation)[:longest]
    memory, mask = model.encode(
        torch.tensor([[*inputs, end]], device=device), torch.tensor([len(inputs) + 1], device=device)
    )
    # (L, 1, H, T, S)
    maps = model.cross_attention_maps(torch.tensor([[end, *targets]], device=device), memory, mask)
    return CrossAttention(
        source=[*(tokenizer.decode([token]) for token in inputs), "■"],
        translation=[*(tokenizer.decode([token]) for token in targets), "■"],
        layers=maps[:, 0].mean(dim=1).double().round(decimals=4).tolist(),
    )
