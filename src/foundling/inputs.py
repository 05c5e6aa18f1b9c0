"""Check the files that a stage or command reads before importing its module: torch takes seconds to import.

Imports neither torch nor lightning. The contents of files are validated where they are read.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foundling.artifacts import read_json, sha256
from foundling.data.lineage import require, require_base
from foundling.data.pretrained import weights_at
from foundling.data.window import require_window
from foundling.repro_command import repro_command
from foundling.settings import Job, Settings
from foundling.settings.models import GPTSettings
from foundling.weights.card import KINDS, folder_kind

BASE, TOKENS = Path("models/base"), Path("data/tokens")
MADE_BY = {
    "base": "pretrain",
    "assistant": "instruct",
    "classifier": "classify",
    "translator": "train_translator",
}
SERVED = ("models/chat", "models/base", "models/classifier", "models/translator")
WEIGHTS = "model.safetensors"
CORPUS = {"data/raw/corpus/meta.json": "fetch@corpus"}
TOKENIZER = {"data/tokenizer/tokenizer.json": "train_tokenizer"}
TOKENS_META = {"data/tokens/meta.json": "tokenize"}
BASE_MODEL = {f"models/base/{name}": "pretrain" for name in ("provenance.json", "config.json", WEIGHTS)}
METRICS = {
    "metrics/data.json": "tokenize",
    "metrics/pretrain.json": "pretrain",
    "metrics/pretrain_run.json": "pretrain",
    **{f"metrics/{stage}.json": stage for stage in ("evaluate", "classify", "instruct", "train_translator")},
}
# the kinds of models that each command supports
MODELS = {
    "generate": ("base", "assistant"),
    "chat": ("assistant",),
    "predict": ("classifier",),
    "translate": ("translator",),
    "export": ("base", "assistant", "classifier", "translator"),
}


def files_of(stage: str, settings: Settings) -> dict[str, str]:
    """The files that a stage reads and other stages of dvc.yaml write: {path: name of that stage}."""
    benchmarks = {
        f"data/raw/benchmarks/{name}/meta.json": "fetch@benchmarks" for name in settings.evaluate.benchmarks
    }
    if stage == "train_tokenizer":
        weights = {"data/raw/weights/settings.json": "weights"}
        return {"weights": weights, "bpe": CORPUS, "char": CORPUS}.get(settings.tokenizer.kind, {})
    if stage == "tokenize":
        return CORPUS | TOKENIZER
    if stage == "pretrain":
        return TOKENIZER | TOKENS_META
    if stage in ("classify", "instruct"):
        return BASE_MODEL | {f"data/raw/{stage}/meta.json": f"fetch@{stage}"} | TOKENS_META | benchmarks
    if stage == "train_translator":
        return {"data/raw/train_translator/meta.json": "fetch@train_translator"}
    if stage == "evaluate":
        snapshots = {"models/snapshots/index.json": "pretrain"} if settings.evaluate.snapshots else {}
        return BASE_MODEL | TOKENS_META | benchmarks | snapshots
    return METRICS if stage == "report" and not settings.report.runs else {}


def hashes(stage: str, settings: Settings) -> dict[str, str]:
    """The sha256 of each file that a training reads; weights count by their provenance.json."""
    files = [file for file in files_of(stage, settings) if Path(file).name != WEIGHTS]
    if stage == "pretrain" and settings.pretrain.init_from != "scratch":
        files.append(settings.pretrain.init_from)
    return {file: sha256(Path(file).expanduser()) for file in files}


def check(command: str, job: Job, arguments: Sequence[str] = (), swept: Sequence[str] = ()) -> None:
    """Raise ValueError for the first input that is missing, of the wrong kind, or of other settings.

    `arguments` are those of the command line, and `swept` the keys that have several values there: the error
    names the command that makes the input with these settings.
    """
    for file, stage in files_of(command, job.settings).items():
        if not Path(file).is_file():
            # with all of them at once, if several are missing
            last = "tokenize" if command == "pretrain" else stage
            raise ValueError(f"{file} is missing; make it with `{repro_command(last, arguments, swept)}`")
    if command == "pretrain":
        meta = read_json(TOKENS / "meta.json")
        made_with = meta.get("made_with") or {}
        make = repro_command("tokenize", arguments, swept)
        require(made_with, job.recipe, str(TOKENS), f"run `{make}` first, or drop that setting")
        _require_start(job.settings.pretrain.init_from)
        _require_text(meta, job.settings)
    if command in ("classify", "instruct", "evaluate"):
        require_base(BASE, job.recipe, repro_command("pretrain", arguments, swept))
    if command == "import_model":
        _require_weights(job.settings)
    if command in MODELS:
        require_model(getattr(job.settings, command).model, MODELS[command])
    if command == "serve":
        for name in served_models(job.settings.serve.models):
            require_model(name, tuple(KINDS))


def served_models(models: Sequence[str] | None) -> tuple[str, ...]:
    """The model folders to serve: those given, or the default ones that exist; ValueError without any."""
    found = tuple(name for name in SERVED if (Path(name) / "config.json").is_file())
    chosen = found if models is None else tuple(models)
    if not chosen:
        raise ValueError(
            "no model to serve; make the default ones with `dvc repro`, or set serve.models=[FOLDER,…]"
        )
    return chosen


def require_model(name: str, kinds: tuple[str, ...]) -> None:
    """Raise ValueError unless a folder has a model of one of these kinds."""
    folder = Path(name).expanduser()
    stages = " or ".join(MADE_BY[kind] for kind in kinds)
    if not folder.is_dir():
        raise ValueError(f"no model folder {name}; make one with `dvc repro {stages}`, or set model=…")
    for file in ("config.json", WEIGHTS):
        if not (folder / file).is_file():
            raise ValueError(f"{name} is not a model folder: {folder / file} is missing; set model=… to one")
    kind = folder_kind(folder)
    if kind not in kinds:
        use = KINDS[kind][2].partition(" ")[0]
        wanted = " or ".join(f"{'an' if one[0] in 'aeiou' else 'a'} {one} model" for one in kinds)
        raise ValueError(
            f"{name} is {'an' if kind == 'assistant' else 'a'} {kind} model, but this command needs "
            f"{wanted}; set model=… (`dvc repro {stages}` makes one), or use `foundling {use}` with this one"
        )


def _require_weights(settings: Settings) -> None:
    """Refuse to import what is not there."""
    weights, source = settings.weights, settings.import_model.source
    if source:
        weights_at(source, None, None)
    elif not (weights.files or weights.hub or weights.path):
        raise ValueError(
            "nothing to import; name a file, folder or id, as `foundling import_model model.gguf`, or a "
            "choice of conf/weights, as experiment=smollm2"
        )


def _require_text(meta: dict[str, Any], settings: Settings) -> None:
    """Raise ValueError if a source has too few tokens for a window of the model's context."""
    if isinstance(settings.model, GPTSettings) and settings.pretrain.init_from == "scratch":
        for shard in meta["shards"]:
            if shard["split"] == "train":
                require_window(shard["source"], shard["tokens"], settings.model.context)


def _require_start(init_from: str) -> None:
    """Raise ValueError if the folder or GGUF file of the initial weights does not exist."""
    path = Path(init_from).expanduser()
    if init_from != "scratch" and not (path.is_dir() or (path.is_file() and path.suffix == ".gguf")):
        raise ValueError(
            f"pretrain.init_from={init_from}: must be a folder with a model, or a GGUF file; set "
            "pretrain.init_from=scratch, or fetch weights with `dvc repro weights`"
        )
