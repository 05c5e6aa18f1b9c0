"""The embedded world: stories, questions, messages, instructions and sentence pairs made by the project."""
