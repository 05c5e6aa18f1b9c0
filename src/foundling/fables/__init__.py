"""Generators of stories, questions, messages, instructions and sentence pairs about one generated world."""
