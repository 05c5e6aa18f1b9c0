"""Plots about how one feels, what one needs, and why."""

from foundling.fables.plots.teller import Lines, Teller

TOGETHER = (
    "{day} {a+}, {b+} and {c+} were together.",
    "{day} {a+} met {b+} and {c+}.",
    "{day} {a+}, {b+} and {c+} sat (in the sun|by the fire|at home).",
    "{a+}, {b+} and {c+} were friends.",
)
FEEL = (
    "{x} was [{very} ]{xf}.",
    "{x} felt [{very} ]{xf}.",
    "{x} was {xf} (that day|that morning|again).",
    "{x} was {xf} because of the {xo}.",
    "~that day {x} was {xf}.",
)
STILL = (
    "{x} was still {xf?}.",
    "{x} was {xf?} all day.",
    '{x} said, "I am {very} {xf?}."',
    "everybody saw that {x} was {xf?}.",
    "{x} told them all that {xhe} was {xf?}.",
    "~nobody knew why {x} was {xf?}.",
    "~at night {x} was still {very} {xf?}.",
)
FEELER = (
    "the one who was {xf} was {x?}.",
    "the one who felt {xf} was {x?}.",
    '"why are you {xf}?" they asked {x?}.',
    "~the one who said that was {xf} was {x?}.",
)
ASK_HOW = (
    "how did {x} feel? {xhe} was {xf?}.",
    "how was {x}? {xhe} felt {xf?}.",
    "~what did {x} feel? {xhe} was {xf?}.",
)
ASK_FEELER = ("who was {xf}? it was {x?}.", "~who felt {xf}? it was {x?}.")


def feelings(teller: Teller) -> Lines:
    """Each feels different."""
    some = teller.some()
    lines = [teller.say(*TOGETHER), *(teller.say(*FEEL, x=one) for one in some)]
    lines += teller.again(some, STILL, STILL, FEELER)
    return lines, [teller.say(*asked, x=one) for one in some for asked in (ASK_HOW, ASK_FEELER)]


# what happened, how one is then, what one needs
NEEDS = {
    ("hungry", "meal"): (
        "{x} had not eaten (since the morning|all day|for two days).",
        "{x} had no (food|bread)[ at home].",
        "{x} had given all {xhis} food away.",
        "~{x} had eaten nothing all day.",
    ),
    ("thirsty", "drink"): (
        "{x} had run in the (hot sun|summer heat).",
        "{x} had eaten (salt|too much salt).",
        "{x} had no water (all day|for two days|at home).",
        "~{x} had found no water.",
    ),
    ("tired", "rest"): (
        "{x} had not slept (all night|for two nights).",
        "{x} had worked (all night|too much|since the morning).",
        "{x} had carried heavy (stones|wood)[ all day].",
        "~{x} had carried stones since the morning.",
    ),
    ("cold", "fire"): (
        "{x} had stood in the snow[ all day].",
        "{x} had slept on the ice.",
        "{x} had walked through the (ice|snow|winter night).",
        "~{x} had worked in the snow.",
    ),
    ("wet", "towel"): (
        "{x} had fallen into the (water|sea|waves).",
        "{x} had walked through the rain.",
        "{x} had stood in the rain[ all day|all night].",
        "~{x} had slept in the rain.",
    ),
    ("dirty", "bath"): (
        "{x} had fallen into the mud.",
        "{x} had played in the (mud|dust|dirt).",
        "{x} had worked in the (mud|dust).",
        "~{x} had slept in the mud.",
    ),
    ("ill", "doctor"): (
        "{x} had eaten (a bad egg|too much).",
        "{x} had a fever[ since the morning].",
        "{x} had a pain in the (head|leg|foot).",
        "~{x} had a pain all night.",
    ),
}  # fmt: skip
STATE = ("so {x} was [{very} ]<need {need}>.", "soon {x} was [{very} ]<need {need}>.", "~now {x} felt <need {need}>.")
AID = (
    "what {x} needed was a <aid {aid}>.",
    "{x} wanted a <aid {aid}>.",
    '{x} said, "I need a <aid {aid}>."',
    "~soon {x} got a <aid {aid}>.",
)
ASK_NEED = ("how was {x}? {xhe} was <need {need}>.", "~how did {x} feel? {xhe} was <need {need}>.")
ASK_AID = ("what did {x} need? {xhe} needed a <aid {aid}>.", "~what did {x} want? {xhe} wanted a <aid {aid}>.")


def needs(teller: Teller) -> Lines:
    """One or two are in need, each of something else."""
    some = teller.order()[: teller.rng.choice((1, 1, 2))]
    drawn = dict(zip(some, teller.rng.sample(list(NEEDS), len(some)), strict=True))
    lines = [teller.say(*TOGETHER), *(teller.say(*NEEDS[drawn[one]], x=one) for one in some)]
    asked = []
    for one in sorted(some, key=lambda _: teller.rng.random()):
        teller.cast |= {"need": drawn[one][0], "aid": drawn[one][1]}
        ways = teller.rng.choice(((STATE, AID), (STATE,), (AID,), (STATE, AID)))
        lines += [teller.say(*way, x=one) for way in ways]
        asked += [teller.say(*ASK_NEED, x=one), teller.say(*ASK_AID, x=one)]
    return lines, asked


# what stands in the way, and the thing that helps
TOOLS = {
    "lamp": ("it was dark (in the cellar|in the cave|on the way|in the tower).", "~it was dark in the mill."),
    "key": ("the door was locked.", "the (gate|box|tower|castle) was locked.", "~the shop was locked."),
    "umbrella": ("it rained[ hard] all day.", "it began to rain[ hard].", "~it rained all morning."),
    "rope": ("the lamb had fallen into the well.", "the well was very deep.", "~the goat had fallen into the well."),
    "ladder": ("the apples hung high in the tree.", "the kite hung on the roof.", "~the apples hung very high."),
    "broom": ("there was dust on the floor.", "the floor was full of (dust|leaves).", "~there was dust in the house."),
    "axe": ("there was no wood for the fire.", "a fallen tree lay on the road.", "~a tree lay on the road."),
    "map": ("nobody knew the way[ home].", "they had lost the way.", "~nobody knew where they were."),
    "shovel": ("they wanted to dig a hole.", "snow lay in front of the door.", "~a hole was to be dug."),
    "pot": ("they wanted to cook soup.", "there was no soup yet.", "~they wanted to cook rice."),
}
FETCH = (
    "so {x} (went for|fetched|brought|got) the <tool {tool}>.",
    "so they asked {x} for the <tool {tool}>.",
    '"we need the <tool {tool}>," said {x}.',
    '{x} said, "I have a good <tool {tool}>."',
    "~so {x} found the <tool {tool}>.",
)
HELPED = ("with the {tool} it was easy.", "they all thanked {x?}.", "the one who had helped was {x?}.")
ASK_TOOL = ("what did they need? they needed the <tool {tool}>.",)


def tools(teller: Teller) -> Lines:
    """A difficulty, and the thing that helps."""
    tool = teller.rng.choice(list(TOOLS))
    teller.cast["tool"] = tool
    (x, *_) = teller.order()
    lines = [teller.say(*TOGETHER), teller.say(*TOOLS[tool]), teller.say(*FETCH, x=x)]
    lines += [teller.say(*HELPED, x=x)] if teller.chance(2) else []
    return lines, [teller.say(*ASK_TOOL)]


MOODS = {
    "happy": (
        "{x} found the lost {xo} again.", "a friend gave {x} {xan}.", "{x} won (a prize|the game|a beautiful {xo}).",
        "{x}'s (brother|sister|mother) came home at last.", "everybody sang a song for {x}.",
        "~a friend came home to {x}.", "~{x} won {xan} in the game.",
    ),
    "sad": (
        "{x} lost the {xo} for ever.", "{x}'s best friend went away.", "{x} broke {xhis} (best|new|beautiful) {xo}.",
        "{x}'s {xo} fell into the sea.", "nobody wanted to play with {x}.",
        "~{x}'s (brother|sister) went away.", "~{x} broke the {xo} for ever.",
    ),
    "angry": (
        "somebody took {x}'s {xo} and laughed.", "somebody lied to {x}.", "somebody pushed {x} into the bushes.",
        "somebody called {x} (a fool|silly|stupid).", "somebody had stolen {x}'s {xo}.",
        "~somebody pushed {x} and laughed.", "~somebody took {x}'s bread.",
    ),
    "afraid": (
        "{x} heard (a strange noise|steps|a howl) in the dark.", "{x} saw two (red|yellow) eyes in the night.",
        "{x} stood alone in the storm.", "a huge shadow came up to {x}.", "thunder rolled over {x}'s home.",
        "~{x} saw a shadow in the dark.", "~{x} heard thunder in the night.",
    ),
}  # fmt: skip
MOOD = (
    "{x} felt <mood {mood}>.", "that is why {x} was <mood {mood}>.", "so {x} was [{very} ]<mood {mood}>.",
    '{x} said, "I am <mood {mood}>."', "~in the end {x} was <mood {mood}>.",
)  # fmt: skip
ASK_MOOD = ("how did {x} feel? {xhe} was <mood {mood}>.", "~what did {x} feel? {xhe} was <mood {mood}>.")


def moods(teller: Teller) -> Lines:
    """What happens to one or two, and how they feel about it."""
    some = teller.order()[: teller.rng.choice((1, 1, 2))]
    drawn = dict(zip(some, teller.rng.sample(list(MOODS), len(some)), strict=True))
    lines = [teller.say(*TOGETHER), *(teller.say(*MOODS[drawn[one]], x=one) for one in some)]
    asked = []
    for one in some:
        teller.cast["mood"] = drawn[one]
        lines.append(teller.say(*MOOD, x=one))
        asked.append(teller.say(*ASK_MOOD, x=one))
    return lines, asked
