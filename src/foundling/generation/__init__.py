"""Logits to tokens: sampling and decoding."""
