"""POST /classify and /translate: the spam filter and the translator for programs."""

from dataclasses import replace
from typing import Annotated, Any

from annotated_types import Ge, Le, MinLen
from fastapi import APIRouter, Depends

from foundling.data.encoded_texts import encode
from foundling.evaluation.classification import probabilities
from foundling.generation.beam import translate
from foundling.serving.bodies import Strict, body
from foundling.serving.errors import ApiError
from foundling.serving.loading import ServedClassifier, ServedTranslator
from foundling.serving.prompts import check_texts
from foundling.serving.state import StateOf

router = APIRouter()


class TaskRequest(Strict):
    """One or several texts."""

    input: str | Annotated[list[str], MinLen(1)]
    model: str | None = None

    @property
    def texts(self) -> list[str]:
        """The texts as a list."""
        return [self.input] if isinstance(self.input, str) else self.input


class TranslateRequest(TaskRequest):
    """POST /translate; 1 beam is greedy decoding."""

    beam: Annotated[int, Ge(1), Le(16)] | None = None


@router.post("/classify")
async def classify(
    state: StateOf, asked: Annotated[TaskRequest, Depends(body(TaskRequest))]
) -> dict[str, Any]:
    """The most probable label of each text, and the probabilities of all labels."""
    classifier = state.models.find(ServedClassifier, asked.model)
    texts = asked.texts
    check_texts(len(texts), state.limits)
    if not all(text.strip() for text in texts):
        raise ApiError("input: a text is empty; leave it out", param="input")
    results = await state.compute.run(_classify, classifier, texts, state.settings.batch_tokens)
    return {"model": classifier.name, "results": results}


def _classify(classifier: ServedClassifier, texts: list[str], batch_tokens: int) -> list[dict[str, Any]]:
    config = classifier.model.config
    rows, _ = encode(classifier.tokenizer, texts, config.trunk.context, config.keep, config.template)
    results = []
    for row in probabilities(classifier.model, rows, batch_tokens).tolist():
        label = config.labels[row.index(max(row))]
        results.append({"label": label, "probabilities": dict(zip(config.labels, row, strict=True))})
    return results


@router.post("/translate")
async def translate_texts(
    state: StateOf, asked: Annotated[TranslateRequest, Depends(body(TranslateRequest))]
) -> dict[str, Any]:
    """A translation of each text; that of a blank text is empty."""
    translator = state.models.find(ServedTranslator, asked.model)
    texts = asked.texts
    check_texts(len(texts), state.limits)
    search = replace(state.settings.translate, beam=asked.beam or state.settings.translate.beam)
    translations, _ = await state.compute.run(
        translate, translator.model, translator.tokenizer, texts, search
    )
    return {"model": translator.name, "translations": translations}
