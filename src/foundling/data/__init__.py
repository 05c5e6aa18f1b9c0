"""From sources to batches: fetch, read, clean, split, mix, tokenize, batch."""
