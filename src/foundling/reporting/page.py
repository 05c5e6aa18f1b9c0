"""The report: settings and measurements in, one self-contained HTML page out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from foundling.metrics.classify import Classify
from foundling.metrics.data import Data
from foundling.metrics.pretrain import Pretrain
from foundling.metrics.run import Run
from foundling.metrics.train_translator import TrainTranslator
from foundling.reporting import kinds
from foundling.reporting.classify import classify_part
from foundling.reporting.figures import Row, as_svg, emergence, loss_curves
from foundling.reporting.instruct import instruct_part
from foundling.reporting.train_translator import translator_part


@dataclass(frozen=True)
class Material:
    """Everything that a page shows, as the stages wrote it; the page leaves out what is empty."""

    config: Mapping[str, Any]  # the composed recipe
    data: Data
    pretrain: Pretrain
    run: Run  # of the pretraining
    evaluate: Mapping[str, Any]  # metrics/evaluate.json
    training: Sequence[Row]  # plots/pretrain.csv
    validation: Sequence[Row]  # plots/validation.csv
    emergence: Sequence[Row]  # plots/emergence.csv
    samples: Sequence[Row]  # plots/samples.jsonl
    training_samples: Sequence[Row]  # plots/training_samples.jsonl
    classify: Classify | None = None
    classify_answers: Sequence[Row] = ()  # plots/classify_answers.csv
    classify_roc: Sequence[Row] = ()  # plots/classify_roc.csv
    instruct: Mapping[str, Any] = field(default_factory=dict)  # metrics/instruct.json
    answers: Sequence[Row] = ()  # plots/answers.jsonl
    translator: TrainTranslator | None = None
    translator_training: Sequence[Row] = ()  # plots/train_translator.csv
    translator_validation: Sequence[Row] = ()  # plots/train_translator_validation.csv
    translations: Sequence[Row] = ()  # plots/translations.jsonl
    cross_attention: Sequence[Row] = ()  # plots/cross_attention.jsonl


def page(material: Material) -> str:
    """Render the page; equal material gives equal bytes."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("foundling", "reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"percent": percent, "css": css, "big": big, "words": words, "kind_rows": kinds.rows}
    config = material.config
    losses = loss_curves(material.training, material.validation) if material.training else None
    figures = [emergence(rows, words(name)) for name, rows in by_benchmark(material.emergence).items()]
    return environment.get_template("template.html.j2").render(
        title=f"{words(config['corpus']['name'])}, {big(material.pretrain.parameters)} parameters",
        headline=headline(material),
        origin=origin(material),
        sources=sources(material.data, material.pretrain.tokens),
        vocabulary=big(material.data.vocab_size),
        settings=settings(config),
        loss_figure=losses and as_svg(losses),
        emergence_figures=[as_svg(figure) for figure in figures],
        benchmarks=material.evaluate["benchmarks"],
        classify=classify_part(material.classify, material.classify_answers, material.classify_roc),
        instruct=instruct_part(material.instruct, material.answers),
        translator=translator_part(
            material.translator,
            material.translator_training,
            material.translator_validation,
            material.translations,
            material.cross_attention,
        ),
        samples=material.samples,
        how_sampled=how_sampled(config),
        training_samples=material.training_samples,
    )


def headline(material: Material) -> list[tuple[str, str, str]]:
    """The most important numbers: (name, value, note)."""
    held_out = material.evaluate["held_out"]
    numbers = [
        ("parameters", big(material.pretrain.parameters), ""),
        ("training tokens", big(material.pretrain.tokens), ""),
        ("validation loss", f"{held_out['val/loss']:.3f}", f"perplexity {held_out['val/perplexity']:.2f}"),
        ("bits per byte", f"{held_out['val/bits_per_byte']:.3f}", "on held-out text"),
    ]
    for name, result in material.evaluate["benchmarks"].items():
        whole = result["kinds"][kinds.ALL]
        note = f"{percent(whole['low'])} to {percent(whole['high'])}; chance {percent(whole['chance'])}"
        numbers.append((words(name), percent(whole["accuracy"]), note))
    return numbers


def origin(material: Material) -> list[tuple[str, str]]:
    """Where the model comes from: settings in words, the commit, the machine, the time."""
    config, run = material.config, material.run
    model, pretrain = config["model"], config["pretrain"]
    per_step = material.pretrain.tokens // max(1, pretrain["max_steps"])
    dirty = " with uncommitted changes" if run.dirty else ""
    return [
        ("corpus", corpus_in_words(config["corpus"])),
        (
            "model",
            f"{model['n_layer']} layers of {model['n_embd']}, {model['n_head']} heads, context {model['context']}",
        ),
        (
            "training",
            f"{pretrain['max_steps']:,} steps of {per_step:,} tokens, initialised from {pretrain['init_from']}",
        ),
        ("seed", str(config["seed"])),
        ("commit", f"{run.commit or 'unknown (not a git repository)'}{dirty}"),
        ("weights", f"sha256 {run.weights_sha256}"),
        ("machine", f"{run.device}, {run.machine}, Python {run.python}"),
        (
            "time",
            f"{duration(run.seconds['training'])} of training, {big(run.tokens_per_second)} tokens per second",
        ),
        ("arithmetic", arithmetic(run)),
        *([("W&B run", run.wandb)] if run.wandb else []),
    ]


def arithmetic(run: Run) -> str:
    """Whether the same run gives the same bytes again; old records do not say."""
    answer = {
        None: "not recorded",
        True: "deterministic: the same settings give the same bytes on this kind of machine",
        False: "not deterministic (runtime.deterministic=false): sums may differ in their last bits from run to run",
    }[run.deterministic]
    split = f"; each batch in {run.parts} parts, to fit into memory" if run.parts and run.parts > 1 else ""
    return answer + split


def corpus_in_words(corpus: Mapping[str, Any]) -> str:
    """Its name, and those of its sources where they say more."""
    names = [source["name"] for source in corpus["sources"]]
    return corpus["name"] if names == [corpus["name"]] else f"{corpus['name']} ({', '.join(names)})"


def settings(config: Mapping[str, Any]) -> dict[str, str]:
    """Each section of the recipe as YAML."""
    import yaml

    return {
        name: yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)
        for name, values in config.items()
        if isinstance(values, Mapping)
    }


def how_sampled(config: Mapping[str, Any]) -> str:
    """How the samples were drawn, in a sentence."""
    sampling = config["evaluate"]["samples"]
    cuts = "".join(f", {name.replace('_', '-')} {sampling[name]}" for name in ("top_k", "top_p") if sampling[name])
    length = f"at most {sampling['max_new_tokens']} tokens"
    return f"Not selected by quality; temperature {sampling['temperature']}{cuts}, {length}. The prompts are coloured."


def sources(data: Data, training_tokens: int) -> list[dict[str, str]]:
    """A row for each source of the corpus, by the names of the page's columns."""
    held_out = {row.source: row.tokens for row in data.rows if row.split == "validation"}
    return [
        {
            "source": row.source,
            "documents": big(row.documents),
            "characters": big(row.characters),
            "words": big(row.words),
            "tokens": big(row.tokens),
            "characters per token": f"{row.characters_per_token:.2f}",
            "held-out tokens": big(held_out.get(row.source, 0)),
            "share": percent(row.share),
            "epochs": f"{row.share * training_tokens / row.tokens:.2f}",
        }
        for row in data.rows
        if row.split == "train"
    ]


def by_benchmark(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The emergence rows of each benchmark."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["benchmark"], []).append(row)
    return found


def percent(share: float | None) -> str:
    """0.4567 -> 45.7 %."""
    return "" if share is None else f"{100 * share:.1f} %"


def css(share: float) -> str:
    """0.4567 -> 45.67%, as a style wants it."""
    return f"{100 * share:.2f}%"


def words(name: str) -> str:
    """arc_easy -> arc easy."""
    return name.replace("_", " ")


def big(count: float) -> str:
    """1234567 -> 1.23 M; small counts stay whole."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e4)):
        if count >= size:
            return f"{count / (1e3 if unit == 'k' else size):.3g} {unit}"
    return f"{count:,.0f}"


def duration(seconds: float) -> str:
    """254.2 -> 4 min 14 s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
