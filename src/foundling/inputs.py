"""What each stage and command reads, checked before its module is imported: torch takes seconds, a mistake none.

Imports neither torch nor lightning. What is inside the files is checked where they are read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from foundling.artifacts import read_json
from foundling.config import recipe
from foundling.data.lineage import require, require_base
from foundling.weights.card import KINDS, kind_of

if TYPE_CHECKING:
    from omegaconf import DictConfig

BASE, TOKENS = Path("models/base"), Path("data/tokens")
MADE_BY = {"base": "pretrain", "assistant": "instruct", "classifier": "classify", "translator": "train_translator"}
WEIGHTS, CHAT = "model.safetensors", "chat.json"


@dataclass(frozen=True)
class Input:
    """A file that a stage reads, and the stage of dvc.yaml that makes it."""

    file: str
    made_by: str

    def require(self) -> None:
        """Raise ValueError where the file is missing."""
        if not Path(self.file).is_file():
            raise ValueError(f"{self.file} is missing; make it with `dvc repro {self.made_by}`")


CORPUS = Input("data/raw/corpus/meta.json", "fetch@corpus")
TOKENIZER = Input("data/tokenizer/tokenizer.json", "tokenizer")
TOKENS_META = Input("data/tokens/meta.json", "tokenize")
BASE_MODEL = [Input(f"models/base/{name}", "pretrain") for name in ("provenance.json", "config.json", WEIGHTS)]
METRICS = [
    Input("metrics/data.json", "tokenize"),
    Input("metrics/pretrain.json", "pretrain"),
    Input("metrics/pretrain_run.json", "pretrain"),
    *(Input(f"metrics/{stage}.json", stage) for stage in ("evaluate", "classify", "instruct", "train_translator")),
]


def _tokenizer(config: "DictConfig") -> list[Input]:
    if config.tokenizer.kind == "weights":
        return [Input("data/raw/weights/tokenizer.json", "weights")]
    return [CORPUS] if config.tokenizer.kind in ("bpe", "char") else []


def _benchmarks(config: "DictConfig") -> list[Input]:
    return [
        Input(f"data/raw/benchmarks/{name}/meta.json", "fetch@benchmarks") for name in config.evaluate.benchmarks or {}
    ]


def _tuning(stage: str) -> Callable[["DictConfig"], list[Input]]:
    dataset = Input(f"data/raw/{stage}/meta.json", f"fetch@{stage}")
    return lambda config: [*BASE_MODEL, dataset, TOKENS_META, *_benchmarks(config)]


def _evaluate(config: "DictConfig") -> list[Input]:
    index = [Input("models/snapshots/index.json", "pretrain")] if config.evaluate.snapshots else []
    return [*BASE_MODEL, TOKENS_META, *_benchmarks(config), *index]


# what each stage reads; those that are not named read nothing that another stage makes
STAGES: dict[str, Callable[["DictConfig"], list[Input]]] = {
    "tokenizer": _tokenizer,
    "tokenize": lambda _: [CORPUS, TOKENIZER],
    "pretrain": lambda _: [TOKENIZER, TOKENS_META],
    "classify": _tuning("classify"),
    "instruct": _tuning("instruct"),
    "train_translator": lambda _: [Input("data/raw/train_translator/meta.json", "fetch@train_translator")],
    "evaluate": _evaluate,
    "report": lambda _: METRICS,
}
# the kinds of models that a command takes
MODELS = {
    "generate": ("base", "assistant"),
    "chat": ("assistant",),
    "predict": ("classifier",),
    "translate": ("translator",),
    "export": ("base", "assistant", "classifier"),
}


def check(command: str, config: "DictConfig") -> None:
    """Raise ValueError for the first input that is missing, of another kind, or made with other settings."""
    if command in STAGES:
        for file in STAGES[command](config):
            file.require()
    if command == "pretrain":
        made_with = read_json(TOKENS / "meta.json").get("made_with") or {}
        require(made_with, recipe(config), str(TOKENS), "run `dvc repro tokenize` first, or drop that setting")
        _require_start(str(config.pretrain.init_from))
    if command in ("classify", "instruct", "evaluate"):
        require_base(BASE, recipe(config))
    if command in MODELS:
        require_model(str(config[command].model), MODELS[command])


def require_model(name: str, kinds: tuple[str, ...]) -> None:
    """Refuse a folder that holds no model, or one of another kind than the command takes."""
    folder = Path(name).expanduser()
    stages = " or ".join(MADE_BY[kind] for kind in kinds)
    if not folder.is_dir():
        raise ValueError(f"found no model folder {name}; make one with `dvc repro {stages}`, or set model=…")
    for file in ("config.json", WEIGHTS):
        if not (folder / file).is_file():
            raise ValueError(f"{name} is not a model folder: {folder / file} is missing; set model=… to one")
    kind = kind_of(read_json(folder / "config.json"), {"files": [CHAT] if (folder / CHAT).is_file() else []})
    if kind not in kinds:
        use = KINDS[kind][2].partition(" ")[0]
        wanted = " or ".join(f"{'an' if one[0] in 'aeiou' else 'a'} {one} model" for one in kinds)
        raise ValueError(
            f"{name} holds {'an' if kind == 'assistant' else 'a'} {kind} model, and this command takes {wanted}; set "
            f"model=… (`dvc repro {stages}` makes one), or use `foundling {use}` with this one"
        )


def _require_start(init_from: str) -> None:
    """Refuse to begin from a folder that is not there."""
    if init_from != "scratch" and not Path(init_from).expanduser().is_dir():
        raise ValueError(
            f"pretrain.init_from={init_from}: there is no such folder; name a folder with a model, set "
            "pretrain.init_from=scratch, or fetch weights with `dvc repro weights`"
        )
