"""A translator that was trained with Foundling, for transformers: a sentence and its translation so far in,
logits of the next token out.

Shapes: B batch, S source tokens, T new target tokens, C width, V vocabulary.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import DynamicCache, EncoderDecoderCache, GenerationMixin, PreTrainedModel
from transformers.masking_utils import create_bidirectional_mask, create_causal_mask
from transformers.modeling_outputs import (
    BaseModelOutput,
    BaseModelOutputWithPastAndCrossAttentions,
    Seq2SeqLMOutput,
    Seq2SeqModelOutput,
)
from transformers.utils.deprecation import deprecate_kwarg
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from .common_foundling import make_norm, sinusoids
from .configuration_foundling_translator import FoundlingTranslatorConfig
from .layers_foundling_translator import Attention, FoundlingDecoderBlock, FoundlingEncoderBlock

IGNORED = -100  # labels without a loss


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


class FoundlingTranslatorModel(FoundlingTranslatorPreTrainedModel):
    """Encoder and decoder without the output head."""

    def __init__(self, config: FoundlingTranslatorConfig) -> None:
        super().__init__(config)
        self.encoder, self.decoder = FoundlingEncoder(config), FoundlingDecoder(config)
        if config.shared == "all":
            self._tied_weights_keys = {"encoder.embedding.weight": "decoder.embedding.weight"}
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The target embedding, which may be that of the source, too."""
        return self.decoder.embedding

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the target embedding, and the source's if they are one."""
        self.decoder.embedding = value
        if self.config.shared == "all":
            self.encoder.embedding = value

    @deprecate_kwarg("past_key_values", "5.40.0", new_name="cache")
    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: BaseModelOutput | tuple | None = None,
        cache: EncoderDecoderCache | None = None,
        use_cache: bool | None = None,
        **kwargs,
    ) -> Seq2SeqModelOutput:
        """The decoder's final hidden states (B, T, C).

        Args:
            input_ids: (B, S), the sentences, each with its end token. Not needed with encoder_outputs.
            attention_mask: (B, S), 1 for real tokens and 0 for padding on either side.
            decoder_input_ids: (B, T), the translations so far; the end token begins each. With a cache, only
                the tokens that it does not hold.
            decoder_attention_mask: as attention_mask, of all tokens of the translations.
            encoder_outputs: what the encoder returned for these sentences.
            cache: the state of the previous tokens, extended in place.
            use_cache: whether to return a cache.
            kwargs: passed on to the attention function.
        """
        if encoder_outputs is None:
            encoder_outputs = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **kwargs)
        elif not isinstance(encoder_outputs, BaseModelOutput):
            encoder_outputs = BaseModelOutput(*encoder_outputs)
        decoder_outputs = self.decoder(
            input_ids=decoder_input_ids,
            encoder_hidden_states=encoder_outputs.last_hidden_state,
            attention_mask=decoder_attention_mask,
            encoder_attention_mask=attention_mask,
            cache=cache,
            use_cache=use_cache,
            **kwargs,
        )
        return Seq2SeqModelOutput(
            last_hidden_state=decoder_outputs.last_hidden_state,
            cache=decoder_outputs.cache,
            decoder_hidden_states=decoder_outputs.hidden_states,
            decoder_attentions=decoder_outputs.attentions,
            cross_attentions=decoder_outputs.cross_attentions,
            encoder_last_hidden_state=encoder_outputs.last_hidden_state,
            encoder_hidden_states=encoder_outputs.hidden_states,
            encoder_attentions=encoder_outputs.attentions,
        )


class FoundlingForConditionalGeneration(FoundlingTranslatorPreTrainedModel, GenerationMixin):
    """The translator with its output head: ids (B, S) and (B, T) to logits of the next token (B, T, V)."""

    _tied_weights_keys = {"lm_head.weight": "model.decoder.embedding.weight"}

    def __init__(self, config: FoundlingTranslatorConfig) -> None:
        super().__init__(config)
        self.model = FoundlingTranslatorModel(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.post_init()

    @deprecate_kwarg("past_key_values", "5.40.0", new_name="cache")
    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: BaseModelOutput | tuple | None = None,
        cache: EncoderDecoderCache | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        **kwargs,
    ) -> Seq2SeqLMOutput:
        """Logits; with labels (B, T), the translations' ids or -100, also the mean cross-entropy.

        Each translation ends with the end token; decoder_input_ids follow from the labels. The others are
        those of FoundlingTranslatorModel.
        """
        if labels is not None and decoder_input_ids is None:
            decoder_input_ids = self.prepare_decoder_input_ids_from_labels(labels)
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            decoder_input_ids=decoder_input_ids,
            decoder_attention_mask=decoder_attention_mask,
            encoder_outputs=encoder_outputs,
            cache=cache,
            use_cache=use_cache if labels is None else False,
            **kwargs,
        )
        logits = self.lm_head(outputs.last_hidden_state)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORED)
        return Seq2SeqLMOutput(
            loss=loss,
            logits=logits,
            cache=outputs.cache,
            decoder_hidden_states=outputs.decoder_hidden_states,
            decoder_attentions=outputs.decoder_attentions,
            cross_attentions=outputs.cross_attentions,
            encoder_last_hidden_state=outputs.encoder_last_hidden_state,
            encoder_hidden_states=outputs.encoder_hidden_states,
            encoder_attentions=outputs.encoder_attentions,
        )

    def prepare_decoder_input_ids_from_labels(self, labels: Tensor) -> Tensor:
        """The labels (B, T), shifted to the right, with the start token in front."""
        shifted = F.pad(labels[:, :-1], (1, 0), value=self.config.decoder_start_token_id)
        return shifted.masked_fill(shifted == IGNORED, self.config.pad_token_id)

    def _update_finished_beams(self, *, decoder_prompt_len: int, **kwargs) -> tuple[Tensor, ...]:
        """As in transformers, with scores divided by (5 + length)^penalty (Wu et al. 2016, eq. 14)."""
        return super()._update_finished_beams(decoder_prompt_len=decoder_prompt_len - 5, **kwargs)


__all__ = ["FoundlingForConditionalGeneration", "FoundlingTranslatorModel"]
