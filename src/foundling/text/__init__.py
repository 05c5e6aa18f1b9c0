"""Strings to ids and back: tokenizers and prompts."""
