"""Let a model answer prompts as later turns of a conversation, after its own earlier answers."""

from collections.abc import Sequence
from dataclasses import replace

from foundling.data.conversations import Example
from foundling.evaluation.answers import Answer, answer_examples
from foundling.model.interface import LanguageModel
from foundling.settings.training import InstructTest
from foundling.text.prompts import ASSISTANT, SYSTEM, ChatTemplate, Message, render_prompt
from foundling.text.tokenizer import Tokenizer

Turn = tuple[Message, ...]  # a prompt and the model's answer


def answer_in_turns(
    model: LanguageModel,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    examples: Sequence[Example],
    first: Sequence[Answer],
    settings: InstructTest,
    turns: int,
) -> list[list[Answer]]:
    """The answers to all examples as the first, second, … turn of conversations of `turns` turns.

    Each example opens a conversation, which continues with the examples after it; `first` are the answers
    to it alone. As in a chat, the oldest turns are left out if they leave too little of the context.
    """
    context = model.config.context
    longest = context - max(1, min(settings.max_new_tokens, context // 2))
    histories: list[list[Turn]] = [[] for _ in examples]
    answers = [list(first)]
    for number in range(1, turns):
        previous = [examples[(start + number - 1) % len(examples)] for start in range(len(examples))]
        for history, example, answer in zip(histories, previous, answers[-1], strict=True):
            asked = (message for message in example.prompt if message.role != SYSTEM)
            history.append((*asked, Message(ASSISTANT, answer.answer)))
        later = []
        for start, history in enumerate(histories):
            example = examples[(start + number) % len(examples)]
            later.append(_after(history, example, longest, template, tokenizer))
        answers.append(answer_examples(model, tokenizer, template, later, settings))
    return answers


def _after(
    history: Sequence[Turn], example: Example, longest: int, template: ChatTemplate, tokenizer: Tokenizer
) -> Example:
    """The example after as many of the latest turns as fit into a prompt of `longest` tokens."""
    system = [message for message in example.messages if message.role == SYSTEM]
    own = [message for message in example.messages if message.role != SYSTEM]
    for dropped in range(len(history) + 1):
        earlier = [message for turn in history[dropped:] for message in turn]
        joined = replace(example, messages=(*system, *earlier, *own))
        if len(render_prompt(joined.prompt, template, tokenizer)) <= longest:
            break
    return joined
