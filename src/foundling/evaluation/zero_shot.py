"""Zero-shot classification: which label does the base model consider a likely continuation of the text?"""

from collections.abc import Sequence

import numpy as np

from foundling.evaluation.classification import Predictions
from foundling.evaluation.likelihood import log_likelihoods
from foundling.evaluation.multiple_choice import continuation
from foundling.model.interface import LanguageModel
from foundling.text.tokenizer import Tokenizer


def zero_shot(
    model: LanguageModel,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    indices: Sequence[int],
    labels: Sequence[str],
    *,
    template: str,
    batch_tokens: int,
) -> Predictions:
    """Classify the texts at `indices` as the label whose log-likelihood the text increases most.

    That label maximizes log p(label | text) - log p(label | no text). Without the second term a model prefers
    the most common word, whatever the text (Holtzman et al. 2021, PMI-DC). `template` turns a text into a
    prompt; underscores in labels become spaces.
    """
    words = [label.replace("_", " ") for label in labels]
    prompts = [template.format(text=text) for text in ["", *(texts[i] for i in indices)]]
    requests = [continuation(tokenizer, prompt, word) for prompt in prompts for word in words]
    # (1 + N, K)
    values = np.array(log_likelihoods(model, requests, batch_tokens).values).reshape(-1, len(words))
    gains = values[1:] - values[0]  # (N, K)
    scores = gains[:, 1] - gains[:, 0] if len(words) == 2 else None
    return Predictions(gains.argmax(-1), scores, np.array(indices))
