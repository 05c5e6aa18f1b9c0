"""Facts about the animals, and patterns of questions about them."""

from typing import NamedTuple

from foundling.fables.tables import document, patterns, records


class Attribute(NamedTuple):
    """How to ask about an attribute, how to answer, and how to ask who shares a value ("": never asked)."""

    questions: tuple[str, ...]
    answer: str
    which: str


ATTRIBUTES = {
    name: Attribute(patterns(node["questions"]), node["answer"], node.get("which", ""))
    for name, node in document("attributes").items()
}
# animal -> attribute -> value
FACTS = {row["animal"]: {name: row[name] for name in ATTRIBUTES} for row in records("animals")}
