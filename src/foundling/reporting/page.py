"""The report: one self-contained HTML page of settings and measurements."""

from collections.abc import Mapping, Sequence

from foundling.metrics.data import Data
from foundling.metrics.run import Run
from foundling.reporting import kinds
from foundling.reporting.drawing import as_svg
from foundling.reporting.figures import emergence_panels, loss_curves
from foundling.reporting.material import Material
from foundling.reporting.reading import Row
from foundling.reporting.sections import choose_shown, classification, translation
from foundling.reporting.spread import Spread
from foundling.reporting.templates import Download, Drawn, big, percent, render, words
from foundling.settings import Recipe
from foundling.settings.commands import Samples
from foundling.settings.datasets import Corpus
from foundling.settings.models import Model
from foundling.settings.types import CustomComponent


def page(material: Material) -> str:
    """Render the page; equal material gives equal bytes."""
    phases = curriculum(material.settings.corpus, material.pretrain.tokens)
    return render(
        "report.html.j2",
        title=f"{words(material.settings.corpus.name)}, {big(material.pretrain.parameters)} parameters",
        headline=headline(material),
        origin=origin(material),
        sources=sources(material.data, material.pretrain.tokens),
        vocabulary=big(material.data.vocab_size),
        settings=sections_as_yaml(material.recipe),
        loss_figure=material.training and draw_losses(material, phases),
        phases=phases,
        emergence_figures=[
            draw_emergence(name, rows) for name, rows in by_benchmark(material.emergence).items()
        ],
        benchmarks=material.evaluate.benchmarks,
        classify=material.classify
        and classification(material.classify, material.classify_answers, material.classify_roc),
        instruct=material.instruct,
        answers=choose_shown(material.answers),
        translator=material.translator
        and translation(
            material.translator,
            material.translator_training,
            material.translator_validation,
            material.translations,
            material.cross_attention,
        ),
        samples=material.samples,
        sampling=describe_sampling(material.settings.evaluate.samples),
        training_samples=material.training_samples,
        seeds=[seed for seed, _ in material.seeds],
    )


def curriculum(corpus: Corpus, tokens: int) -> list[tuple[float, str]]:
    """Where the phases of a curriculum end, in training tokens, and the sources that are read until then."""
    ends = sorted({source.first for source in corpus.sources if source.first > 0})
    names = {end: [source.name for source in corpus.sources if source.first >= end] for end in ends}
    return [(end * tokens, f"end of {' and '.join(names[end])} only") for end in ends]


def draw_losses(material: Material, phases: Sequence[tuple[float, str]]) -> Drawn:
    """The loss curves, with the ends of the curriculum's phases."""
    validation = {row["step"]: row["val/loss"] for row in material.validation}
    training = {row["step"]: row["train/loss"] for row in material.training}
    tokens = {row["step"]: row["tokens"] for row in (*material.training, *material.validation)}
    rows = [
        {
            "step": step,
            "tokens": tokens[step],
            "train/loss": training.get(step, ""),
            "val/loss": validation.get(step, ""),
        }
        for step in sorted(tokens)
    ]
    figure = loss_curves(material.training, material.validation, phases)
    return Drawn("Loss", [as_svg(figure)], Download("loss.csv", rows))


def draw_emergence(name: str, rows: Sequence[Row]) -> Drawn:
    """A benchmark's accuracy over the snapshots."""
    panels = [as_svg(figure) for figure in emergence_panels(rows)]
    return Drawn(words(name), panels, Download(f"emergence_{name}.csv", rows))


def headline(material: Material) -> list[tuple[str, str, str]]:
    """The most important numbers: (name, value, note)."""
    held_out = material.evaluate.held_out
    loss, bits = held_out.val_loss, held_out.val_bits_per_byte
    perplexity = f"perplexity {held_out.val_perplexity:.2f}"
    numbers = [
        ("parameters", big(material.pretrain.parameters), ""),
        ("training tokens", big(material.pretrain.tokens), ""),
        ("validation loss", f"{loss:.3f}", _bounds(loss) or perplexity),
        ("bits per byte", f"{bits:.3f}", _bounds(bits) or "on held-out text"),
    ]
    for name, result in material.evaluate.benchmarks.items():
        scores = result.kinds[kinds.ALL]
        note = f"{percent(scores.low)} to {percent(scores.high)}; chance {percent(scores.chance)}"
        numbers.append((words(name), percent(scores.accuracy), note))
    return numbers


def _bounds(value: float) -> str:
    """The interval over seeds, if there are several."""
    return f"{value.low:.3f} to {value.high:.3f}" if isinstance(value, Spread) else ""


def origin(material: Material) -> list[tuple[str, str]]:
    """The model's main settings, commit, machine and training time."""
    settings, run = material.settings, material.run
    pretrain = settings.pretrain
    per_step = material.pretrain.tokens // max(1, pretrain.max_steps)
    dirty = " with uncommitted changes" if run.dirty else ""
    speed = f"{big(run.tokens_per_second)} tokens per second"
    rows = [
        ("corpus", describe_corpus(settings.corpus)),
        ("model", describe_model(settings.model)),
        (
            "training",
            f"{pretrain.max_steps:,} steps of {per_step:,} tokens, initialized from {pretrain.init_from}",
        ),
        ("seed", ", ".join(seed for seed, _ in material.seeds) or str(settings.seed)),
        ("commit", f"{run.commit or 'unknown (not a git repository)'}{dirty}"),
        (
            "weights",
            "sha256 " + (", ".join(f"{sha256[:12]}…" for _, sha256 in material.seeds) or run.weights_sha256),
        ),
        ("machine", f"{run.device}, {run.machine}, Python {run.python}"),
        ("time", f"{duration(run.seconds['training'])} of training, {speed}"),
        ("arithmetic", describe_arithmetic(run)),
    ]
    return rows + ([("W&B run", run.wandb)] if run.wandb else [])


def describe_arithmetic(run: Run) -> str:
    """Whether the same run gives the same bytes again, if recorded."""
    text = {
        None: "not recorded",
        True: "deterministic: the same settings give the same bytes on this kind of machine",
        False: "not deterministic (runtime.deterministic=false): sums may differ in their last bits from "
        "run to run",
    }[run.deterministic]
    return text + (
        f"; each batch in {run.microbatches} microbatches, to fit into memory"
        if (run.microbatches or 1) > 1
        else ""
    )


def describe_corpus(corpus: Corpus) -> str:
    """The corpus's name, and those of its sources if they differ from it."""
    names = [source.name for source in corpus.sources]
    return corpus.name if names == [corpus.name] else f"{corpus.name} ({', '.join(names)})"


def describe_model(model: Model) -> str:
    """The shape of a GPT, or the class of a custom model."""
    if isinstance(model, CustomComponent):
        return model.target
    return f"{model.n_layer} layers of {model.n_embd}, {model.n_head} heads, context {model.context}"


def describe_sampling(samples: Samples) -> str:
    """How the samples were drawn."""
    settings = [f"temperature {samples.temperature:g}"]
    settings += [f"top-k {samples.top_k}"] if samples.top_k else []
    settings += [f"top-p {samples.top_p:g}"] if samples.top_p else []
    settings.append(f"at most {samples.max_new_tokens} tokens")
    return f"Not selected by quality; {', '.join(settings)}. The prompts are coloured."


def sections_as_yaml(recipe: Recipe) -> dict[str, str]:
    """Each section of the recipe as YAML."""
    import yaml

    return {
        name: yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)
        for name, values in recipe.items()
        if isinstance(values, Mapping)
    }


def sources(data: Data, training_tokens: int) -> list[dict[str, str]]:
    """A row of the page's table for each source of the corpus, by column."""
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
    benchmarks: dict[str, list[Row]] = {}
    for row in rows:
        benchmarks.setdefault(row["benchmark"], []).append(row)
    return benchmarks


def duration(seconds: float) -> str:
    """254.2 -> 4 min 14 s."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
