"""What surrounds a text that is classified: end-of-text tokens and the words of a template."""

from foundling.settings.types import TEXT
from foundling.text.tokenizer import Tokenizer


def surrounding(tokenizer: Tokenizer, template: str) -> tuple[list[int], list[int]]:
    """The ids before and after a text: an end-of-text token, as in pretraining, and the template's words."""
    end = tokenizer.end_of_text
    before, after = template.split(TEXT)
    return [end, *tokenizer.encode(before)], [*tokenizer.encode(after), end]
