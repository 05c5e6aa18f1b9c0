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
    "character": Attribute(
        ("What is the character of the {animal}?", "What is the {animal} like by nature?"),
        "By nature the {animal} is {value}.",
        "Which two animals are {value} by nature?",
    ),
}

TABLE = """
lion | in the desert | meat | yellow | roars | proud
fox | in the forest | mice | red | barks | sly
wolf | in the forest | meat | grey | howls | fierce
bear | in the cave | honey | brown | growls | strong
hare | in the field | grass | brown | drums | hasty
rabbit | in the field | carrots | grey | squeaks | shy
mouse | in the barn | cheese | grey | squeaks | timid
cat | in the house | mice | black | mews | curious
dog | in the house | bones | brown | barks | loyal
horse | in the stable | hay | brown | neighs | loyal
cow | in the stable | grass | white | moos | calm
goat | on the mountain | leaves | white | bleats | stubborn
pig | in the barn | carrots | pink | grunts | greedy
duck | on the pond | bread | brown | quacks | cheerful
goose | on the farm | grass | white | honks | vain
hen | on the farm | seeds | brown | clucks | timid
owl | in the forest | mice | brown | hoots | wise
raven | on the roof | bread | black | croaks | clever
eagle | on the mountain | fish | brown | screams | brave
frog | on the pond | flies | green | croaks | cheerful
tortoise | in the garden | leaves | green | hisses | patient
hedgehog | in the garden | worms | brown | snorts | shy
squirrel | in the forest | nuts | red | chatters | busy
donkey | in the stable | hay | grey | brays | stubborn
monkey | in the jungle | fruit | brown | chatters | playful
elephant | in the jungle | leaves | grey | trumpets | wise
snake | in the desert | eggs | green | hisses | sly
swan | on the lake | reeds | white | hisses | vain
bee | in the garden | honey | yellow | hums | busy
ant | in the forest | seeds | black | crackles | patient
beaver | by the river | bark | brown | whistles | busy
badger | in the forest | worms | grey | snorts | grumpy
camel | in the desert | leaves | yellow | grunts | calm
otter | by the river | fish | brown | whistles | playful
tiger | in the jungle | meat | orange | growls | fierce
lamb | in the field | grass | white | bleats | gentle
parrot | in the jungle | nuts | green | whistles | clever
heron | by the stream | fish | grey | croaks | patient
crane | by the marsh | snails | grey | trumpets | gentle
gull | by the sea | fish | white | screams | greedy
penguin | on the ice | fish | black | honks | brave
seal | on the ice | fish | grey | barks | curious
"""

FACTS = {
    animal: dict(zip(ATTRIBUTES, values, strict=True))
    for animal, *values in ([cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines())
}
