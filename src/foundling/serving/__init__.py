"""Serving models: many streams generated at once."""
