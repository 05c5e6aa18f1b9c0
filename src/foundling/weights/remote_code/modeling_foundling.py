"""A GPT that was trained with Foundling, for transformers: token ids in, logits of the next token out.

Shapes: B batch, T new tokens, S all tokens (T plus those in the cache), C width, V vocabulary, K labels.
"""

import torch
from torch import Tensor, nn
from transformers import Cache, DynamicCache, GenerationMixin, PreTrainedModel
from transformers import initialization as init
from transformers.masking_utils import create_causal_mask, sliding_window_overlay
from transformers.modeling_outputs import (
    BaseModelOutputWithPast,
    CausalLMOutputWithPast,
    SequenceClassifierOutputWithPast,
)
from transformers.modeling_utils import slice_logits_to_keep
from transformers.utils.deprecation import deprecate_kwarg
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from .common_foundling import make_norm, sinusoids
from .configuration_foundling import FoundlingConfig
from .layers_foundling import (
    Attention,
    FoundlingBlock,
    FoundlingConvolutionBlock,
    GatedConvolution,
    LookupBlend,
    ShortConvolution,
)
from .positions_foundling import rotary_tables


class FoundlingPreTrainedModel(PreTrainedModel):
    """What all models here have in common."""

    config_class = FoundlingConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _input_embed_layer = "token_embedding"
    _no_split_modules = ["FoundlingBlock", "FoundlingConvolutionBlock"]
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    _can_record_outputs = {
        "hidden_states": [FoundlingBlock, FoundlingConvolutionBlock],
        "attentions": Attention,
    }

    def _init_weights(self, module: nn.Module) -> None:
        """Initialise what a checkpoint does not have: convolutions as the identity, lookup heads as a sum."""
        super()._init_weights(module)
        if isinstance(module, LookupBlend):
            init.ones_(module.weight)
        elif isinstance(module, ShortConvolution):
            init.zeros_(module.weight)
        elif isinstance(module, GatedConvolution):
            bound = module.weight.size(0) ** -0.5
            init.uniform_(module.weight, -bound, bound)


class FoundlingModel(FoundlingPreTrainedModel):
    """A decoder-only Transformer without its output head: ids (B, T) to hidden states (B, T, C)."""

    def __init__(self, config: FoundlingConfig) -> None:
        super().__init__(config)
        self.token_embedding = nn.Embedding(config.vocab_size, config.n_embd)
        if config.position == "learned":
            self.position_embedding = nn.Embedding(config.context, config.n_embd)
        self.dropout = nn.Dropout(config.dropout)
        kinds = {"attention": FoundlingBlock, "conv": FoundlingConvolutionBlock}
        layers = config.layers or ["attention"] * config.n_layer
        self.blocks = nn.ModuleList(kinds[kind](config, layer) for layer, kind in enumerate(layers))
        self.norm = make_norm(config)
        self.post_init()

    @deprecate_kwarg("past_key_values", "5.40.0", new_name="cache")
    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        **kwargs,
    ) -> BaseModelOutputWithPast:
        """The final hidden states (B, T, C), after the last norm.

        Args:
            input_ids: (B, T). With a cache, only the tokens that it does not hold.
            attention_mask: (B, S), 1 for real tokens and 0 for padding on either side.
            position_ids: (B, T), counted from 0 within each text; by default derived from attention_mask.
            cache: the state of the previous tokens, extended in place.
            inputs_embeds: (B, T, C), instead of input_ids.
            use_cache: whether to return a cache.
            kwargs: passed on to the attention function.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("pass either input_ids or inputs_embeds")
        x = self.token_embedding(input_ids) if inputs_embeds is None else inputs_embeds  # (B, T, C)
        if use_cache and cache is None:
            cache = DynamicCache(config=self.config)
        # for a static cache, `generate` makes one for each kind of layer
        if isinstance(attention_mask, dict):
            attention_mask = attention_mask["full_attention"]
        if position_ids is None:
            position_ids = self._positions(x, attention_mask, cache)
        mask = near = create_causal_mask(self.config, x, attention_mask, cache, position_ids)
        if self.config.window:
            window = sliding_window_overlay(self.config.window)
            near = create_causal_mask(
                self.config, x, attention_mask, cache, position_ids, and_mask_function=window
            )
        rotary = None
        if self.config.position == "rotary":
            rotary = rotary_tables(position_ids, self.config, x.dtype)
        elif self.config.position == "sinusoidal":
            x = x + sinusoids(position_ids, self.config.n_embd).to(x.dtype)
        else:
            if position_ids.max() >= self.config.context:
                raise ValueError(f"the model has {self.config.context} positions; pass a shorter text")
            x = x + self.position_embedding(position_ids)
        x = self.dropout(x)
        skip = self.config.rope_skip
        for layer, block in enumerate(self.blocks):
            positioned = rotary if skip == 0 or (layer + 1) % skip else None
            seen = near if self.config.has_window(layer) else mask
            x = block(x, position_ids, cache=cache, rotary=positioned, attention_mask=seen, **kwargs)
        return BaseModelOutputWithPast(last_hidden_state=self.norm(x), cache=cache)

    @staticmethod
    def _positions(x: Tensor, attention_mask: Tensor | None, cache: Cache | None) -> Tensor:
        """The positions (B, T) of x (B, T, C): how many real tokens precede each."""
        t, start = x.size(1), cache.get_seq_length() if cache is not None else 0
        if attention_mask is not None and attention_mask.dim() == 2:
            return (attention_mask.long().cumsum(-1) - 1).clamp(min=0)[:, -t:]
        return torch.arange(start, start + t, device=x.device).unsqueeze(0)


class FoundlingForCausalLM(FoundlingPreTrainedModel, GenerationMixin):
    """The GPT with its output head: ids (B, T) to logits of the next token (B, T, V)."""

    _tied_weights_keys = {"lm_head.weight": "model.token_embedding.weight"}

    def __init__(self, config: FoundlingConfig) -> None:
        super().__init__(config)
        self.model = FoundlingModel(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.post_init()

    @deprecate_kwarg("past_key_values", "5.40.0", new_name="cache")
    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs,
    ) -> CausalLMOutputWithPast:
        """Logits; with labels (B, T), ids or -100, also the mean cross-entropy of the next token."""
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            cache=cache,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **kwargs,
        )
        logits = self.lm_head(slice_logits_to_keep(outputs.last_hidden_state, logits_to_keep))
        loss = None
        if labels is not None:
            loss = self.loss_function(
                logits=logits, labels=labels, vocab_size=self.config.vocab_size, **kwargs
            )
        return CausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            cache=outputs.cache,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )


class FoundlingForSequenceClassification(FoundlingPreTrainedModel):
    """The GPT with a linear head on the last real token of each text, or on the mean over all real tokens but
    the first: ids (B, T) to logits (B, K).
    """

    def __init__(self, config: FoundlingConfig) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.model = FoundlingModel(config)
        self.score = nn.Linear(config.n_embd, config.num_labels)
        self.post_init()

    @deprecate_kwarg("past_key_values", "5.40.0", new_name="cache")
    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        **kwargs,
    ) -> SequenceClassifierOutputWithPast:
        """Logits of the labels. Padding is known by attention_mask; without one, all tokens are real."""
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            cache=cache,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **kwargs,
        )
        logits = self.score(self._pool(outputs.last_hidden_state, attention_mask))  # (B, K)
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, pooled_logits=logits, config=self.config)
        return SequenceClassifierOutputWithPast(
            loss=loss,
            logits=logits,
            cache=outputs.cache,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )

    def _pool(self, hidden: Tensor, attention_mask: Tensor | None) -> Tensor:
        """What the head reads (B, C) of hidden states (B, T, C)."""
        if attention_mask is None:
            attention_mask = torch.ones(hidden.shape[:2], dtype=torch.long, device=hidden.device)
        # the number of each real token (B, T), from 1; padding has 0
        number = attention_mask.long().cumsum(-1) * attention_mask
        if self.config.pooling == "last":
            return hidden[torch.arange(hidden.size(0), device=hidden.device), number.argmax(-1)]
        is_read = number > 1
        weights = is_read / is_read.sum(-1, keepdim=True).clamp(min=1)
        return (weights.to(hidden.dtype).unsqueeze(1) @ hidden).squeeze(1)


__all__ = ["FoundlingForCausalLM", "FoundlingForSequenceClassification", "FoundlingModel"]
