"""The text that a training window needs."""


def require_window(source: str, tokens: int, context: int) -> None:
    """Raise ValueError if a source has too few training tokens for a window and the token after it."""
    if tokens <= context:
        raise ValueError(
            f"source {source!r} has {tokens} training tokens; a window needs {context + 1}; give it more "
            "text or set a smaller model.context"
        )
