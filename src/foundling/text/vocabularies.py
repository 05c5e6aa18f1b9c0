"""Make the tokenizers that tiktoken runs: a BPE trained on texts, GPT-2's vocabulary, characters."""

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

import tiktoken

from foundling.artifacts import sha256
from foundling.text.byte_alphabet import from_printable
from foundling.text.runs import without_long_runs
from foundling.text.tiktoken_tokenizer import CHARACTER_PATTERN, GPT2_PATTERN, TiktokenTokenizer, read_ranks
from foundling.text.tokenizer import END_OF_TEXT

GPT2_FILE = "gpt2_bpe/gpt2.tiktoken"
GPT2_SHA256 = "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"


def train_bpe(
    texts: Iterable[str], vocab_size: int, specials: Sequence[str] = (END_OF_TEXT,)
) -> TiktokenTokenizer:
    """Byte-pair encoding (Sennrich et al. 2016): from bytes, the most frequent pair is merged repeatedly."""
    from tokenizers import Regex
    from tokenizers import Tokenizer as Trained
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel, Split
    from tokenizers.pre_tokenizers import Sequence as Steps
    from tokenizers.trainers import BpeTrainer

    if vocab_size < 256 + len(specials):
        raise ValueError(
            f"tokenizer.vocab_size={vocab_size} is too small; 256 bytes and {len(specials)} special "
            f"token(s) must fit"
        )
    model = Trained(BPE())
    model.pre_tokenizer = Steps(
        [Split(Regex(GPT2_PATTERN), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    alphabet = sorted(ByteLevel.alphabet())
    trainer = BpeTrainer(
        vocab_size=vocab_size - len(specials), initial_alphabet=alphabet, show_progress=False
    )
    model.train_from_iterator(chain.from_iterable(map(without_long_runs, texts)), trainer)
    ranks = {from_printable(token): i for token, i in model.get_vocab().items()}
    return TiktokenTokenizer(ranks, GPT2_PATTERN, specials)


def gpt2(mirror: Path | None, specials: Sequence[str] = (END_OF_TEXT,)) -> TiktokenTokenizer:
    """GPT-2's vocabulary of 50,257: from the mirror, else by tiktoken from OpenAI's server."""
    file = mirror / GPT2_FILE if mirror else None
    if file and file.is_file():
        if sha256(file) != GPT2_SHA256:
            raise ValueError(f"{file} does not have the sha256 {GPT2_SHA256}; copy it to the mirror again")
        return TiktokenTokenizer(read_ranks(file), GPT2_PATTERN, specials)
    try:
        return TiktokenTokenizer(tiktoken.get_encoding("gpt2")._mergeable_ranks, GPT2_PATTERN, specials)
    except Exception as error:
        raise ValueError(
            f"GPT-2's vocabulary is not at {file or 'a mirror (FOUNDLING_MIRROR is not set)'} and cannot be "
            f"downloaded ({type(error).__name__}); put gpt2.tiktoken into <mirror>/{GPT2_FILE}, or use "
            "tokenizer=bpe"
        ) from None


def characters(texts: Iterable[str], specials: Sequence[str] = (END_OF_TEXT,)) -> TiktokenTokenizer:
    """One token for each character that occurs, in code-point order."""
    alphabet = sorted(set(chain.from_iterable(texts)))
    return TiktokenTokenizer(
        {character.encode(): i for i, character in enumerate(alphabet)}, CHARACTER_PATTERN, specials
    )
