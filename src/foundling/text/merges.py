"""The merges of a byte-pair vocabulary, which other libraries read, recovered from the tokens' ranks."""

from itertools import pairwise


def merges(ranks: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    """The pair that each token of several bytes was merged from, in the order in which they were learned.

    Merging a token's bytes by all earlier tokens leaves its pair. ValueError if it leaves anything else: then
    `ranks` is not a byte-pair vocabulary.
    """
    pairs = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) > 1:
            parts = _merge(token, ranks, rank)
            if len(parts) != 2:
                raise ValueError(
                    f"the token {token!r} is not a merge of two earlier tokens; this is not a byte-pair "
                    f"vocabulary"
                )
            pairs.append((parts[0], parts[1]))
    return pairs


def _merge(token: bytes, ranks: dict[bytes, int], below: int) -> list[bytes]:
    """Merge a token's bytes, lowest rank first, by the tokens whose rank is below `below`."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while True:
        ranked = [(ranks.get(left + right, below), i) for i, (left, right) in enumerate(pairwise(parts))]
        rank, i = min(ranked, default=(below, 0))
        if rank >= below:
            return parts
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
