"""Portraits and quizzes: facts about the animals, repeated in other words."""

from foundling.fables.facts import FACTS
from foundling.fables.plots.teller import Lines, Teller
from foundling.fables.tables import document, pattern_groups

# attribute -> ways to state it, and to ask about it
STATEMENTS = pattern_groups(document("plots")["statements"])
QUESTIONS = pattern_groups(document("plots")["questions"])


def portrait(teller: Teller) -> Lines:
    """State facts about two or three animals."""
    lines, questions = [], []
    for animal in teller.rng.sample(list(FACTS), teller.rng.choice((2, 3))):
        _introduce(teller, animal)
        attributes = teller.rng.sample(list(STATEMENTS), teller.rng.choice((2, 3, 4)))
        lines += [teller.say(STATEMENTS[attribute]) for attribute in attributes]
        questions += [teller.say(QUESTIONS[attribute]) for attribute in attributes]
    return lines, questions


def quiz(teller: Teller) -> Lines:
    """Ask questions about animals, and answer them."""
    lines = []
    for animal in teller.rng.sample(list(FACTS), teller.rng.choice((3, 4, 5))):
        _introduce(teller, animal)
        lines.append(teller.say(QUESTIONS[teller.rng.choice(list(QUESTIONS))]))
    return lines, lines


def _introduce(teller: Teller, animal: str) -> None:
    """Bind the slots of the animal and its attributes."""
    facts = FACTS[animal]
    *before, home = facts["home"].split()
    teller.cast |= {attribute: f"<{attribute} {value}>" for attribute, value in facts.items()}
    teller.cast |= {"animal": animal, "home": f"{' '.join(before)} <home {home}>"}
