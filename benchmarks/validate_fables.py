"""How well a base model answers the generated benchmark's validation split, by kind.

python benchmarks/validate_fables.py models/base. Its combinations and phrasings are not those of the test
split, so that a corpus and a recipe can be chosen by this.
"""

import argparse
from itertools import chain
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from foundling.evaluation.multiple_choice import MultipleChoice, read_question
from foundling.fables.benchmark import continuations, questions
from foundling.fables.sentence_choices import sentence_choices
from foundling.settings.datasets import QuestionFields
from foundling.weights import folder

SEED, SPLIT = 1, "validation"
FIELDS = QuestionFields(query="query", choices="choices", gold="gold")
FORMS = {
    "continuations": lambda: chain(continuations(SEED, 1200, SPLIT), sentence_choices(SEED, 480, SPLIT)),
    "questions": lambda: questions(SEED, 1200, SPLIT),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    model, tokenizer = folder.load(parser.parse_args().model)
    shown = Table("kind", *FORMS, box=SIMPLE)
    columns = []
    for records in FORMS.values():
        asked = [read_question(record, FIELDS) for record in records()]
        benchmark = MultipleChoice(asked, template="{query}", normalized=False)
        columns.append(benchmark.score(model, tokenizer, batch_tokens=8192, seed=SEED).scores.kinds)
    for kind in columns[0]:
        cells = [f"{100 * kinds[kind].accuracy:.1f}" if kind in kinds else "" for kinds in columns]
        shown.add_row(kind, *cells)
    Console().print(shown)


if __name__ == "__main__":
    main()
