"""What happens in a tale. A plot takes a Teller and gives sentences and questions, both with marked words.

In a pattern {x} is somebody, {xo} their thing, {xp} the place of it, {xf} how they feel; {xhe}, {xhim}, {xhis} are
pronouns. A ? marks the word: a reader of all that stands before it knows it.
"""

from collections.abc import Callable
from random import Random

from foundling.fables.facts import FACTS
from foundling.fables.phrasing import say

Lines = tuple[list[str], list[str]]
UNSEEN = 3  # outside training one asking in so many has a phrasing that training never shows

WORDS = {
    "day": ["one day", "one morning", "one evening", "in spring", "in summer", "in autumn", "in winter", "on Sunday",
            "on a (cold|warm|wet|sunny|windy) (day|morning|evening)", "long ago", "last week"],
    "later": ["later", "in the evening", "at night", "the next day", "after a while", "then", "soon"],
    "deep": ["very", "so", "quite"],
}  # fmt: skip


class Teller:
    """Says patterns about the beings a, b and c of a cast."""

    def __init__(self, rng: Random, cast: dict[str, str], unseen: bool) -> None:
        self.rng, self.cast, self.unseen = rng, cast, unseen

    def say(self, patterns: list[str], **others: str) -> str:
        """One of the patterns; `others` says which being of the cast each letter of it is, as x="b"."""
        bound = dict(self.cast)
        for letter, being in others.items():
            bound |= {letter + slot[1:]: value for slot, value in self.cast.items() if slot[0] == being}
        return say(self.rng.choice(patterns), self.rng, WORDS, bound)

    def ask(self, patterns: tuple[list[str], list[str]], **others: str) -> str:
        """One of the seen patterns; outside training now and then an unseen one."""
        seen, unseen = patterns
        return self.say(unseen if self.unseen and unseen and self.rng.randrange(UNSEEN) == 0 else seen, **others)

    def order(self) -> list[str]:
        """The beings in random order."""
        return self.rng.sample("abc", 3)


PUT = ["{x} (hid|put|left|kept) the {xo} {xp}.", "{x} (put|left|dropped) {xhis} {xo} {xp}."]
FIND = (
    ["{x} (looked for|wanted|needed|asked for) the {xo}. it was [still ]{xp?}.", "{x} found the {xo} {xp?}.",
     "the {xo} was [still ]{xp?}.", "{x} came back for the {xo} {xp?}."],
    ["in the end {x} saw the {xo} {xp?}.", "{x} knew that the {xo} was {xp?}."],
)  # fmt: skip
OWNER = (
    ["the {xo} belonged to {x?}.", "the {xo} was found by {x?}.", "{x?} took the {xo} home."],
    ["{x?} was the owner of the {xo}."],
)
WHERE = (
    ["where was the {xo}? it was {xp?}.", "where is the {xo}? it is {xp?}."],
    ["where did {x} find the {xo}? it was {xp?}."],
)
WHOSE = (
    ["who had the {xo}? it was {x?}.", "whose {xo} was it? it belonged to {x?}."],
    ["who owned the {xo}? it was {x?}."],
)


def hiding(teller: Teller) -> Lines:
    """Three things in three places, looked for in another order."""
    some = teller.order()[: teller.rng.choice((1, 2, 3, 3, 3))]
    lines = [teller.say(["{day} {a}, {b} and {c} were playing.", "{day} {a} met {b} and {c}."])]
    lines += [teller.say(PUT, x=one) for one in some]
    lines.append(teller.say(["{later} they came back.", "{later} it began to rain.", "{later} they went home."]))
    lines += [teller.ask(teller.rng.choice((FIND, FIND, OWNER)), x=one) for one in teller.order() if one in some]
    return lines, [teller.ask(kind, x=one) for one in some for kind in (WHERE, WHOSE)]


FEEL = ["{x} was [very ]{xf}.", "{x} felt [very ]{xf}."]
STILL = (
    ["{x} was still {xf?}.", '"i am {deep} {xf?}," said {x}.', "everybody saw that {x} was {xf?}."],
    ["nobody asked why {x} was {xf?}."],
)
FEELER = (["the one who was {xf} was {x?}."], ["{xf} was only {x?}."])
HOW = (
    ["how did {x} feel? {xhe} was {xf?}.", "how was {x}? {xhe} felt {xf?}."],
    ["what did {x} feel? {xhe} was {xf?}."],
)


def moods(teller: Teller) -> Lines:
    """Three beings who feel differently."""
    some = teller.order()[: teller.rng.choice((1, 2, 3, 3, 3))]
    lines = [teller.say(["{day} {a}, {b} and {c} were together.", "{day} {a} met {b} and {c}."])]
    lines += [teller.say(FEEL, x=one) for one in some]
    lines += [teller.ask(teller.rng.choice((STILL, STILL, FEELER)), x=one) for one in teller.order() if one in some]
    return lines, [teller.ask(HOW, x=one) for one in some]


NEEDS = {
    "hungry": ["{x} had not eaten since the morning.", "{x} had no food at home."],
    "thirsty": ["{x} had run in the hot sun.", "{x} had eaten salt."],
    "tired": ["{x} had not slept all night.", "{x} had worked without a rest."],
    "cold": ["{x} stood in the snow without a coat.", "{x} slept in the icy wind."],
    "wet": ["{x} fell into the water.", "{x} stood in the rain."],
    "dirty": ["{x} fell into the mud.", "{x} had worked in the black earth."],
}
NEED = (["so {x} was {deep} {need}.", "soon {x} was {need}."], ["now {x} felt {need}."])
MOODS = {
    "happy": ["{x} found the {xo} again.", "a friend gave {x} {xan}."],
    "sad": ["{x} lost the {xo} for ever.", "{x}'s best friend went away."],
    "angry": ["somebody took {x}'s {xo} and laughed.", "somebody lied to {x}."],
    "afraid": ["{x} heard a strange noise in the dark.", "{x} saw two red eyes in the night."],
}
TROUBLE = (["what was wrong with {x}? {xhe} was {need}."], ["why did {x} need help? {xhe} was {need}."])
AFTER = (["how did {x} feel? {xhe} was {mood}."], ["what did {x} feel? {xhe} was {mood}."])
MOOD = (["{x} felt {mood}.", "that is why {x} was {mood}."], ["{x} could only feel {mood}."])


def troubles(teller: Teller) -> Lines:
    """What happens to somebody, and what comes of it."""
    first, second, _ = teller.order()
    need, mood = teller.rng.choice(list(NEEDS)), teller.rng.choice(list(MOODS))
    teller.cast |= {"need": f"<need {need}>", "mood": f"<mood {mood}>"}
    parts = [
        [teller.say(NEEDS[need], x=first), teller.ask(NEED, x=first)],
        [teller.say(MOODS[mood], x=second), teller.ask(MOOD, x=second)],
    ]
    teller.rng.shuffle(parts)
    lines = [teller.say(["{day} {x} met {y}."], x=first, y=second), *parts[0], *parts[1]]
    asked = [teller.ask(TROUBLE, x=first), teller.ask(AFTER, x=second)]
    return lines, asked


FACT_LINES = {
    "home": (["{it} lives {home}.", "{it} has its home {home}."], ["you can meet {it} {home}."]),
    "food": (["{it} eats {food}.", "{it} likes to eat {food}."], ["the food of {it} is {food}."]),
    "colour": (["{it} is {colour}.", "the colour of {it} is {colour}."], ["everybody knows that {it} is {colour}."]),
    "sound": (["{it} {sound}.", "when it is happy, {it} {sound}."], ["at night {it} {sound}."]),
    "character": (["by nature {it} is {character}.", "people say that {it} is {character}."],
                  ["{it} is known to be {character}."]),
}  # fmt: skip


def portrait(teller: Teller) -> Lines:
    """What everybody knows about two animals."""
    lines = []
    for animal in teller.rng.sample(list(FACTS), 2):
        facts = FACTS[animal]
        marked = {name: f"<{name} {value}>" for name, value in facts.items()}
        relation, the, home = facts["home"].split(" ")
        teller.cast |= marked | {"home": f"{relation} {the} <home {home}>", "it": f"the {animal}"}
        lines += [teller.ask(FACT_LINES[name]) for name in teller.rng.sample(list(FACT_LINES), 4)]
    return lines, []


PLOTS: dict[str, Callable[[Teller], Lines]] = {
    "hiding": hiding,
    "moods": moods,
    "troubles": troubles,
    "portrait": portrait,
}
WEIGHTS = (4, 2, 3, 2)
KINDS = {"facts": ["portrait"], "mention": ["hiding", "moods"], "binding": ["hiding", "moods"], "cause": ["troubles"],
         "sentiment": ["troubles"]}  # fmt: skip
