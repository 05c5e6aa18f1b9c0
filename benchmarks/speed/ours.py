"""Foundling as a user runs it: `foundling pretrain` and `foundling generate` in a project of their own."""

import csv
import random
import sys
import time
from pathlib import Path

from benchmarks.speed.pinned import rate, run
from benchmarks.speed.sizes import PROMPT, Size

ROOT = Path(__file__).parents[2]
FOUNDLING = [sys.executable, "-m", "foundling"]
DOCUMENTS, SPECIALS = 200, 2  # texts of the corpus; tokens of a character vocabulary that are no characters
CHARACTERS = [*range(0x4E00, 0x9FA6), *range(0x20000, 0x2A6D7)]  # CJK; each stays what it is in Unicode's NFC
SPLIT = ("corpus.split.validation=0.005", "corpus.split.by=position")
SHAPE = ("n_layer", "n_head", "n_embd", "context")


def alphabet(count: int) -> str:
    """So many different characters: ASCII ones as far as they go."""
    ascii_ones = [*range(33, 127)]
    return "".join(map(chr, (ascii_ones + CHARACTERS)[:count]))


def project(folder: Path, size: Size) -> Path:
    """A project whose corpus is random characters, with data/tokens for a vocabulary of this size."""
    folder.mkdir()
    (folder / "conf").symlink_to(ROOT / "conf")
    texts = folder / "texts"
    texts.mkdir()
    symbols = alphabet(size.vocabulary - SPECIALS)
    generator = random.Random(0)
    drawn = "".join(
        "".join(generator.sample(symbols, len(symbols))) for _ in range(1_000_000 // len(symbols))
    )
    length = len(drawn) // DOCUMENTS
    for number in range(DOCUMENTS):
        text = drawn[number * length : (number + 1) * length]
        (texts / f"{number}.txt").write_text(text, encoding="utf-8")
    for command in (["fetch", "fetch.dataset=corpus"], ["train_tokenizer"], ["tokenize"]):
        run([*FOUNDLING, *command, *corpus()], None, folder)
    return folder


def corpus() -> list[str]:
    """The overrides that choose the corpus."""
    return ["corpus=files", "corpus.path=texts", "tokenizer=char", *SPLIT]


class RowWatch:
    """Notes when the rows of a training's curve are written, each with its step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stamps: list[tuple[int, float]] = []
        self._size = 0

    def poll(self) -> None:
        """Look for new rows."""
        file = next(self.folder.glob("scratch/pretrain/*/train.csv"), None)
        if file is None or file.stat().st_size == self._size:
            return
        now, text = time.time(), file.read_text()
        self._size = len(text)
        rows = list(csv.DictReader(text[: text.rfind("\n") + 1].splitlines()))
        self.stamps += [(int(row["step"]), now) for row in rows[len(self.stamps) :]]


def train(folder: Path, size: Size, core: int | None, settings: list[str]) -> dict[str, float]:
    """Train from scratch; `settings` are further overrides."""
    watch = RowWatch(folder)
    values = zip(SHAPE, (size.layers, size.heads, size.width, size.context), strict=True)
    shape = ["model=char", *(f"model.{name}={value}" for name, value in values)]
    steps = [f"pretrain.batch_size={size.batch}", f"pretrain.max_steps={size.steps}", "pretrain.snapshots=0"]
    recipe = ["optimizer=adamw", "schedule=cosine", "evaluate=held_out", "pretrain.sample.max_new_tokens=1"]
    how = ["trainer=cpu", "logger=none", f"runtime.log_every={size.every}"]
    done = run(
        [*FOUNDLING, "pretrain", *corpus(), *shape, *steps, *recipe, *how, *settings],
        core,
        folder,
        watch.poll,
    )
    return {
        "tokens/s": rate(watch.stamps, size.every, size.tokens),
        "s to the first step": watch.stamps[0][1] - done.started,
        "peak GiB": done.peak_gib,
    }


def prompt(size: Size) -> str:
    """A text of PROMPT tokens of a tokenizer in models.py: bytes, or pairs where the vocabulary has them."""
    return "b" * PROMPT if size.vocabulary == 258 else "bb" * PROMPT


def generate(model: Path, size: Size, core: int | None) -> dict[str, float]:
    """Continue a prompt, timed from its appearance to the last token's."""
    text = prompt(size)
    settings = [f"model={model}", f"prompt={text}", f"max_new_tokens={size.new_tokens}", "temperature=0"]
    done = run([*FOUNDLING, "generate", "trainer=cpu", *settings], core, ROOT)
    if len(done.output.strip()) < len(text) + size.new_tokens:  # of which each is a character or more
        raise RuntimeError(f"foundling generate ended early: {done.output!r}")
    seconds = done.pieces[-1][0] - done.pieces[0][0]
    return {"tokens/s": size.new_tokens / seconds, "peak GiB": done.peak_gib}
