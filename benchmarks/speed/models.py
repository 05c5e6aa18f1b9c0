"""Write an untrained GPT-2 of a given size as a model folder and as GGUF, with a made-up tokenizer.

python -m benchmarks.speed.models FOLDER '{"layers": 6, …}' (a Size): FOLDER/model and FOLDER/gguf
"""

import itertools
import json
import string
import sys
from pathlib import Path

import torch
import yaml

from benchmarks.speed.sizes import Size
from foundling.config import CONF
from foundling.model.config import GPTConfig
from foundling.model.gpt import GPT
from foundling.text.tiktoken_tokenizer import GPT2_PATTERN, TiktokenTokenizer
from foundling.text.tokenizer import END_OF_TEXT
from foundling.validation import build
from foundling.weights import folder, gguf

SYMBOLS = string.ascii_lowercase + string.digits + "@"  # 37: their pairs and triples fill GPT-2's vocabulary


def tokenizer(vocabulary: int) -> TiktokenTokenizer:
    """Byte-pair encoding of the bytes, and of pairs and triples of SYMBOLS as far as the vocabulary goes."""
    words = itertools.chain(itertools.product(SYMBOLS, repeat=2), itertools.product(SYMBOLS, repeat=3))
    joined = ("".join(word).encode() for word in words)
    tokens = [*(bytes([byte]) for byte in range(256)), *itertools.islice(joined, vocabulary - 257)]
    ranks = {token: rank for rank, token in enumerate(tokens)}
    return TiktokenTokenizer(ranks, GPT2_PATTERN, [END_OF_TEXT])


def main() -> None:
    """Write both."""
    to, size = Path(sys.argv[1]), Size(**json.loads(sys.argv[2]))
    shape = yaml.safe_load(Path(f"{CONF}/model/gpt2_124m.yaml").read_text(encoding="utf-8"))
    shape |= {"n_layer": size.layers, "n_head": size.heads, "n_embd": size.width, "context": size.context}
    torch.manual_seed(0)
    model = GPT(build(GPTConfig, {"vocab_size": size.vocabulary, **shape}, "model"))
    words = tokenizer(size.vocabulary)
    folder.save(to / "model", model, words)
    gguf.export(to / "gguf", model, words, None, "f32", "benchmark")


if __name__ == "__main__":
    main()
