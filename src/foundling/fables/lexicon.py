"""All words of the fables: nouns, adjectives and verbs in three languages, the word lists of stories and
scenes, and groups and pairs of related words.

The tables contain only what rules cannot derive, such as German genders and French participles; english.py,
german.py and french.py derive the rest.
"""

from dataclasses import dataclass

from foundling.fables.facts import ATTRIBUTES, FACTS
from foundling.fables.tables import document, records

Row = dict[str, str]


@dataclass(frozen=True)
class Noun:
    """A noun in three languages, each with its singular and plural."""

    english: tuple[str, str]
    german: tuple[str, str]
    german_gender: str  # m, f, n
    weak: bool  # takes its plural's form in all German cases but the nominative: der Löwe, den Löwen
    french: tuple[str, str]
    french_gender: str  # m, f
    aspirated: bool  # its French h prevents elision: le hibou


@dataclass(frozen=True)
class Place:
    """A noun with the prepositions that say where: in the forest, by the lake, on the hill."""

    noun: Noun
    english: str
    german: str
    french: str


@dataclass(frozen=True)
class Adjective:
    """An adjective; English and German also have its comparative, which is "" for colours."""

    english: tuple[str, str]
    german: tuple[str, str]
    french: tuple[str, str, str]  # masculine, feminine, masculine before a vowel
    before: bool  # whether it precedes the French noun


@dataclass(frozen=True)
class Verb:
    """A verb's forms; German and French have singular and plural ones."""

    english: tuple[str, str, str]  # base, third person, past
    german: tuple[str, str, str, str]  # present, present plural, past, past plural
    french: tuple[str, str]
    participle: str  # "" if the French past is the imperfect
    with_etre: bool
    imperfect: tuple[str, str]
    dative: bool  # whether its German object is in the dative


@dataclass(frozen=True)
class Opener:
    """An adverbial that opens a sentence."""

    english: str
    german: str
    french: str


def _noun(row: Row) -> Noun:
    return Noun(
        english=(row["english"], row["english plural"]),
        german=(row["german"], row["german plural"]),
        german_gender=row["german gender"],
        weak=row["weak"] == "yes",
        french=(row["french"], row["french plural"]),
        french_gender=row["french gender"],
        aspirated=row["aspirated"] == "yes",
    )


def _place(row: Row) -> Place:
    return Place(_noun(row), row["in english"], row["in german"], row["in french"])


def _adjective(row: Row) -> Adjective:
    return Adjective(
        english=(row["english"], row["english comparative"]),
        german=(row["german"], row["german comparative"]),
        french=(row["french masculine"], row["french feminine"], row["french before vowel"]),
        before=row["french position"] == "before",
    )


def _verb(row: Row) -> Verb:
    return Verb(
        english=(row["base"], row["third person"], row["past"]),
        german=(row["german"], row["german plural"], row["german past"], row["german past plural"]),
        french=(row["french"], row["french plural"]),
        participle=row["participle"],
        with_etre=row["auxiliary"] == "être",
        imperfect=(row["imperfect"], row["imperfect plural"]),
        dative=row["dative"] == "yes",
    )


def _group(table: str, name: str) -> list[Row]:
    return [row for row in records(table) if row["group"] == name]


def _verbs(group: str) -> list[Verb]:
    return [_verb(row) for row in _group("verbs", group)]


# --- words in three languages ---------------------------------------------------------------------

ANIMAL_NOUNS, PERSON_NOUNS, CHILD_NOUNS, THING_NOUNS, FOOD_NOUNS = (
    list(map(_noun, _group("nouns", group))) for group in ("animal", "person", "child", "thing", "food")
)
PLACE_NOUNS = [_place(row) for row in records("places")]
SIZES, NATURES, LOOKS, COLOURS = (
    list(map(_adjective, _group("adjectives", group))) for group in ("size", "nature", "look", "colour")
)
(BE,), (HAVE,), (EAT,) = _verbs("be"), _verbs("have"), _verbs("eat")
(GO,), (ENTER,), (COME,) = _verbs("go"), _verbs("enter"), _verbs("come")
HANDLE, MEET, SERVE, GIVE, ACT = (_verbs(group) for group in ("handle", "meet", "serve", "give", "act"))
NOW, THEN = (
    [Opener(row["english"], row["german"], row["french"]) for row in _group("openers", group)]
    for group in ("now", "then")
)

# --- word lists of the stories and of the scenes of the instructions ------------------------------

_WORDS = document("words")
PRONOUNS = {"he": ("he", "him", "his"), "she": ("she", "her", "her")}
NAMES: dict[str, str] = {name: pronoun for pronoun, names in _WORDS["names"].items() for name in names}
ANIMALS = {row["animal"]: row["pronoun"] for row in records("animals")}
THINGS: list[str] = _WORDS["things"]
DISHES: list[str] = _WORDS["dishes"]
PLACES: dict[str, list[str]] = _WORDS["places"]  # by preposition
FEELINGS: list[str] = _WORDS["feelings"]
SCENE_WORDS: dict[str, list[str]] = _WORDS["scenes"]
OPPOSITES: list[tuple[str, str]] = [(first, second) for first, second in _WORDS["opposites"]]

# --- groups of like words, and pairs of words in one relation -------------------------------------

GROUPS = {
    "animals": list(FACTS),
    "foods": sorted({*DISHES, *(facts["food"] for facts in FACTS.values())}),
    "people": list(NAMES),
    "things": THINGS,
    "places": [place for places in PLACES.values() for place in places],
    "feelings": FEELINGS,
}
_FORMS = {verb.english for verb in (*HANDLE, *MEET, *SERVE, *GIVE, *ACT, GO, COME, EAT, HAVE)}
_NOUNS = (*ANIMAL_NOUNS, *PERSON_NOUNS, *CHILD_NOUNS, *THING_NOUNS, *FOOD_NOUNS)


def _values(attribute: str) -> list[tuple[str, str]]:
    """Each animal with its value, without articles and prepositions: lion and desert, fox and forest."""
    return [(animal, facts[attribute].split()[-1]) for animal, facts in FACTS.items()]


RELATIONS = {
    **{f"animal : {attribute}": _values(attribute) for attribute in ATTRIBUTES},
    "present : past": sorted((base, past) for base, _, past in _FORMS if base.isalpha()),
    "singular : plural": [noun.english for noun in _NOUNS],
    "opposites": [pair for first, second in OPPOSITES for pair in ((first, second), (second, first))],
}
