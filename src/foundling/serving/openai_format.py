"""What the responses of OpenAI's API have in common."""

import time
import uuid
from typing import Any


def head(prefix: str, kind: str, model: str) -> dict[str, Any]:
    """The fields that identify a response."""
    return {
        "id": f"{prefix}-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
    }


def usage(prompt: int, written: int) -> dict[str, int]:
    """The numbers of tokens."""
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
