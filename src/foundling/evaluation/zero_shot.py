"""A base model's own answer, before any tuning: which label would it write behind the text?"""

from collections.abc import Sequence

import numpy as np

from foundling.evaluation.classification import Answers
from foundling.evaluation.likelihood import LanguageModel, log_likelihoods
from foundling.evaluation.multiple_choice import continuation
from foundling.text.tokenizer import Tokenizer


def zero_shot(
    model: LanguageModel,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    places: Sequence[int],
    labels: Sequence[str],
    *,
    template: str,
    batch_tokens: int,
) -> Answers:
    """Ask about the texts of these places: the label whose log-likelihood a text raises most is the answer.

    That is the largest log p(label | text) - log p(label | no text); without the second term a model picks the label
    that is the commonest word, whatever it reads (Holtzman et al. 2021, PMI-DC). `template` puts a text into words,
    underscores in labels are read as spaces.
    """
    words = [label.replace("_", " ") for label in labels]
    asked = ["", *(texts[i] for i in places)]
    requests = [continuation(tokenizer, template.format(text=text), word) for text in asked for word in words]
    values = np.array(log_likelihoods(model, requests, batch_tokens).values).reshape(-1, len(words))  # (1 + N, K)
    gains = values[1:] - values[0]  # (N, K)
    return Answers(gains.argmax(-1), gains[:, 1] - gains[:, 0] if len(words) == 2 else None, np.array(places))
