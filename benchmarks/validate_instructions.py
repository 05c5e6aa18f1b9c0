"""How well a chat model answers generated tasks of the validation split, by kind.

python benchmarks/validate_instructions.py models/chat. The test split is not read, so that recipes can be
chosen by this. A third of the phrasings do not occur in training.
"""

import argparse
from collections import defaultdict
from pathlib import Path
from statistics import mean

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from foundling.data.conversations import Example
from foundling.evaluation.answers import answer_examples
from foundling.fables.instructions import instructions
from foundling.settings.training import InstructTest
from foundling.text.prompts import ASSISTANT, USER, Message, user_text
from foundling.weights import folder
from foundling.weights.chat import read_chat

SEED = 7  # not that of a stage's validation split
SHARES = {"conversation": 3.0}  # of the kinds; conversation has eleven topics
CONVERSATION = "conversation/"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--count", type=int, default=1000, help="tasks")
    asked = parser.parse_args()
    model, tokenizer = folder.load(asked.model)
    template, _ = read_chat(asked.model, tokenizer)
    settings = InstructTest(limit=None, max_new_tokens=60, batch_size=64, checks="fables")
    examples = [example(record) for record in instructions(SEED, asked.count, "validation", SHARES)]
    right = defaultdict(list)
    for answer in answer_examples(model.eval(), tokenizer, template, examples, settings):
        right[answer.kind or ""].append(answer.right)
    shown = Table("kind", "n", "right, in %", box=SIMPLE)
    for kind, outcomes in sorted(right.items()):
        shown.add_row(kind, str(len(outcomes)), f"{100 * mean(outcomes):.1f}")
    tasks = mean(mean(outcomes) for kind, outcomes in right.items() if not kind.startswith(CONVERSATION))
    turns = [one for kind, outcomes in right.items() if kind.startswith(CONVERSATION) for one in outcomes]
    shown.add_section()
    shown.add_row("tasks, mean of kinds", "", f"{100 * tasks:.1f}")
    shown.add_row("conversation", str(len(turns)), f"{100 * mean(turns):.1f}")
    Console().print(shown)


def example(record: dict) -> Example:
    """The conversation of a generated record."""
    earlier = [
        Message(role, text)
        for turn in record.get("history", [])
        for role, text in zip((USER, ASSISTANT), turn, strict=True)
    ]
    prompt = Message(USER, user_text("phi3", record["instruction"], record["input"]))
    messages = (*earlier, prompt, Message(ASSISTANT, record["output"]))
    return Example(messages, record["kind"], record, "validation")


if __name__ == "__main__":
    main()
