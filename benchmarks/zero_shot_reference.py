"""Zero-shot accuracy of a base model: Foundling's, and lm-eval's with the exported model, on the same items.

python benchmarks/zero_shot_reference.py models/base --limit 200, in a project with data/raw/benchmarks
(`foundling fetch fetch.dataset=benchmarks evaluate=real`). It needs lm-eval, which is none of Foundling's
dependencies: install it into an environment of its own, together with Foundling.
"""

import argparse
import tempfile
import time
from pathlib import Path

from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from foundling.data.sources import rows
from foundling.evaluation.benchmarks import Items, read_benchmark
from foundling.evaluation.minimal_pairs import MinimalPairs
from foundling.overrides import prepare
from foundling.settings import Job
from foundling.weights import folder, huggingface_export

BENCHMARKS = Path("data/raw/benchmarks")
# the choices as lm-eval's tasks hellaswag, arc_easy and blimp ask for them: (context, continuation)
Choices = list[tuple[str, str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--limit", type=int, default=200, help="items of each benchmark, drawn by the seed")
    arguments = parser.parse_args()
    config = prepare(None, ["evaluate=real"]).config
    assert config is not None
    settings = Job.of(config).settings.evaluate
    model, tokenizer = folder.load(arguments.model)
    with tempfile.TemporaryDirectory() as exported:
        huggingface_export.export(Path(exported), model, tokenizer)
        peer = HFLM(exported, device="cpu", dtype="float32", batch_size=8, trust_remote_code=True)
    shown = Table("benchmark", "items", "foundling", "lm-eval", "answered alike", "seconds", box=SIMPLE)
    for name, benchmark in settings.benchmarks.items():
        records = (row.record for row in rows(BENCHMARKS / name, benchmark))
        items = read_benchmark(records, benchmark, arguments.limit, settings.seed)
        batch_tokens, seed = settings.batch_tokens, settings.seed
        start = time.perf_counter()
        ours = items.score(model, tokenizer, batch_tokens=batch_tokens, seed=seed).right
        seconds = time.perf_counter() - start
        theirs = reference(peer, items)
        their_seconds = time.perf_counter() - start - seconds
        alike = sum(a == b for a, b in zip(ours, theirs, strict=True))
        accuracies = (f"{100 * sum(right) / len(right):.1f}" for right in (ours, theirs))
        times = f"{seconds:.0f}, {their_seconds:.0f}"
        shown.add_row(name, str(len(ours)), *accuracies, f"{100 * alike / len(ours):.1f} %", times)
    Console().print(shown)


def reference(peer: HFLM, items: Items) -> list[bool]:
    """Which items lm-eval's model answers correctly, by the measure of lm-eval's task."""
    if isinstance(items, MinimalPairs):
        pairs = [[("", pair.good), ("", pair.bad)] for pair in items.pairs]
        return [good > bad for good, bad in likelihoods(peer, pairs)]
    questions = [
        [(items.template.format(query=question.query), f" {choice}") for choice in question.choices]
        for question in items.questions
    ]
    right = []
    for question, values in zip(items.questions, likelihoods(peer, questions), strict=True):
        lengths = [len(choice) if items.normalized else 1 for choice in question.choices]
        scores = [value / length for value, length in zip(values, lengths, strict=True)]
        right.append(scores.index(max(scores)) == question.gold)
    return right


def likelihoods(peer: HFLM, items: list[Choices]) -> list[list[float]]:
    """lm-eval's log-likelihood of each choice of each item."""
    requests = [
        Instance(request_type="loglikelihood", doc={}, arguments=choice, idx=index)
        for choices in items
        for index, choice in enumerate(choices)
    ]
    values = iter(value for value, _ in peer.loglikelihood(requests, disable_tqdm=True))
    return [[next(values) for _ in choices] for choices in items]


if __name__ == "__main__":
    main()
