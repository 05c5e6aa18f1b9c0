"""Check that published weights use the same token ids as the tokenizer in data/tokenizer."""

from pathlib import Path

from foundling.artifacts import read_json
from foundling.text.tokenizer import Tokenizer


def require_same(folder: Path, tokenizer: Tokenizer, vocab_size: int) -> None:
    """Raise ValueError if the tokenizer's ids differ from those stored with the weights, if any are."""
    if tokenizer.vocab_size > vocab_size:
        raise ValueError(
            f"data/tokenizer has {tokenizer.vocab_size:,} tokens and the model in {folder} {vocab_size:,}; "
            "tokenize with the model's own vocabulary (tokenizer=weights)"
        )
    theirs = _vocabulary(folder)
    ours = tokenizer.vocabulary
    differing = [token for token in ours if token in theirs and theirs[token] != ours[token]]
    if differing:
        first = min(differing, key=ours.__getitem__)
        raise ValueError(
            f"{first!r} is token {ours[first]} of data/tokenizer and {theirs[first]} of the model in "
            f"{folder}; {len(differing):,} tokens differ: tokenize with the model's own vocabulary "
            "(tokenizer=weights)"
        )


def _vocabulary(folder: Path) -> dict[str, int]:
    """Ids by token, from the first vocabulary file that exists; empty without one."""
    for name in ("encoder.json", "vocab.json"):
        if (folder / name).is_file():
            vocabulary: dict[str, int] = read_json(folder / name)
            return vocabulary
    if (folder / "tokenizer.json").is_file():
        values = read_json(folder / "tokenizer.json")
        try:
            added = {token["content"]: token["id"] for token in values.get("added_tokens", [])}
            tokens = values["model"]["vocab"]
            if values["model"].get("type") == "Unigram":
                tokens = {token: number for number, (token, _) in enumerate(tokens)}
            return {**tokens, **added}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(
                f"{folder / 'tokenizer.json'} has no vocabulary ({error!r}); fetch it again"
            ) from None
    return {}
