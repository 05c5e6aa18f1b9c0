"""Load model folders for serving, each once: language models with an engine, classifiers and translators."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TypeAlias, TypeVar

import torch

from foundling.artifacts import sha256
from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig, TranslatorConfig
from foundling.model.interface import LanguageModel
from foundling.model.translator import Translator
from foundling.serving.engine import Engine
from foundling.serving.errors import ApiError, shown
from foundling.text.prompts import ChatTemplate
from foundling.text.tokenizer import Tokenizer
from foundling.weights import folder
from foundling.weights.card import folder_kind
from foundling.weights.chat import read_chat


@dataclass(frozen=True)
class ServedLanguageModel:
    """A language model, the engine that decodes its streams, and how a chat with it is written."""

    name: str
    kind: str  # base or assistant
    folder: Path  # never shown to clients
    model: LanguageModel
    tokenizer: Tokenizer
    engine: Engine
    template: ChatTemplate | None  # None: a base model, which cannot chat
    system: str | None  # the system message that the model was tuned with
    size: int  # of the file of weights, in bytes
    digest: str  # its sha256
    ends: frozenset[int]  # the tokens that end a response

    @property
    def context(self) -> int:
        """The number of tokens that a prompt and its response may have."""
        context: int = self.model.config.context
        return context


@dataclass(frozen=True)
class ServedClassifier:
    """A classifier."""

    name: str
    model: Classifier
    tokenizer: Tokenizer
    kind: str = "classifier"


@dataclass(frozen=True)
class ServedTranslator:
    """A translator."""

    name: str
    model: Translator
    tokenizer: Tokenizer
    kind: str = "translator"


Served: TypeAlias = ServedLanguageModel | ServedClassifier | ServedTranslator
Kind = TypeVar("Kind", ServedLanguageModel, ServedClassifier, ServedTranslator)


@dataclass(frozen=True)
class Models:
    """The served models by name, in the order in which they were given."""

    by_name: dict[str, Served]
    created: int = field(default_factory=lambda: int(time.time()))

    def __iter__(self) -> Iterator[Served]:
        yield from self.by_name.values()

    def of_kind(self, kind: type[Kind]) -> list[Kind]:
        """The models of one kind."""
        return [model for model in self if isinstance(model, kind)]

    def find(self, kind: type[Kind], name: str | None) -> Kind:
        """The model of this name, or without one the first of its kind; ApiError 404 if there is none."""
        known = {model.name: model for model in self.of_kind(kind)}
        chosen = next(iter(known), None) if name is None else name
        if chosen is not None and chosen in known:
            return known[chosen]
        raise unknown_model(chosen or "", known)

    def drain(self) -> None:
        """Let all engines refuse new streams; returns at once."""
        for model in self.of_kind(ServedLanguageModel):
            model.engine.drain(0)

    def close(self) -> None:
        """Stop all engines."""
        for model in self.of_kind(ServedLanguageModel):
            model.engine.close()


def unknown_model(name: str, known: Iterable[str]) -> ApiError:
    """The error of a request for a model that is not among the known ones."""
    names = ", ".join(known)
    choices = f"choose one of {names}" if names else "no such model is served"
    return ApiError(
        f"the model {shown(name)!r} does not exist here; {choices}",
        HTTPStatus.NOT_FOUND,
        param="model",
        code="model_not_found",
    )


def load_models(
    folders: Sequence[str],
    device: torch.device,
    *,
    dtype: torch.dtype = torch.float32,
    rows: int,
    queue: int,
    prefix_tokens: int = 0,
) -> Models:
    """Load model folders; their last names are the models' names, so these must differ.

    Each language model's engine decodes up to `rows` streams at a time; up to `queue` more wait. It
    keeps the states of `prefix_tokens` tokens for prompts that begin alike.
    """
    make_engine = partial(Engine, rows=rows, queue=queue, prefix_cache_tokens=prefix_tokens)
    by_name: dict[str, Served] = {}
    for given in folders:
        path = Path(given).expanduser()
        name = path.resolve().name
        if name in by_name:
            raise ValueError(
                f"serve.models: two folders are named {name}, and a model has its folder's name; rename one"
            )
        by_name[name] = _load(path, name, device, dtype, make_engine)
    return Models(by_name)


def _load(
    path: Path, name: str, device: torch.device, dtype: torch.dtype, make_engine: Callable[..., Engine]
) -> Served:
    kind = folder_kind(path)
    if kind == "classifier":
        classifier, tokenizer = folder.load_as(path, Classifier, ClassifierConfig, dtype)
        return ServedClassifier(name, classifier.to(device), tokenizer)
    if kind == "translator":
        translator, tokenizer = folder.load_as(path, Translator, TranslatorConfig, dtype)
        return ServedTranslator(name, translator.to(device), tokenizer)
    model, tokenizer = folder.load(path, dtype)
    template, system = read_chat(path, tokenizer) if kind == "assistant" else (None, None)
    engine = make_engine(model.to(device))
    ends = tokenizer.ends if template is None else template.ends(tokenizer)
    weights = path / folder.WEIGHTS
    return ServedLanguageModel(
        name=name,
        kind=kind,
        folder=path,
        model=model,
        tokenizer=tokenizer,
        engine=engine,
        template=template,
        system=system,
        ends=ends,
        size=weights.stat().st_size,
        digest=sha256(weights),
    )
