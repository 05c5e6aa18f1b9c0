"""Find out after which block of a base, and by which pooling, a linear classifier is most accurate.

Run it in a project with a models/base: python benchmarks/probe_blocks.py classify=sst2 --train 1300. Logistic
regressions are trained on the states after each block and compared on the validation texts; the test texts
are not read. It helps to choose `classify.blocks`, `classify.pooling` and `classify.template`.
"""

import argparse
from collections import Counter

import numpy as np
import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from foundling.data.batches import padded
from foundling.data.encoded_texts import Encoded, encode_splits
from foundling.data.labelled import read_labelled
from foundling.data.splits import TRAIN, VALIDATION, choose
from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig
from foundling.model.gpt import GPT
from foundling.overrides import prepare
from foundling.settings import Job
from foundling.stages.classify import BASE, TEXTS
from foundling.weights import folder

POOLINGS = ("last", "mean")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", nargs="*", help="as section.value=…")
    parser.add_argument("--train", type=int, default=1000, help="training texts")
    parser.add_argument("--validation", type=int, default=1000, help="validation texts, at most")
    parser.add_argument("--every", type=int, default=2, help="probe after every n-th block")
    arguments = parser.parse_intermixed_args()
    config = prepare(None, arguments.settings).config
    assert config is not None
    settings = Job.of(config).settings.classify
    trunk, tokenizer = folder.load(BASE)
    texts = read_labelled(TEXTS, settings, Counter())
    rows, _ = encode_splits(tokenizer, texts, trunk.config.context, settings.keep, settings.template)
    wanted = {TRAIN: arguments.train, VALIDATION: arguments.validation}
    chosen = {split: take(rows[split], count, settings.seed) for split, count in wanted.items()}
    blocks = range(arguments.every, len(trunk.blocks) + 1, arguments.every)
    shown = Table("blocks", *(f"{pooling}, accuracy in %" for pooling in POOLINGS), box=SIMPLE)
    sizes = f"{len(chosen[TRAIN].ids):,} train, {len(chosen[VALIDATION].ids):,} validation"
    shown.title = f"{settings.dataset.name}: {sizes}"
    assert isinstance(trunk, GPT)
    pooled = {split: states(trunk, part, blocks, settings.batch_tokens) for split, part in chosen.items()}
    for number, count in enumerate(blocks):
        accuracies = []
        for pooling in range(len(POOLINGS)):
            probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
            probe.fit(pooled[TRAIN][number, pooling], chosen[TRAIN].labels)
            accuracies.append(probe.score(pooled[VALIDATION][number, pooling], chosen[VALIDATION].labels))
        shown.add_row(str(count), *(f"{100 * accuracy:.1f}" for accuracy in accuracies))
    Console(width=100).print(shown)


def take(texts: Encoded, count: int, seed: int) -> Encoded:
    """A random sample of the texts."""
    indices = choose(range(len(texts.ids)), count, seed)
    return Encoded([texts.ids[i] for i in indices], texts.labels[indices])


@torch.inference_mode()
def states(trunk: GPT, texts: Encoded, blocks: range, batch_tokens: int) -> np.ndarray:
    """The pooled states (blocks, poolings, N, C) after each of the blocks, and the last norm."""
    networks = [
        Classifier(ClassifierConfig(trunk.config, ("a", "b"), "end", pooling=p), trunk) for p in POOLINGS
    ]
    found = np.empty((len(blocks), len(POOLINGS), len(texts.ids), trunk.width), dtype=np.float32)
    outputs: list[Tensor] = []
    for block in trunk.blocks:
        block.register_forward_hook(lambda block, inputs, output: outputs.append(output))
    order = sorted(range(len(texts.ids)), key=lambda i: -len(texts.ids[i]))
    while order:
        batch = order[: max(1, batch_tokens // len(texts.ids[order[0]]))]
        order = order[len(batch) :]
        ids, lengths = padded([texts.ids[i] for i in batch])
        outputs.clear()
        trunk.hidden(ids)
        for number, count in enumerate(blocks):
            normed = trunk.norm(outputs[count - 1])  # (B, T, C)
            for pooling, network in enumerate(networks):
                found[number, pooling, batch] = network.pool(normed, lengths)
    return found


if __name__ == "__main__":
    main()
