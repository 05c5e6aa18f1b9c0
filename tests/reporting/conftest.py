"""What a small run would have left behind, made up."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foundling.config import compose
from foundling.metrics import from_plain, instruct
from foundling.metrics.accuracy import AnswerScores, BenchmarkAccuracy
from foundling.metrics.classify import Difference, LabelScores, ModelScores
from foundling.metrics.data import Data, Shard
from foundling.metrics.evaluate import BenchmarkScores, Evaluate, HeldOut
from foundling.metrics.forgetting import Forgetting
from foundling.metrics.pretrain import Pretrain
from foundling.metrics.run import Run
from foundling.metrics.train_translator import TrainTranslator
from foundling.reporting.material import Material
from foundling.reporting.page import page
from foundling.settings import Job

KINDS = {
    "facts": (2.0, 0.98),
    "mention": (1.4, 0.97),
    "binding": (0.9, 0.68),
    "cause": (1.0, 0.8),
    "sentiment": (1.1, 0.86),
}


def measured(accuracy: float, n: int, **more: float) -> dict[str, Any]:
    half = 1.96 * math.sqrt(accuracy * (1 - accuracy) / n)
    return {
        "n": n,
        "accuracy": accuracy,
        "low": accuracy - half,
        "high": accuracy + half,
        "chance": 0.25,
    } | more


def benchmark_scores(measure: str, truncated: int, kinds: dict[str, dict[str, Any]]) -> BenchmarkScores:
    accuracies = {kind: BenchmarkAccuracy(**values) for kind, values in kinds.items()}
    return BenchmarkScores(measure=measure, truncated=truncated, kinds=accuracies)


def shard(source: str, split: str, tokens: int, share: float) -> Shard:
    counts = {"documents": tokens // 100, "characters": tokens * 4, "words": tokens, "tokens": tokens}
    return Shard(source=source, split=split, **counts, characters_per_token=4.0, share=share)


def emergence_rows() -> list[dict[str, Any]]:
    rows = []
    for step in (0, 8, 16, 31, 62, 125, 250, 500, 1000):
        loss = 7.3 - 0.93 * math.log(1 + step)
        for kind, (speed, best) in KINDS.items():
            share = 0.25 + (best - 0.25) / (1 + math.exp((loss - 1.2 - speed) * 4))
            place = {
                "step": step,
                "tokens": step * 4096,
                "val/loss": loss,
                "benchmark": "fables_continuations",
            }
            rows.append(place | {"kind": kind} | measured(share, 300))
    return rows


@pytest.fixture(scope="session")
def material() -> Material:
    rules = {"first_mentioned": 0.38, "last_mentioned": 0.39, "control": 0.26, "other_accuracy": 0.5}
    kinds = {"all": measured(0.82, 1500, **rules)}
    kinds |= {kind: measured(best, 300, **rules) for kind, (_, best) in KINDS.items()}
    fables = benchmark_scores("likelihood", 0, kinds | {"mean_of_kinds": kinds["all"]})
    blimp = benchmark_scores("likelihood of the sentence", 3, {"all": measured(0.56, 4000) | {"chance": 0.5}})
    job = Job.of(compose(["pretrain.max_steps=1000", "seed=1"]), Path())
    return Material(
        settings=job.settings,
        recipe={name: job.recipe[name] for name in ("corpus", "model", "pretrain", "evaluate")},
        data=Data(
            vocab_size=1500,
            rows=(
                shard("stories", "train", 60_000, 0.75),
                shard("stories", "validation", 3_000, 0.75),
                shard("facts", "train", 2_000_000, 0.25),
            ),
            changes=(),
            left_out_files={},
        ),
        pretrain=Pretrain(
            val_loss=0.873,
            val_perplexity=2.394,
            val_bits_per_byte=0.312,
            parameters=1_012_480,
            tokens=4_096_000,
        ),
        run=Run(
            weights_sha256="0123456789abcdef" * 4,
            commit="89abcdef01" * 4,
            dirty=False,
            overrides=(),
            python="3.11.7",
            machine="Linux x86_64",
            device="CPU, 2 threads",
            seconds={"training": 254.2, "whole": 270.0},
            tokens_per_second=16_113,
            wandb=None,
        ),
        evaluate=Evaluate(
            held_out=HeldOut(val_loss=0.8731, val_perplexity=2.394, val_bits_per_byte=0.3121, tokens=90_000),
            benchmarks={"fables_continuations": fables, "blimp": blimp},
        ),
        training=[
            {
                "step": s,
                "tokens": s * 4096,
                "train/loss": 0.85 + 6 * math.exp(-s / 60) + 0.03 * math.sin(s),
                "lr": 1,
                "grad_norm": 1,
            }
            for s in range(1, 1001, 20)
        ],
        validation=[
            {"step": s, "tokens": s * 4096, "val/loss": 0.87 + 6 * math.exp(-s / 60)}
            for s in (200, 400, 600, 800, 1000)
        ],
        emergence=emergence_rows(),
        samples=[
            {
                "prompt": "",
                "text": "The lion was in the forest. He had hidden the key <under> the stone.\nThe fox was "
                "glad.",
                "seed": 1,
            },
            {"prompt": "Once upon a time", "text": ", an old bear lost her basket by the river.", "seed": 1},
        ],
        training_samples=[{"step": 200, "tokens": 819_200, "prompt": "", "text": "The the was the of a."}],
    )


@pytest.fixture(scope="session")
def full(material: Material, classify_metrics: Callable[..., Any]) -> Material:
    """A page with all sections, long labels, long words, and many kinds that come in no order."""
    parts = (
        "binding/where",
        "facts",
        "binding",
        "mention",
        "binding/cause of the disagreement",
        "all",
        "mean_of_kinds",
    )
    rules = {"first_mentioned": 0.38, "last_mentioned": 0.39, "control": 0.26}
    fables = benchmark_scores(
        "likelihood per character", 3, {kind: measured(0.8, 300, **rules) for kind in parts}
    )
    many = {
        f"{word}_agreement_with_a_relative_clause_{n}": measured(0.5 + n / 40, 200)
        for word in "ba"
        for n in range(8)
    }
    blimp = benchmark_scores("likelihood of the sentence", 0, {**many, "all": measured(0.6, 3200)})
    emergence = material.emergence + [row | {"kind": "binding/where"} for row in emergence_rows()[:9]]
    benchmark = {
        "fables_continuations": measured(0.7, 300),
        "fables_questions_with_several_answers": measured(0.6, 300),
    }
    forgetting = {"val/loss": 2.345, "val/perplexity": 10.4, "benchmarks": benchmark}
    labels = ["declined_cash_withdrawal", "card_payment_wrong_exchange_rate"]
    scores = {name: LabelScores(support=1540, precision=0.9, recall=0.91, f1=0.905) for name in labels}
    model = ModelScores(
        n=3080, accuracy=0.91, low=0.89, high=0.925, macro_f1=0.9, roc_auc=0.9876, labels=scores
    )
    ahead = Difference(difference=0.012, low=-0.004, high=0.028)
    others = ("majority", "word_tfidf_logistic", "char_tfidf_svm", "zero_shot")
    curve = [
        {"model": name, "false_positive_rate": x, "true_positive_rate": x**0.3}
        for name in ("classifier", *others[1:3])
        for x in (0.0, 0.1, 0.4, 1.0)
    ]
    wrong = {
        "actual": labels[0],
        "predicted": labels[1],
        "probability": 0.98,
        "text": "Why was I charged? " * 12,
    }
    right = [{"actual": name, "predicted": name, "probability": 0.9, "text": "ok"} for name in labels]
    models = {"classifier": model, **{name: replace(model, ahead=ahead) for name in others}}
    classify = classify_metrics(models, dataset="banking77_with_a_long_name")
    names = (
        "translate/german",
        "count",
        "all",
        "translate",
        "translate/french",
        "long_division_with_remainder",
    )
    tuned_kind = AnswerScores(
        n=90, accuracy=0.8, low=0.7, high=0.9, exact=0.7, stopped=0.99, rouge_l=0.876, chrf=81.5
    )
    tuned = instruct.ModelScores(
        rouge_l=instruct.Interval(mean=0.8, low=0.78, high=0.82),
        signatures={},
        kinds=dict.fromkeys(names, tuned_kind),
        answer_loss=0.123,
        forgetting=from_plain(forgetting, Forgetting, "instruct.json"),
        judge=instruct.JudgeScores(
            model="a-judge", versions=("2026-01-01",), n=50, without_score=0, mean=71.5, low=65.0, high=77.0
        ),
        turns=(tuned_kind, tuned_kind),
    )
    answers = [
        {
            "kind": name,
            "prompt": f"{name} " * 8,
            "expected": "Yes.",
            "answer": a,
            "right": a == "Yes.",
            "base": "um " * 60,
        }
        for name, a in (("count", "Yes."), ("translate", "Donaudampfschifffahrtsgesellschaft" * 3))
    ]
    interval = {"score": 88.1, "low": 86.6, "high": 89.6}
    scored = {
        "bleu": interval,
        "chrf": interval,
        "exact": {"n": 1000, "accuracy": 0.5, "low": 0.47, "high": 0.53},
    }
    losses = {"val/loss": 0.07, "val/perplexity": 1.07, "val/bleu": 88.0}
    translator = {
        "dataset": "fables_pairs_german",
        "pairs": {"train": 40_000, "validation": 500, "test": 1000, "tested": 1000},
        "changes": {},
        "training": {**losses, "parameters": 1_640_000, "steps": 500, "epochs": 3.0, "tokens": 10**6},
        "search": {"beam": 4, "length_penalty": 0.6, "extra": 50},
        "signatures": {
            "bleu": "nrefs:1|case:mixed|eff:no|tok:13a|version:2.5.1",
            "chrf": "nrefs:1|case:mixed",
        },
        "test": dict.fromkeys(("beam", "greedy", "nearest"), scored),
    }
    words = [f"word{n}" for n in range(24)]
    layers = [[[1 / 24] * 24 for _ in words] for _ in range(3)]
    curves = [
        {"step": n, "tokens": n * 4000, "train/loss": 3 / n, "val/loss": 3 / n, "val/bleu": 9.0 * n}
        for n in range(1, 9)
    ]
    return replace(
        material,
        evaluate=replace(material.evaluate, benchmarks={"fables_continuations": fables, "blimp": blimp}),
        emergence=emergence,
        classify=classify,
        classify_answers=[*[wrong] * 7, *right * 50],
        classify_roc=curve,
        instruct=instruct.Instruct(
            dataset="fables_instructions",
            examples={"train": 40_000, "validation": 650, "test": 90},
            changes={},
            checks="fables",
            base=tuned,
            tuned=tuned,
        ),
        answers=answers,
        translator=from_plain(translator, TrainTranslator, "train_translator.json"),
        translator_training=curves,
        translator_validation=curves,
        translations=[{"source": "the fox is home " * 3, "reference": "Fuchs " * 9, "beam": "Fuchs " * 9}]
        * 8,
        cross_attention=[{"source": words, "translation": words, "layers": layers}],
    )


@pytest.fixture(scope="session")
def full_page(full: Material) -> str:
    """That page as HTML."""
    return page(full)
