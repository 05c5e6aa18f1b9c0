"""From logits to tokens: sampling and decoding."""
