"""Encoder and decoder of a translator that was trained with Foundling.

Shapes: B batch, S source tokens, T new target tokens, C width.
"""

import math

import torch
from torch import Tensor, nn
from transformers import DynamicCache, EncoderDecoderCache, PreTrainedModel
from transformers.masking_utils import create_bidirectional_mask, create_causal_mask
from transformers.modeling_outputs import BaseModelOutput, BaseModelOutputWithPastAndCrossAttentions
from transformers.utils.deprecation import deprecate_kwarg
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from .common_foundling import make_norm, sinusoids
from .configuration_foundling_translator import FoundlingTranslatorConfig
from .layers_foundling_translator import Attention, FoundlingDecoderBlock, FoundlingEncoderBlock


class FoundlingTranslatorPreTrainedModel(PreTrainedModel):
    """What all models here have in common."""

    config_class = FoundlingTranslatorConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _input_embed_layer = "embedding"
    _no_split_modules = ["FoundlingEncoderBlock", "FoundlingDecoderBlock"]
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True


class Stack(FoundlingTranslatorPreTrainedModel):
    """What encoder and decoder have in common: embedding, blocks and, with pre-norm blocks, a final norm."""

    def __init__(self, config: FoundlingTranslatorConfig, block: type[nn.Module], count: int) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(config.vocab_size, config.n_embd)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(block(config, layer) for layer in range(count))
        self.norm = make_norm(config) if config.norm_place == "pre" else nn.Identity()
        self.post_init()

    def embed(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Token embeddings (B, T, C) times √C, plus position vectors (Vaswani et al. 2017, 3.4 and 3.5)."""
        x = self.embedding(ids) * math.sqrt(self.config.n_embd)
        return self.dropout(x + sinusoids(positions, self.config.n_embd).to(x.dtype))


class FoundlingEncoder(Stack):
    """The encoder: ids (B, S) of sentences to hidden states (B, S, C)."""

    _can_record_outputs = {"hidden_states": FoundlingEncoderBlock, "attentions": Attention}

    def __init__(self, config: FoundlingTranslatorConfig) -> None:
        super().__init__(config, FoundlingEncoderBlock, config.n_encoder)

    @merge_with_config_defaults
    @capture_outputs
    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **kwargs) -> BaseModelOutput:
        """The final hidden states; attention_mask (B, S) is 0 for padding on either side."""
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        positions = (attention_mask.long().cumsum(-1) - 1).clamp(min=0)  # (B, S), padding not counted
        x = self.embed(input_ids, positions)  # (B, S, C)
        mask = create_bidirectional_mask(self.config, x, attention_mask)
        for block in self.blocks:
            x = block(x, mask, **kwargs)
        return BaseModelOutput(last_hidden_state=self.norm(x))


class FoundlingDecoder(Stack):
    """The decoder: ids (B, T) of translations so far to hidden states (B, T, C)."""

    _can_record_outputs = {
        "hidden_states": FoundlingDecoderBlock,
        "attentions": OutputRecorder(Attention, index=1, layer_name="attention"),
        "cross_attentions": OutputRecorder(Attention, index=1, layer_name="cross"),
    }

    def __init__(self, config: FoundlingTranslatorConfig) -> None:
        super().__init__(config, FoundlingDecoderBlock, config.n_decoder)

    @deprecate_kwarg("past_key_values", "5.40.0", new_name="cache")
    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        cache: EncoderDecoderCache | None = None,
        use_cache: bool | None = None,
        **kwargs,
    ) -> BaseModelOutputWithPastAndCrossAttentions:
        """The final hidden states, given the encoder's (B, S, C).

        With a cache, input_ids has only the tokens that it does not hold. The masks are 0 for padding, which
        input_ids may have on the right.
        """
        if use_cache and cache is None:
            cache = EncoderDecoderCache(DynamicCache(config=self.config), DynamicCache(config=self.config))
        start = cache.get_seq_length() if cache is not None else 0
        positions = start + torch.arange(input_ids.size(1), device=input_ids.device).unsqueeze(0)  # (1, T)
        x = self.embed(input_ids, positions)  # (B, T, C)
        own = cache.self_attention_cache if cache is not None else None
        mask = create_causal_mask(self.config, x, attention_mask, own)
        source = encoder_hidden_states
        source_mask = create_bidirectional_mask(self.config, x, encoder_attention_mask, source)
        for block in self.blocks:
            x = block(x, mask, source, source_mask, cache=cache, **kwargs)
        return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=self.norm(x), cache=cache)
