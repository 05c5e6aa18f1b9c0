"""What the values of the composed config may be, by their names: held at the door, before anything is read or built.

A name has one meaning wherever it stands, so it has one range. What depends on two values (a batch that is cut into
equal parts) and what names a choice is held where it is read; sources are held by data/sources.py.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omegaconf import DictConfig

LARGEST = 2**53  # beyond it a float skips whole numbers


@dataclass(frozen=True)
class Range:
    """The numbers that a value may be."""

    least: float
    most: float = LARGEST
    whole: bool = True
    null: bool = False  # whether null has a meaning
    words: tuple[str, ...] = ()  # that have one, too

    def holds(self, value: Any) -> bool:
        """Whether a value may stand."""
        if value is None or isinstance(value, str):
            return self.null if value is None else value in self.words
        kind = int if self.whole else int | float
        return isinstance(value, kind) and not isinstance(value, bool) and self.least <= value <= self.most

    def __str__(self) -> str:
        ends = f"from {self.least:,}" + (f" to {self.most:,}" if self.most < LARGEST else "")
        others = [*self.words, *(["null"] if self.null else [])]
        return f"{'a whole number' if self.whole else 'a number'} {ends}" + "".join(f", or {one}" for one in others)


def _real(least: float, most: float = LARGEST, null: bool = False) -> Range:
    return Range(least, most, whole=False, null=null)


COUNT, SOME, SOME_OR_NULL = Range(0), Range(1), Range(1, null=True)
SHARE = _real(0, 1)
RANGES: dict[str, Range] = {  # by the last part of a name, or by the whole of it
    "seed": Range(0, 2**32 - 1),
    # of models
    **dict.fromkeys(("context", "n_layer", "n_head", "n_embd", "n_encoder", "n_decoder"), SOME),
    **dict.fromkeys(("n_kv_head", "head_dim", "n_ffn", "vocab_size"), SOME_OR_NULL),
    **dict.fromkeys(("dropout", "label_smoothing", "rehearsal"), SHARE),
    **dict.fromkeys(("convolution", "lookup_heads"), COUNT),
    # of texts
    "min_characters": COUNT,
    **dict.fromkeys(("validation", "test"), SHARE),
    **dict.fromkeys(("megabytes", "train_megabytes"), _real(1e-6, 1e9)),
    # of trainings
    "max_steps": Range(0, null=True),
    **dict.fromkeys(("batch_size", "accumulate", "bucket", "turns", "batch_tokens", "rank", "last"), SOME),
    "validate_every": SOME_OR_NULL,
    "patience": SOME_OR_NULL,
    **dict.fromkeys(("pretrain.snapshots", "warmup"), COUNT),
    **dict.fromkeys(("gradient_clip", "weight_decay", "adamw_weight_decay", "language_loss"), _real(0)),
    **dict.fromkeys(("lr", "adamw_lr", "eps", "adamw_eps", "head_rate", "alpha"), _real(0)),
    **dict.fromkeys(("decay", "final", "momentum", "betas", "adamw_betas"), SHARE),
    "epochs": _real(0),
    # of measurements and answers
    **dict.fromkeys(("questions", "tokens", "bleu_sentences", "looks", "extra", "limit"), Range(0, null=True)),
    **dict.fromkeys(("max_new_tokens", "count", "top", "beam"), SOME),
    "top_k": SOME_OR_NULL,
    "top_p": _real(1e-9, 1, null=True),
    "plan.tokens": _real(0, null=True),
    **dict.fromkeys(("temperature", "length_penalty", "calibration_seconds"), _real(0)),
    "timeout": _real(0.001),
    # of runs
    "workers": Range(0, 1024),
    "threads": Range(1, 4096, null=True),
    "devices": Range(-1, 4096, words=("auto",)),
    "log_every": SOME,
    "budget_hours": _real(0, null=True),
}
LISTS, MAYBE_LISTS = ("betas", "adamw_betas"), ("devices",)
SWITCHES: tuple[str, ...] = ("align", "compile", "deduplicate", "balance", "packing", "learn_end", "deterministic")
SWITCHES += ("tied", "bias", "qk_norm")
TEXTS = ("init_from", "prompt", "keep", "method", "train", "template", "dtype", "by", "loss_on", "column", "file")
NEVER_NULL: tuple[str, ...] = ("pretrain.max_steps", "instruct.max_steps", "train_translator.max_steps")
NEVER_NULL += ("pretrain.validate_every", "instruct.validate_every", "train_translator.validate_every")
CHOICES = {"runtime.batch": ("fixed", "auto")}
OWN_NAMES = ("sources", "label_names", "class_weights", "answers", "benchmarks", "metrics")  # whose keys are the user's


def check(config: "DictConfig") -> None:
    """Raise ValueError for the first value of the composed config that is of another type, or out of its range."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        values = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise ValueError(f"the config cannot be resolved: {str(error).splitlines()[0]}") from error
    assert isinstance(values, dict)
    check_values(values)


def check_values(values: Mapping[Any, Any]) -> None:
    """The same of plain values."""
    for key, value in _values(values, ""):
        _check(key, value)


def _values(found: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Each value by its dotted name; a list, and a mapping whose name is a number's, count as one value."""
    for name, value in found.items():
        inner = f"{key}.{name}" if key else str(name)
        if isinstance(value, Mapping) and name not in OWN_NAMES and (name not in RANGES or inner.endswith(".test")):
            yield from _values(value, inner)
        else:
            yield inner, value


def _check(key: str, value: Any) -> None:
    name = key.rpartition(".")[2]
    if isinstance(value, int | float) and not (math.isfinite(value) and abs(value) <= LARGEST):
        raise ValueError(f"found {key}={value}; allowed are finite numbers, at most {LARGEST:,}; mend it")
    allowed = RANGES.get(key, RANGES.get(name))
    if allowed is not None:
        items = value if name in LISTS + MAYBE_LISTS and isinstance(value, list) and value else [value]
        fits = (value is not None or key not in NEVER_NULL) and (name not in LISTS or items is value)
        if not fits or not all(allowed.holds(item) for item in items):
            listed = "a list, each " if name in LISTS else ""
            raise ValueError(
                f"found {key}={str(value)[:60]} ({type(value).__name__}); allowed is {listed}{allowed}; mend it"
            )
    if name in SWITCHES and not isinstance(value, bool):
        raise ValueError(f"found {key}={str(value)[:60]} ({type(value).__name__}); allowed are true and false; mend it")
    if key in CHOICES and value not in CHOICES[key]:
        raise ValueError(f"found {key}={str(value)[:60]}; allowed are {' and '.join(CHOICES[key])}; mend it")
    if name in TEXTS and not isinstance(value, str):
        raise ValueError(f"found {key}={str(value)[:60]} ({type(value).__name__}); allowed is a text; mend it")
