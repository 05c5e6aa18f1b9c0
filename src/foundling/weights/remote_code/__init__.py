"""The Python files that an export to Hugging Face takes along for a model that transformers does not know."""
