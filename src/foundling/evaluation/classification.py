"""What answers to a classification are worth: predicted and true labels in, shares with intervals out.

N texts, K labels. With two labels the second one is what is looked for (spam, positive): ROC-AUC is about its scores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from foundling.data.classification import padded
from foundling.evaluation.accuracy import accuracy
from foundling.model.classifier import Classifier


@dataclass(frozen=True)
class Answers:
    """Which label was predicted for each text, (N,), and, with two labels, a score (N,) that rises with the second.

    `places` (N,) says which of the test texts were asked about; None is all of them.
    """

    predicted: np.ndarray
    scores: np.ndarray | None
    places: np.ndarray | None = None

    def of(self, values: np.ndarray) -> np.ndarray:
        """The values of the texts that were asked about."""
        return values if self.places is None else values[self.places]


@torch.inference_mode()
def probabilities(network: Classifier, rows: Sequence[Sequence[int]], batch_tokens: int) -> np.ndarray:
    """p(label | text), (N, K), of encoded texts in their order, read by length, `batch_tokens` with padding at once."""
    device = next(network.parameters()).device
    found = np.zeros((len(rows), len(network.config.labels)), dtype=np.float32)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]), reverse=True)
    start = 0
    while start < len(order):
        chosen = order[start : start + max(1, batch_tokens // len(rows[order[start]]))]
        ids, lengths = padded([rows[i] for i in chosen])
        found[chosen] = network(ids.to(device), lengths.to(device)).float().softmax(-1).cpu().numpy()
        start += len(chosen)
    return found


def answers(found: np.ndarray) -> Answers:
    """The likeliest label of each row of probabilities (N, K)."""
    return Answers(found.argmax(-1), found[:, 1] if found.shape[1] == 2 else None)


def measure(golds: np.ndarray, given: Answers, labels: Sequence[str]) -> dict[str, Any]:
    """Accuracy with Wilson's 95 % interval; precision, recall and F1 of each label, and F1's mean; ROC-AUC of two.

    A label that is never predicted has precision 0.
    """
    from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

    golds = given.of(golds)
    every = np.arange(len(labels))
    precision, recall, f1, support = precision_recall_fscore_support(
        golds, given.predicted, labels=every, zero_division=0.0
    )
    found: dict[str, Any] = vars(accuracy((golds == given.predicted).tolist()))
    found["macro_f1"] = float(f1.mean())
    if given.scores is not None and len(set(golds.tolist())) == 2:
        found["roc_auc"] = float(roc_auc_score(golds, given.scores))
    found["labels"] = {
        label: {
            "precision": float(precision[i]),
            "recall": float(recall[i]),
            "f1": float(f1[i]),
            "support": int(support[i]),
        }
        for i, label in enumerate(labels)
    }
    return found


def difference(golds: np.ndarray, one: Answers, other: Answers) -> dict[str, float]:
    """By how much `one`, asked about all, is right more often than `other` on the texts that both were asked about.

    With the 95 % interval of that paired difference, the normal one.
    """
    golds, ours = other.of(golds), other.of(one.predicted)
    gaps = (ours == golds).astype(float) - (other.predicted == golds)
    half = 1.96 * float(gaps.std(ddof=1)) / len(gaps) ** 0.5 if len(gaps) > 1 else 1.0
    return {"difference": float(gaps.mean()), "low": float(gaps.mean()) - half, "high": float(gaps.mean()) + half}


def roc_rows(golds: np.ndarray, given: Mapping[str, Answers]) -> list[dict[str, Any]]:
    """The ROC curve of each model that gives scores: the share of false alarms against the share found."""
    from sklearn.metrics import roc_curve

    rows = []
    for name, model in given.items():
        if model.scores is not None and len(set(model.of(golds).tolist())) == 2:
            alarms, found, _ = roc_curve(model.of(golds), model.scores)
            rows += [
                {"model": name, "false_positive_rate": float(x), "true_positive_rate": float(y)}
                for x, y in zip(alarms, found, strict=True)
            ]
    return rows
