"""The shape of a translator that was trained with Foundling, with the field names of its own config.json."""

from transformers import PreTrainedConfig
from transformers.utils.versions import require_version

# the state of previous tokens is passed as `cache` since 5.24
require_version("transformers>=5.24", "Update it with `pip install -U transformers`.")


class FoundlingTranslatorConfig(PreTrainedConfig):
    """The shape of an encoder–decoder Transformer. The defaults are those of Foundling's translator."""

    model_type = "foundling_translator"
    keys_to_ignore_at_inference = ["cache"]
    attribute_map = {
        "hidden_size": "n_embd",
        "intermediate_size": "n_ffn",
        "max_position_embeddings": "context",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_decoder",  # whose keys and values the cache holds
    }

    vocab_size: int = 4096
    context: int = 64  # maximum sentence length in tokens
    n_encoder: int = 2  # blocks
    n_decoder: int = 2
    n_head: int = 4
    n_embd: int = 128
    n_ffn: int = 512  # hidden width of the feed-forward network
    norm_place: str = "pre"  # on each sublayer's input, or "post": on each sum
    norm: str = "rmsnorm"  # or "layernorm"
    norm_eps: float = 1e-6
    mlp: str = "relu2"  # or "relu", "gelu", "swiglu"
    bias: bool = False  # of all linear layers
    qk_norm: bool = True  # of each head's queries and keys
    shared: str = "all"  # one matrix for all embeddings, for target and "output", or for "none"
    dropout: float = 0.0
    init: str = "zero_residual"  # how Foundling initialised the weights; not read here
    attention: str = "fused"  # Foundling's implementation; here, choose `attn_implementation`

    is_encoder_decoder: bool = True
    tie_word_embeddings: bool = True  # unless shared is "none"
    bos_token_id: int | None = None
    eos_token_id: int | None = None
    pad_token_id: int | None = None
    decoder_start_token_id: int | None = None
    initializer_range: float = 0.02
    use_cache: bool = True


__all__ = ["FoundlingTranslatorConfig"]
