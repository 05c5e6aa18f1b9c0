"""A translator that was trained with Foundling, for transformers: a sentence and its translation so far in,
logits of the next token out.

Shapes: B batch, S source tokens, T new target tokens, C width, V vocabulary.
"""

from torch import Tensor, nn
from torch.nn import functional as F
from transformers import EncoderDecoderCache, GenerationMixin
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput, Seq2SeqModelOutput
from transformers.utils.deprecation import deprecate_kwarg
from transformers.utils.generic import can_return_tuple

from .configuration_foundling_translator import FoundlingTranslatorConfig
from .stacks_foundling_translator import (
    FoundlingDecoder,
    FoundlingEncoder,
    FoundlingTranslatorPreTrainedModel,
)

IGNORED = -100  # labels without a loss


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
        rest = {name: value for name, value in outputs.items() if name != "last_hidden_state"}
        return Seq2SeqLMOutput(loss=loss, logits=logits, **rest)

    def prepare_decoder_input_ids_from_labels(self, labels: Tensor) -> Tensor:
        """The labels (B, T), shifted to the right, with the start token in front."""
        shifted = F.pad(labels[:, :-1], (1, 0), value=self.config.decoder_start_token_id)
        return shifted.masked_fill(shifted == IGNORED, self.config.pad_token_id)

    def _update_finished_beams(self, *, decoder_prompt_len: int, **kwargs) -> tuple[Tensor, ...]:
        """As in transformers, with scores divided by (5 + length)^penalty (Wu et al. 2016, eq. 14)."""
        return super()._update_finished_beams(decoder_prompt_len=decoder_prompt_len - 5, **kwargs)


__all__ = ["FoundlingForConditionalGeneration", "FoundlingTranslatorModel"]
