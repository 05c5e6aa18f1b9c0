"""Where logits are so many that the loss is computed without keeping them; imports no torch."""

CHUNK = 2**22  # logits at once: 16 MiB in float32
MANY = 2**25  # logits of a forward pass, 128 MiB in float32, from which on chunks pay


def tokens_of_chunk(vocab_size: int) -> int:
    """How many tokens' logits are computed at once."""
    return max(1, CHUNK // vocab_size)


def are_many(tokens: int, vocab_size: int) -> bool:
    """Whether the loss over so many tokens is computed in chunks."""
    return tokens * vocab_size >= MANY


def loss_bytes(
    tokens: int, vocab_size: int, width: int, wide: int, narrow: int, whole: bool = False
) -> float:
    """Bytes of the loss's tensors at the peak, `narrow` bytes a number in matrix products, `wide` elsewhere.

    Unless `whole`, many logits are computed in chunks: then these tensors are a chunk's, and the gradients of
    the hidden states and of the head's matrix.
    """
    # log-probabilities, their gradient and the logits', at least in float32; the logits where narrower
    per_token = vocab_size * (3 * max(4, narrow) + (narrow if narrow < 4 else 0))
    if whole or not are_many(tokens, vocab_size):
        return float(tokens * per_token)
    return float(tokens_of_chunk(vocab_size) * per_token + wide * width * (tokens + vocab_size))
