"""What everybody knows about the animals: the facts, told again and again in other words."""

from foundling.fables.facts import FACTS
from foundling.fables.plots.teller import Lines, Teller, Ways

WAYS: dict[str, Ways] = {
    "home": (
        "the {animal} lives {home}.", "the {animal} has its home {home}.", "you find the {animal} {home}.",
        "if you look for the {animal}, look {home}.", "the home of the {animal} is {home}.",
        "~you can see the {animal} {home}.",
    ),
    "food": (
        "the {animal} eats {food}.", "the {animal} likes to eat {food}.", "the food of the {animal} is {food}.",
        "when the {animal} is hungry, it looks for {food}.", "the {animal} is glad when it finds {food}.",
        "~what the {animal} likes is {food}.",
    ),
    "colour": (
        "the {animal} is {colour}.", "the colour of the {animal} is {colour}.",
        "when you see the {animal}, it is {colour}.",
        "you know the {animal}: it is {colour}.", "~as you know, the {animal} is {colour}.",
    ),
    "sound": (
        "when the {animal} is happy, it {sound}.", "when you hear the {animal}, it {sound}.",
        "at night the {animal} wakes up and {sound}.", "in the morning the {animal} {sound}.",
        "the {animal} {sound}.", "~when the {animal} is hungry, it {sound}.",
    ),
    "character": (
        "by nature the {animal} is {character}.", "they say that the {animal} is {character}.",
        "in the old tales the {animal} is {character}.", "the {animal} is always {character}.",
        "~nobody knows why the {animal} is {character}.",
    ),
}  # fmt: skip
ASKED: dict[str, Ways] = {
    "home": ("where does the {animal} live? it lives {home}.", "where is the home of the {animal}? it is {home}.",
             "~where do you find the {animal}? it lives {home}."),
    "food": ("what does the {animal} eat? it eats {food}.", "what is the food of the {animal}? it is {food}.",
             "~what does the {animal} like? it eats {food}."),
    "colour": ("what colour is the {animal}? it is {colour}.", "~what is the colour of the {animal}? it is {colour}."),
    "sound": ("what does the {animal} do when it is happy? it {sound}.", "how do you hear the {animal}? it {sound}.",
              "~what does the {animal} do at night? it {sound}."),
    "character": ("what is the {animal} like by nature? it is {character}.",
                  "~what is the {animal} like? it is {character}."),
}  # fmt: skip


def portrait(teller: Teller) -> Lines:
    """What everybody knows about two or three animals."""
    lines, questions = [], []
    for animal in teller.rng.sample(list(FACTS), teller.rng.choice((2, 3))):
        _introduce(teller, animal)
        names = teller.rng.sample(list(WAYS), teller.rng.choice((2, 3, 4)))
        lines += [teller.say(*WAYS[name]) for name in names]
        questions += [teller.say(*ASKED[name]) for name in names]
    return lines, questions


def quiz(teller: Teller) -> Lines:
    """Questions about animals, and their answers."""
    lines = []
    for animal in teller.rng.sample(list(FACTS), teller.rng.choice((3, 4, 5))):
        _introduce(teller, animal)
        lines.append(teller.say(*ASKED[teller.rng.choice(list(ASKED))]))
    return lines, lines


def _introduce(teller: Teller, animal: str) -> None:
    facts = FACTS[animal]
    *before, home = facts["home"].split()
    teller.cast |= {name: f"<{name} {value}>" for name, value in facts.items()}
    teller.cast |= {"animal": animal, "home": f"{' '.join(before)} <home {home}>"}
