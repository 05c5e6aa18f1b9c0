import json
from collections.abc import Callable
from typing import Any

import pytest

from foundling.fables.messages import messages

QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEXTS = [one["text"] for one in messages(seed=1, count=300, split="train")] + [
    "日本語 é ñ 12345",
    "don't  stop",
]


@pytest.fixture(scope="session")
def libraries() -> dict[str, Any]:
    """A tokenizer of each kind of the tokenizers library, as published, trained on few texts."""
    return {name: make() for name, make in MAKERS.items()}


def byte_level(*steps: Any, first: bool = False, normalizer: Any = None) -> Any:
    """A byte-level BPE as GPT-2's; with `first`, its special tokens have the first ids, as SmolLM2's."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    library = Tokenizer(models.BPE())
    if normalizer is not None:
        library.normalizer = normalizer
    library.pre_tokenizer = pre_tokenizers.Sequence(list(steps))
    library.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=SPECIALS if first else [],
        show_progress=False,
    )
    library.train_from_iterator(TEXTS, trainer)
    library.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in SPECIALS])
    return library


def gpt2() -> Any:
    from tokenizers.pre_tokenizers import ByteLevel

    return byte_level(ByteLevel(add_prefix_space=False))


def smollm() -> Any:
    from tokenizers.pre_tokenizers import ByteLevel, Digits

    return byte_level(Digits(individual_digits=True), ByteLevel(add_prefix_space=False), first=True)


def qwen() -> Any:
    from tokenizers import Regex, normalizers
    from tokenizers.pre_tokenizers import ByteLevel, Split

    split = Split(Regex(QWEN), "isolated")
    return byte_level(split, ByteLevel(add_prefix_space=False, use_regex=False), normalizer=normalizers.NFC())


def unigram() -> Any:
    """SentencePiece's Unigram, as T5's, whose special tokens are pieces, too."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    library = Tokenizer(models.Unigram())
    library.pre_tokenizer = pre_tokenizers.Metaspace()
    library.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=300, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    library.train_from_iterator(TEXTS, trainer)
    return library


def wordpiece() -> Any:
    """BERT's."""
    from tokenizers import BertWordPieceTokenizer

    library = BertWordPieceTokenizer()
    library.train_from_iterator(TEXTS, vocab_size=300, show_progress=False)
    return library._tokenizer


def llama() -> Any:
    """SentencePiece's BPE with byte fallback, as Llama's."""
    from tokenizers import (
        AddedToken,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )

    library = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    library.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    library.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    names = ["<unk>", "<s>", "</s>"]
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=[*names, *fallback], show_progress=False)
    library.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")  # in training only
    library.train_from_iterator(TEXTS, trainer)
    values = json.loads(library.to_str())
    values |= {"added_tokens": values["added_tokens"][:3], "pre_tokenizer": None}
    library = Tokenizer.from_str(json.dumps(values))
    library.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    library.post_processor = processors.TemplateProcessing("<s> $A", None, [("<s>", 1)])
    return library


def mistral() -> Any:
    """Mistral 7B v0.3's: as Llama's, but a space precedes only documents, and [INST] is special."""
    from tokenizers import AddedToken, Tokenizer

    values = json.loads(llama().to_str())
    first = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
    library = Tokenizer.from_str(json.dumps(values | {"normalizer": None, "pre_tokenizer": first}))
    markers = ("[INST]", "[/INST]")
    library.add_special_tokens([AddedToken(marker, special=True, normalized=False) for marker in markers])
    return library


MAKERS: dict[str, Callable[[], Any]] = {
    "gpt2": gpt2,
    "smollm": smollm,
    "qwen": qwen,
    "unigram": unigram,
    "wordpiece": wordpiece,
    "llama": llama,
    "mistral": mistral,
}
NAMES = {
    "unigram": {"eos_token": "</s>", "unk_token": "<unk>"},
    "wordpiece": {"sep_token": "[SEP]", "cls_token": "[CLS]", "unk_token": "[UNK]"},
    "llama": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
}
NAMES["mistral"] = NAMES["llama"]
