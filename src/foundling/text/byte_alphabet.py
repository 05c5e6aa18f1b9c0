"""GPT-2's byte alphabet: the 256 bytes as printable characters, as files of byte-level BPE write them."""


def printable(token: bytes) -> str:
    """A token's bytes as characters of the alphabet."""
    return "".join(_CHARACTERS[byte] for byte in token)


def from_printable(token: str) -> bytes:
    """The bytes of a token in this alphabet; KeyError for a character that is not part of it."""
    return bytes(_BYTES[character] for character in token)


def _byte_alphabet() -> dict[str, int]:
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}


_BYTES = _byte_alphabet()
_CHARACTERS = {byte: character for character, byte in _BYTES.items()}
