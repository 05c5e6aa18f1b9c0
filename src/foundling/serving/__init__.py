"""The server: models behind OpenAI's and Ollama's APIs, and a page; many streams are generated at once."""
