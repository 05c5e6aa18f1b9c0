"""The models that are trained and that generate, and how long."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Size:
    """A GPT-2, and the batches that it is trained on."""

    layers: int
    heads: int
    width: int
    context: int
    vocabulary: int
    batch: int = 1  # windows per step
    steps: int = 0
    every: int = 1  # steps between two readings of the clock
    new_tokens: int = 0  # to generate

    @property
    def tokens(self) -> int:
        """Per step."""
        return self.batch * self.context


PROMPT = 32  # tokens
TRAINED = {
    "char": Size(4, 4, 128, 64, 65, batch=12, steps=200, every=20),
    "small": Size(6, 6, 384, 256, 65, batch=16, steps=9, every=2),
    "bpe": Size(6, 6, 384, 256, 50_304, batch=8, steps=9, every=2),
}
# 258: the bytes, a pair of bytes and the end of text, the smallest vocabulary that llama.cpp reads
GENERATING = {
    "small": Size(6, 6, 384, 256, 258, new_tokens=200),
    "124m": Size(12, 12, 768, 1024, 50_257, new_tokens=64),
}


def quick(size: Size) -> Size:
    """The same model for a third of the steps and tokens."""
    return replace(
        size, steps=size.steps // 3, every=max(1, size.every // 3), new_tokens=size.new_tokens // 2
    )


SIZES = {**{f"train {name}": size for name, size in TRAINED.items()}}
SIZES |= {f"generate {name}": size for name, size in GENERATING.items()}
