"""Score predicted labels against the true ones, with intervals.

N texts, K labels. With two labels, the second is the positive one (spam, positive).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from foundling.data.batches import padded
from foundling.data.encoded_texts import HiddenStates
from foundling.evaluation.accuracy import accuracy
from foundling.metrics.classify import Difference, LabelScores, ModelScores
from foundling.model.classifier import Classifier


@dataclass(frozen=True)
class Predictions:
    """Predicted label ids (N,) and, with two labels, scores (N,) that increase with the second.

    `indices` (N,) are the test texts that were classified; None means all of them.
    """

    labels: np.ndarray
    scores: np.ndarray | None
    indices: np.ndarray | None = None

    def select(self, values: np.ndarray) -> np.ndarray:
        """The values of the texts that were classified."""
        return values if self.indices is None else values[self.indices]


@torch.inference_mode()
def probabilities(
    network: Classifier,
    rows: Sequence[Sequence[int]],
    batch_tokens: int,
    states: HiddenStates | None = None,
) -> np.ndarray:
    """p(label | text), (N, K), of encoded texts, in batches of at most `batch_tokens` padded tokens.

    With `states`, those of the texts after the frozen blocks, only the blocks above are computed.
    """
    device = next(network.parameters()).device
    predicted = np.zeros((len(rows), len(network.config.labels)), dtype=np.float32)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]), reverse=True)
    start = 0
    while start < len(order):
        batch = order[start : start + max(1, batch_tokens // len(rows[order[start]]))]
        inputs, lengths = (
            padded([rows[i] for i in batch]) if states is None else states.padded(np.array(batch))
        )
        predicted[batch] = network(inputs.to(device), lengths.to(device)).float().softmax(-1).cpu().numpy()
        start += len(batch)
    return predicted


def most_probable(p: np.ndarray) -> Predictions:
    """The most probable label of each row of p(label | text), (N, K)."""
    return Predictions(p.argmax(-1), p[:, 1] if p.shape[1] == 2 else None)


def score(golds: np.ndarray, predictions: Predictions, labels: Sequence[str]) -> ModelScores:
    """Scores against the true label ids (N,). A label that is never predicted has precision 0."""
    from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

    golds = predictions.select(golds)
    per_label = precision_recall_fscore_support(
        golds, predictions.labels, labels=np.arange(len(labels)), zero_division=0.0
    )
    has_curve = predictions.scores is not None and len(set(golds.tolist())) == 2
    return ModelScores(
        **vars(accuracy((golds == predictions.labels).tolist())),
        macro_f1=float(per_label[2].mean()),
        roc_auc=float(roc_auc_score(golds, predictions.scores)) if has_curve else None,
        labels={
            label: LabelScores(precision=float(p), recall=float(r), f1=float(f1), support=int(support))
            for label, p, r, f1, support in zip(labels, *per_label, strict=True)
        },
    )


def difference(golds: np.ndarray, ours: Predictions, theirs: Predictions) -> Difference:
    """The difference in accuracy, ours minus theirs, on the texts that they classified; we classified all.

    The 95 % interval is a normal approximation of the paired difference.
    """
    golds, labels = theirs.select(golds), theirs.select(ours.labels)
    gaps = (labels == golds).astype(float) - (theirs.labels == golds)
    half = 1.96 * float(gaps.std(ddof=1)) / len(gaps) ** 0.5 if len(gaps) > 1 else 1.0
    mean = float(gaps.mean())
    return Difference(difference=mean, low=mean - half, high=mean + half)


def roc_points(golds: np.ndarray, predictions: Predictions) -> list[tuple[float, float]]:
    """(false positive rate, true positive rate) along the ROC curve; empty without two labels and scores."""
    from sklearn.metrics import roc_curve

    golds = predictions.select(golds)
    if predictions.scores is None or len(set(golds.tolist())) != 2:
        return []
    false_positives, true_positives, _ = roc_curve(golds, predictions.scores)
    return list(zip(false_positives.tolist(), true_positives.tolist(), strict=True))
