"""Sources to batches: fetch, read, clean, mix, tokenize, window."""
