"""Fine-tune models/base to classify texts, and compare it with the baselines, into models/classifier."""

from collections import Counter
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from foundling.data.classification import batches_per_epoch
from foundling.data.encoded_texts import Encoded, encode, encode_splits
from foundling.data.labelled import Labelled, read_labelled
from foundling.data.lineage import SHAPED_BY, require_base
from foundling.data.sources import META
from foundling.data.splits import TEST, TRAIN, VALIDATION, choose
from foundling.data.unknown import count_unknown
from foundling.evaluation.baselines import predict_baselines
from foundling.evaluation.classification import Predictions, most_probable, probabilities
from foundling.evaluation.comparison import OURS, ZERO_SHOT, compare, summary, write_tables
from foundling.evaluation.forgetting import ForgettingProbe
from foundling.evaluation.zero_shot import zero_shot
from foundling.metrics.classify import BeforeAndAfter, Best, Classify, Texts, Training
from foundling.model import lora
from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig
from foundling.model.gpt import GPT
from foundling.model.interface import LanguageModel
from foundling.settings import Job, training
from foundling.terminal import show
from foundling.text.tokenizer import Tokenizer
from foundling.training.callbacks import KeepBest
from foundling.training.classification import choose_trainable, class_weights
from foundling.training.frozen import keep_frozen
from foundling.training.module import Loop
from foundling.training.run import TrainingRun
from foundling.validation import build
from foundling.weights import folder

BASE, TEXTS = Path("models/base"), Path("data/raw/classify")
TOKENS, BENCHMARKS = Path("data/tokens"), Path("data/raw/benchmarks")


def run(job: Job) -> float:
    """Train, compare, publish; returns the validation loss, which a sweeper may minimize."""
    settings = job.settings.classify
    stage = TrainingRun(
        job, "classify", sections=(*SHAPED_BY, "classify"), inputs=[TEXTS / META], parent=BASE
    )
    require_base(BASE, job.recipe)
    trunk, tokenizer = folder.load(BASE)
    changes: Counter[str] = Counter()
    texts = read_labelled(TEXTS, settings, changes)
    count_unknown(tokenizer, chain(texts.labels, *map(texts.texts, texts.splits)), "classify", changes)
    framing = trunk.config.context, settings.keep, settings.template
    rows, truncated = encode_splits(tokenizer, texts, *framing)
    trunk.to(stage.device).eval()
    # without some of its blocks, the base is no language model any longer
    probe = _forgetting_probe(tokenizer, job) if settings.blocks is None else None
    before = probe.measure(trunk, settings.batch_tokens) if probe else None
    others, left_out = _predict_untrained(trunk, tokenizer, texts, settings)

    network = _classifier(trunk, texts.labels, settings)
    parameters = choose_trainable(network, settings.train, settings.last, settings.lora, settings.seed)
    unused = [example.text for example in texts.left_out if settings.cache_frozen == "all"]
    kept = keep_frozen(network, rows, settings, BASE, stage.device, encode(tokenizer, unused, *framing)[0])
    measures = _train(network, texts.labels, kept, job, stage)
    p = probabilities(network, rows[TEST].ids, settings.batch_tokens, kept[TEST].states)
    predictions = {OURS: most_probable(p), **others}
    sizes = {split: len(examples) for split, examples in texts.splits.items()}
    changed = probe if settings.train != "head" else None
    after = changed.measure(network.trunk, settings.batch_tokens) if changed else before
    metrics = Classify(
        dataset=settings.dataset.name,
        texts=Texts(**texts.counts, **sizes, truncated=truncated),
        changes=dict(changes),
        training=Training(
            train=settings.train,
            parameters=parameters,
            steps=stage.recorder.steps,
            best=build(Best, measures, "validation"),
        ),
        models=compare(rows[TEST].labels, texts.labels, predictions),
        left_out=left_out,
        forgetting=BeforeAndAfter(before=before, after=after) if before and after else None,
    )
    stage.save_model("classifier", network.cpu(), tokenizer, measures)
    stage.write_metrics(metrics)
    write_tables(stage.results / "plots", texts.texts(TEST), rows[TEST].labels, texts.labels, p, predictions)
    stage.log({"test/accuracy": metrics.models[OURS].accuracy})
    stage.publish()
    show(summary(metrics))
    return measures["val/loss"]


def _forgetting_probe(tokenizer: Tokenizer, job: Job) -> ForgettingProbe:
    forgetting, evaluate = job.settings.classify.forgetting, job.settings.evaluate
    return ForgettingProbe.read(TOKENS, BENCHMARKS, tokenizer, forgetting, evaluate)


def _classifier(trunk: LanguageModel, labels: list[str], settings: training.Classify) -> Classifier:
    """The base, or its first blocks, with a new head."""
    if settings.blocks is not None:
        if not isinstance(trunk, GPT):
            raise ValueError(
                f"classify.blocks={settings.blocks}: must be null with {trunk.architecture}, an architecture "
                "of your own, which is only used whole"
            )
        if settings.blocks > len(trunk.blocks):
            raise ValueError(
                f"classify.blocks={settings.blocks}: must be at most {len(trunk.blocks)}, the number of the "
                "base's blocks"
            )
        trunk.keep_first_blocks(settings.blocks)
    config = ClassifierConfig(
        trunk.config, tuple(labels), settings.keep, pooling=settings.pooling, template=settings.template
    )
    return Classifier(config, trunk)


def _train(
    network: Classifier, labels: list[str], rows: Mapping[str, Encoded], job: Job, stage: TrainingRun
) -> dict[str, float]:
    """Fit the classifier and keep its best weights; returns the measures of their validation."""
    settings = job.settings.classify
    per_epoch = batches_per_epoch(len(rows[TRAIN].ids), settings.batch_size)
    steps = settings.max_steps or round(settings.epochs * per_epoch)
    if steps < 1:
        raise ValueError(
            f"classify.epochs={settings.epochs:g}: must be at least one step, 1/{per_epoch} of an epoch"
        )
    data = settings.data.build(
        rows[TRAIN],
        rows[VALIDATION],
        batch_size=settings.batch_size,
        bucket=settings.bucket,
        steps=steps,
        seed=settings.seed,
        workers=job.settings.runtime.workers,
    )
    module = settings.module.build(
        network.train(),
        settings.optimizer.partial(),
        settings.schedule.build(max_steps=steps),
        head_rate=settings.head_rate,
        language_loss=settings.language_loss,
        label_smoothing=settings.label_smoothing,
        class_weights=class_weights(settings.class_weights, labels, rows[TRAIN].labels),
    )
    best = KeepBest(network, settings.patience)
    loop = Loop(settings, steps, settings.validate_every or -(-per_epoch // 2))
    stage.fit(module, data, loop, [best])
    measures = best.restore()
    lora.merge(network.trunk)  # the frozen blocks stay as marked: the test starts after them
    network.to(stage.device).eval()
    return measures


def _predict_untrained(
    trunk: LanguageModel, tokenizer: Tokenizer, texts: Labelled, settings: training.Classify
) -> tuple[dict[str, Predictions], dict[str, str]]:
    """The predictions of the baselines and of the base model, and why a baseline has none."""
    test, seed = texts.texts(TEST), settings.seed
    predictions, left_out = predict_baselines(
        texts.texts(TRAIN), texts.ids(TRAIN), test, seed, settings.baselines
    )
    indices = choose(range(len(test)), settings.zero_shot.limit, seed)
    if indices:
        predictions[ZERO_SHOT] = zero_shot(
            trunk,
            tokenizer,
            test,
            indices,
            texts.labels,
            template=settings.zero_shot.template,
            batch_tokens=settings.batch_tokens,
        )
    return predictions, left_out
