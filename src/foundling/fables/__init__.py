"""The embedded world: stories, questions, messages, instructions and sentence pairs that the project makes itself."""
