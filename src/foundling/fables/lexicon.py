"""The world's words by what they mean: groups of like words, and pairs of words that stand in one relation."""

from foundling.fables.facts import ATTRIBUTES, FACTS
from foundling.fables.instruction_scenes import OPPOSITES
from foundling.fables.translations import (
    ACT,
    ANIMALS,
    CHILDREN,
    COME,
    EAT,
    FOOD,
    GIVE,
    GO,
    HANDLE,
    HAVE,
    MEET,
    PEOPLE,
    SERVE,
    THINGS,
)
from foundling.fables.world import DISHES, FEELINGS, NAMES, PLACES
from foundling.fables.world import THINGS as HELD

GROUPS = {
    "animals": list(FACTS),
    "foods": sorted({*DISHES, *(facts["food"] for facts in FACTS.values())}),
    "people": list(NAMES),
    "things": HELD,
    "places": [place for places in PLACES.values() for place in places],
    "feelings": FEELINGS,
}

_VERBS = {verb.english for verb in (*HANDLE, *MEET, *SERVE, *GIVE, *ACT, GO, COME, EAT, HAVE)}
_FACTS = {
    f"animal : {name}": [(animal, facts[name].split()[-1]) for animal, facts in FACTS.items()] for name in ATTRIBUTES
}
# "animal : home" is lion : desert, fox : forest, …
RELATIONS = {
    **_FACTS,
    "present : past": sorted((base, past) for base, _, past in _VERBS if base.isalpha()),
    "singular : plural": [noun.english for noun in (*ANIMALS, *PEOPLE, *CHILDREN, *THINGS, *FOOD)],
    "opposites": [pair for one, other in OPPOSITES for pair in ((one, other), (other, one))],
}
