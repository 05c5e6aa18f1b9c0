"""A tokenizer as tokenizer.json and tokenizer_config.json, with which AutoTokenizer produces the same ids."""

import json
from pathlib import Path
from typing import Any

from foundling.artifacts import write_json
from foundling.text.byte_alphabet import printable
from foundling.text.library_tokenizer import LibraryTokenizer
from foundling.text.merges import merges
from foundling.text.tiktoken_tokenizer import CHARACTER_PATTERN, TiktokenTokenizer
from foundling.text.tokenizer import UNKNOWN, Tokenizer

TOKENIZER, SETTINGS, TEMPLATE = "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"
PADDING = "<|padding|>"


def write_tokenizer(folder: Path, tokenizer: Tokenizer, context: int, template: str | None) -> None:
    """Write the files; `template` is a chat model's template in Jinja.

    A published tokenizer is written as it was read. As in Foundling, text is never parsed for special tokens
    (`split_special_tokens`), unless there is a template: it writes its special tokens as text, so
    transformers has to parse them, in the user's text too.
    """
    settings = _settings(context, tokenizer) | {"split_special_tokens": template is None}
    if template is not None:
        settings["chat_template"] = template
        (folder / TEMPLATE).write_text(template, encoding="utf-8")
    _write(folder, to_library(tokenizer), settings)


def write_classifier_tokenizer(
    folder: Path,
    tokenizer: Tokenizer,
    context: int,
    keep: str,
    new_padding: bool,
    surrounding: tuple[list[int], list[int]],
) -> None:
    """Write the files for a classifier, whose input is a text with ids before and after it, `surrounding`.

    `new_padding` gives padding an id of its own, the next one: the classes of transformers classify at the
    last token that is not padding, while our own code goes by the attention mask.
    """
    from tokenizers import AddedToken

    library = to_library(tokenizer)
    settings = _settings(context, tokenizer)
    if new_padding:
        library.add_special_tokens([AddedToken(PADDING, special=True, normalized=False)])
        settings["pad_token"] = PADDING
    _surround(library, *surrounding)
    side = "right" if keep == "beginning" else "left"
    _write(folder, library, settings | {"truncation_side": side})


def write_translator_tokenizer(folder: Path, tokenizer: Tokenizer, context: int) -> None:
    """Write the files for a translator, whose sentences have single spaces and end-of-text at the end."""
    from tokenizers import Regex, normalizers

    library = to_library(tokenizer)
    steps = [normalizers.Strip(), normalizers.Replace(Regex(r"\s+"), " ")]
    library.normalizer = normalizers.Sequence([*steps, *([library.normalizer] if library.normalizer else [])])
    _surround(library, [], [tokenizer.end_of_text])
    _write(folder, library, _settings(context, tokenizer))


def _surround(library: Any, before: list[int], after: list[int]) -> None:
    """Put these ids around each text."""
    from tokenizers import processors

    added = [
        {"id": name, "ids": ids, "tokens": [library.id_to_token(number) for number in ids]}
        for name, ids in (("before", before), ("after", after))
        if ids
    ]
    parts = [*(["before:0"] if before else []), "$A:0", *(["after:0"] if after else [])]
    library.post_processor = processors.TemplateProcessing(parts, None, added)


def _settings(context: int, tokenizer: Tokenizer) -> dict[str, Any]:
    end = tokenizer.end_of_text_name
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context,
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": True,
        **dict.fromkeys(("bos_token", "eos_token", "pad_token"), end),
        **tokenizer.names,
    }


def _write(folder: Path, library: Any, settings: dict[str, Any]) -> None:
    write_json(folder / TOKENIZER, json.loads(library.to_str()))
    write_json(folder / SETTINGS, settings)


def to_library(tokenizer: Tokenizer) -> Any:
    """The equivalent tokenizer of the tokenizers library; its `to_str` gives a tokenizer.json."""
    from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers
    from tokenizers import Tokenizer as Library

    if isinstance(tokenizer, LibraryTokenizer):
        return Library.from_str(tokenizer.json_text)
    assert isinstance(tokenizer, TiktokenTokenizer)
    if tokenizer.pattern == CHARACTER_PATTERN:
        library = Library(_word_level(tokenizer))
        library.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
        library.decoder = decoders.Fuse()
    else:
        pairs = [(printable(left), printable(right)) for left, right in merges(tokenizer.ranks)]
        library = Library(
            models.BPE({printable(token): rank for token, rank in tokenizer.ranks.items()}, pairs)
        )
        library.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(tokenizer.pattern), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        library.decoder = decoders.ByteLevel()
    if tokenizer.normal_form:
        library.normalizer = getattr(normalizers, tokenizer.normal_form)()
    library.add_special_tokens(
        [AddedToken(name, special=True, normalized=False) for name in tokenizer.specials]
    )
    return library


def _word_level(tokenizer: TiktokenTokenizer) -> Any:
    """The characters as words, and the token for unknown characters if there is one."""
    from tokenizers import models

    known = {token.decode(): rank for token, rank in tokenizer.ranks.items()}
    if UNKNOWN not in tokenizer.special_ids:
        return models.WordLevel(known)
    return models.WordLevel(known | tokenizer.special_ids, unk_token=UNKNOWN)
