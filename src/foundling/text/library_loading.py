"""Load a tokenizer.json by Hugging Face's tokenizers library, so that text never becomes a special token."""

import json
from collections.abc import Mapping
from typing import Any, Literal

Place = Literal["start", "inside", "cut"]


def load(json_text: str, names: Mapping[str, str], place: Place = "start") -> Any:
    """The library's tokenizer, which encodes text that looks like a special token as text.

    Args:
        json_text: the content of a tokenizer.json.
        names: the tokens that are special because they have a role, whatever the file says.
        place: where the text stands that is encoded: at the beginning of a document, inside it after a
            special token, or cut off within a word. It decides on the space that some kinds put in front.
    """
    from tokenizers import AddedToken

    library = _parse(json_text if place == "start" else _without_space(json_text, place))
    library.no_truncation()
    library.no_padding()
    added = {token.content: token for token in library.get_added_tokens_decoder().values()}
    for name in {*names.values(), *filter(_is_marker, added)}:
        token = added.get(name) or AddedToken(name, normalized=False)
        if library.token_to_id(name) is not None and not token.special:
            token.special = True
            library.add_special_tokens([token])
    library.encode_special_tokens = True
    return library


def _parse(json_text: str) -> Any:
    """What the library makes of a tokenizer.json; what it refuses raises ValueError."""
    from tokenizers import Tokenizer as Library

    try:
        return Library.from_str(json_text)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # Exception, or a panic in Rust, which is not an Exception
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"the tokenizers library cannot load it: {reason}") from None


def _without_space(json_text: str, place: Place) -> str:
    """The tokenizer.json without the steps that put a space in front: of documents alone, or of any text."""
    values = json.loads(json_text)
    for step in _steps(values, "pre_tokenizer"):
        if step.get("prepend_scheme") == "first" or (place == "cut" and "prepend_scheme" in step):
            step["prepend_scheme"] = "never"
        if place == "cut" and "add_prefix_space" in step:
            step["add_prefix_space"] = False
    if place == "cut":
        kept = [step for step in _steps(values, "normalizer") if step["type"] != "Prepend"]
        values["normalizer"] = {"type": "Sequence", "normalizers": kept}
    return json.dumps(values, ensure_ascii=False)


def _steps(values: Mapping[str, Any], part: Literal["normalizer", "pre_tokenizer"]) -> list[dict[str, Any]]:
    """The steps of a part of a tokenizer.json, which is one step or a sequence of them."""
    whole = values.get(part) or {}
    steps = whole.get("normalizers" if part == "normalizer" else "pretokenizers", [whole])
    return [step for step in steps if step]


def _is_marker(name: str) -> bool:
    """Whether an added token looks like a template's marker, which early files do not call special."""
    return name.startswith("<|") and name.endswith("|>")
