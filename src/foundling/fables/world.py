"""The world's words: who may act, what they hold, where things are, how one feels, what helps whom.

Each list is drawn from evenly, so that how often a word occurs says nothing about whether it is an answer.
"""

from foundling.fables.facts import FACTS
from foundling.fables.instruction_scenes import PEOPLE

PRONOUNS = {"he": ("he", "him", "his"), "she": ("she", "her", "her")}
FEMALE = {
    "cat", "cow", "duck", "goose", "hen", "owl", "hare", "goat", "mouse", "squirrel", "bee", "ant", "swan", "snake",
    "otter", "lamb", "parrot", "crane", "gull", "seal", "tortoise",
}  # fmt: skip
NAMES = dict(PEOPLE)
ANIMALS = {animal: "she" if animal in FEMALE else "he" for animal in FACTS}

THINGS = [
    "key", "basket", "lamp", "book", "ball", "bell", "cup", "drum", "feather", "flower", "hat", "box", "coat", "ring",
    "rope", "letter", "picture", "ladder", "scarf", "broom", "axe", "candle", "spoon", "kite", "flute", "mirror",
    "coin", "map", "pot", "blanket", "umbrella", "bottle", "shovel", "whistle", "pillow", "jar",
]  # fmt: skip
DISHES = ["bread", "cheese", "honey", "soup", "cake", "milk", "rice", "butter", "jam", "pie", "corn", "tea"]
PLACES = {
    "in": [
        "barn", "garden", "forest", "cave", "kitchen", "stable", "shop", "school", "castle", "cellar", "attic", "tent",
        "cabin", "meadow", "orchard", "mill", "tower", "field", "cottage", "library",
    ],
    "by": ["lake", "river", "well", "gate", "pond", "fence", "road", "oak", "wall", "stream"],
    "on": ["hill", "roof", "island", "bridge", "beach", "rock", "mountain", "farm"],
    "under": ["bed", "tree", "table", "bench", "stairs", "bush", "sofa", "cart"],
}  # fmt: skip
FEELINGS = ["happy", "sad", "angry", "afraid", "bored", "lonely", "jealous", "worried", "excited", "sleepy"]
