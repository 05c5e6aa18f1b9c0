"""A byte-pair vocabulary as its list of merges: what other libraries read, recovered from the tokens' ranks."""

from itertools import pairwise


def merges(ranks: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    """The pair that each token beyond single bytes was merged of, in the order in which they were learned.

    A token's pair is what is left of its bytes once all tokens before it have been merged. ValueError if that is no
    pair: then `ranks` is no byte-pair vocabulary.
    """
    pairs = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) > 1:
            parts = _merge(token, ranks, rank)
            if len(parts) != 2:
                raise ValueError(f"the token {token!r} is no merge of two tokens before it; no byte-pair vocabulary")
            pairs.append((parts[0], parts[1]))
    return pairs


def _merge(token: bytes, ranks: dict[bytes, int], below: int) -> list[bytes]:
    """Merge a token's bytes, lowest rank first, by ranks under `below` alone."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while True:
        ranked = [(ranks.get(left + right, below), i) for i, (left, right) in enumerate(pairwise(parts))]
        rank, i = min(ranked, default=(below, 0))
        if rank >= below:
            return parts
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
