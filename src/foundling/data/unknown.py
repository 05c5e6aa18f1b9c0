"""Count the characters in a stage's texts that the base's vocabulary lacks, before training.

A vocabulary with a token for unknown characters encodes them as that token, which causes a warning; without
one, ValueError says how to make a base that has it.
"""

import logging
from collections import Counter
from collections.abc import Iterable

from foundling.text.tokenizer import UNKNOWN, Tokenizer

log = logging.getLogger(__name__)
REPLACED = "changed: characters that the vocabulary lacks to {}"
SHOWN = 8  # characters in a message


def count_unknown(tokenizer: Tokenizer, texts: Iterable[str], stage: str, changes: Counter[str]) -> None:
    """Count the characters of the texts that become the unknown token, in the log and in `changes`."""
    unknown = tokenizer.unknown(texts)
    if not unknown:
        return
    first = ", ".join(repr(character) for character, _ in unknown.most_common(SHOWN))
    lacking = f"{unknown.total():,} characters, {len(unknown):,} different ones (as {first})"
    size = tokenizer.vocab_size - len(tokenizer.specials)
    if tokenizer.unknown_id is None:
        raise ValueError(
            f"{stage}: the base's character vocabulary of {size} lacks {lacking}; use tokenizer=bpe, "
            f"or add {UNKNOWN} to tokenizer.specials, and make the base again with `dvc repro pretrain`"
        )
    name = _name(tokenizer, tokenizer.unknown_id)
    log.warning(f"{stage}: the base's vocabulary lacks {lacking}; they become {name}")
    changes[REPLACED.format(name)] += unknown.total()


def _name(tokenizer: Tokenizer, number: int) -> str:
    """The token with this id, which a published vocabulary need not call special."""
    tokens = {**tokenizer.vocabulary, **tokenizer.special_ids}
    return next(token for token, known in tokens.items() if known == number)
