"""Log-probabilities in the two formats of OpenAI's API, of generated tokens and of prompts. V: vocabulary."""

from collections.abc import Sequence
from typing import Any

import torch

from foundling.model.interface import LanguageModel
from foundling.serving.stream import Token
from foundling.serving.text import Piece, TextBuilder, joined
from foundling.text.tokenizer import Tokenizer


def chat_logprobs(tokens: Sequence[Token], tokenizer: Tokenizer) -> dict[str, Any]:
    """`logprobs` of a chat's choice."""
    content = []
    for token in tokens:
        top = [_entry(number, logprob, tokenizer) for number, logprob in token.top]
        content.append({**_entry(token.id, token.logprob, tokenizer), "top_logprobs": top})
    return {"content": content, "refusal": None}


def _entry(number: int, logprob: float | None, tokenizer: Tokenizer) -> dict[str, Any]:
    data = tokenizer.decode_bytes([number])
    return {"token": data.decode(errors="replace"), "logprob": logprob, "bytes": list(data)}


def completion_logprobs(pieces: Sequence[tuple[Piece, int]], tokenizer: Tokenizer) -> dict[str, Any]:
    """`logprobs` of a completion's choice, from pieces with the offsets that their starts count from."""
    tokens = [token for piece, _ in pieces for token in piece.tokens]
    return {
        "tokens": [_name(token.id, tokenizer) for token in tokens],
        "token_logprobs": [token.logprob for token in tokens],
        "top_logprobs": [
            {_name(number, tokenizer): logprob for number, logprob in token.top} or None for token in tokens
        ],
        "text_offset": [offset + start for piece, offset in pieces for start in piece.starts],
    }


def _name(number: int, tokenizer: Tokenizer) -> str:
    """A token's text, or as in OpenAI's API its bytes if they are no complete characters."""
    data = tokenizer.decode_bytes([number])
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)


@torch.inference_mode()
def score_prompt(model: LanguageModel, tokenizer: Tokenizer, ids: Sequence[int], top: int) -> Piece:
    """A prompt's tokens with their log-probabilities and the `top` most likely ones; the first has none."""
    device = next(model.parameters()).device
    logits = model(torch.tensor([ids], device=device))[0, :-1]  # (T - 1, V)
    logprobs = logits.float().log_softmax(-1)
    chosen = logprobs.gather(1, torch.tensor(ids[1:], device=device)[:, None])[:, 0].tolist()
    values, numbers = (part.tolist() for part in logprobs.topk(min(top, logprobs.size(-1)), dim=-1))
    tokens = [Token(ids[0])]
    for number, logprob, best, likely in zip(ids[1:], chosen, values, numbers, strict=True):
        tokens.append(Token(number, logprob, tuple(zip(likely, best, strict=True))))
    builder = TextBuilder(tokenizer)
    return joined([*map(builder.add, tokens), builder.finish()])
