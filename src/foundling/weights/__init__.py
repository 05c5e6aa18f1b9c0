"""Models to disk and back."""
