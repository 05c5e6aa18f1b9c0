"""What is known about the animals, and how one asks for it."""

from typing import NamedTuple


class Attribute(NamedTuple):
    """How to ask for an attribute, how to answer, and how to ask which animals share a value ("" where nobody does)."""

    questions: tuple[str, ...]
    answer: str
    which: str


ATTRIBUTES = {
    "home": Attribute(
        ("Where does the {animal} live?", "Where is the home of the {animal}?"),
        "The {animal} lives {value}.",
        "Which two animals live {value}?",
    ),
    "food": Attribute(
        ("What does the {animal} eat?", "What is the food of the {animal}?"),
        "The {animal} eats {value}.",
        "Which two animals eat {value}?",
    ),
    "colour": Attribute(
        ("What colour is the {animal}?", "Which colour does the {animal} have?"),
        "The {animal} is {value}.",
        "Which two animals are {value}?",
    ),
    "sound": Attribute(
        ("What sound does the {animal} make?", "How can one hear the {animal}?"),
        "The {animal} {value}.",
        "",
    ),
}

TABLE = """
lion | in the desert | meat | yellow | roars
fox | in the forest | mice | red | barks
wolf | in the forest | meat | grey | howls
bear | in the cave | honey | brown | growls
hare | in the field | grass | brown | drums
rabbit | in the field | carrots | grey | squeaks
mouse | in the barn | cheese | grey | squeaks
cat | in the house | mice | black | mews
dog | in the house | bones | brown | barks
horse | in the stable | hay | brown | neighs
cow | in the stable | grass | white | moos
goat | on the mountain | leaves | white | bleats
pig | in the barn | carrots | pink | grunts
duck | on the pond | bread | brown | quacks
goose | on the farm | grass | white | honks
hen | on the farm | seeds | brown | clucks
owl | in the forest | mice | brown | hoots
raven | on the roof | bread | black | croaks
eagle | on the mountain | fish | brown | screams
frog | on the pond | flies | green | croaks
tortoise | in the garden | leaves | green | hisses
hedgehog | in the garden | worms | brown | snorts
squirrel | in the forest | nuts | red | chatters
donkey | in the stable | hay | grey | brays
monkey | in the jungle | fruit | brown | chatters
elephant | in the jungle | leaves | grey | trumpets
snake | in the desert | eggs | green | hisses
swan | on the lake | water plants | white | hisses
bee | in the garden | honey | yellow | hums
ant | in the forest | seeds | black | crackles
beaver | by the river | bark | brown | whistles
badger | in the forest | worms | grey | snorts
camel | in the desert | leaves | yellow | grunts
otter | by the river | fish | brown | whistles
"""

FACTS = {
    animal: dict(zip(ATTRIBUTES, values, strict=True))
    for animal, *values in ([cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines())
}
