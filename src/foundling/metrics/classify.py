"""metrics/classify.json: the classifier, the baselines and the base model on the same test texts."""

from collections.abc import Mapping

from pydantic.dataclasses import dataclass

from foundling.metrics import SCHEMA
from foundling.metrics.accuracy import Accuracy
from foundling.metrics.forgetting import Forgetting


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Texts:
    """Counts of texts: read, dropped, and kept in each split."""

    read: int
    missing: int  # rows without a text or a label
    duplicates: int
    contradicting: int  # duplicates with a different label
    left_out_files: int
    train: int
    validation: int
    test: int
    truncated: int  # longer than the context


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Best:
    """The validation with the lowest loss; the weights at that step are kept."""

    step: int
    val_loss: float
    val_accuracy: float


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Training:
    """Which weights were trained, and for how long."""

    train: str  # head, last, all or lora
    parameters: int  # trained ones
    steps: int
    best: Best


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class LabelScores:
    """One label."""

    precision: float
    recall: float
    f1: float
    support: int  # texts with this label


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Difference:
    """A paired difference in accuracy, with its 95 % interval."""

    difference: float
    low: float
    high: float


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class ModelScores(Accuracy):
    """One model on the test texts."""

    macro_f1: float
    roc_auc: float | None = None  # with two labels, if the model returns scores
    labels: Mapping[str, LabelScores]
    ahead: Difference | None = None  # of the classifier over this model


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class BeforeAndAfter:
    """The base model, and the classifier's trunk."""

    before: Forgetting
    after: Forgetting


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Classify:
    """The data, the training, and the comparison."""

    dataset: str
    texts: Texts
    changes: Mapping[str, int]  # what reading the texts changed, by reason
    training: Training
    models: Mapping[str, ModelScores]  # the classifier first
    left_out: Mapping[str, str]  # baselines without predictions, and why
    forgetting: BeforeAndAfter | None  # None: the classifier has only some of the base's blocks
