"""Plots about what they do to one another: a contest, a trick, a rescue, a quarrel and how it is mended."""

from foundling.fables.plots.teller import Lines, Teller

CONTESTS = {
    "ran a race": (
        ("{x} ran like the wind.", "{x} was the first at the gate.", "{x} ran faster than all others.",
         "~nobody was at the gate before {x}."),
        ("{x} fell over a stone.", "{x} stopped to (sleep|eat|rest|drink).", "{x} lost the way.",
         "{x} hurt {xhis} foot.", "~{x} fell into the mud on the way."),
        ("who goes slowly also gets there.", "who rests too early comes last."),
    ),
    "sang in turn": (
        ("{x} sang like a bird.", "all were quiet when {x} sang.", "nobody sang as well as {x}.",
         "~they all danced when {x} sang."),
        ("{x} forgot the words.", "{x} sang too fast.", "{x} had to laugh.", "{x} lost {xhis} voice.",
         "~{x} sang the wrong words."),
        ("a good voice needs no big words.", "who sings from the heart sings well."),
    ),
    "lifted heavy stones": (
        ("{x} lifted the heaviest stone.", "no stone was too heavy for {x}.", "{x} lifted ten stones.",
         "~{x} lifted the stones like feathers."),
        ("{x} let the stone fall.", "{x} was tired after one stone.", "the stone was too heavy for {x}.",
         "~{x} lifted no stone at all."),
        ("strong is who does not boast.", "who wants too much gets little."),
    ),
}  # fmt: skip
COMPETE = ("{day} {a+}, {b+} and {c+} {contest}. the prize was {xan}.", "{a+}, {b+} and {c+} {contest} for {xan}.")
WINNER = (
    "so the winner was {x?}.",
    "so the first prize went to {x?}.",
    'they all said, "the winner is {x?}!"',
    "~so the best of all was {x?}.",
)
PRIZE = (
    "{x} got the {xo?}.",
    "{x} took the {xo?} home.",
    "{x} was glad about the {xo?}.",
)
LAST = ("{y} was not first and was <mood sad>.", "{y} had wanted to win and felt <mood sad>.")
ASK_WINNER = ("who won? it was {x?}.", "who was the winner? it was {x?}.", "~who got the {xo}? it was {x?}.")


def contest(teller: Teller) -> Lines:
    """One is better than the others, and wins."""
    x, y, z = teller.order()
    name = teller.rng.choice(list(CONTESTS))
    well, badly, morals = CONTESTS[name]
    teller.cast["contest"] = name
    runs = [teller.say(*well, x=x), teller.say(*badly, x=y), teller.say(*badly, x=z)]
    teller.rng.shuffle(runs)
    lines = [teller.say(*COMPETE, x=x), *runs, teller.say(*WINNER, x=x)]
    lines += [teller.say(*PRIZE, x=x)] if teller.chance(2) else []
    lines += [teller.say(*LAST, y=y)] if teller.chance(3) else []
    lines += [teller.say(*morals)] if teller.chance(3) else []
    return lines, [teller.say(*ASK_WINNER, x=x)]


ENVY = (
    "{day} {x+} saw that {y+} had {yan}. {z+} was there, too.",
    "{day} {x+} met {y+} and {z+}. {x} wanted {y}'s {yo}.",
)
LIE = (
    '{x} said to {y}, "there is [some ]{ym} {zp}."',
    '"run! somebody is eating your {ym} {zp}," said {x}.',
    "{x} told {y} that there was [some ]{ym} {zp}.",
    '~"I saw your {ym} {zp}," said {x}.',
)
BELIEVE = (
    "{y} ran to look {zp?}.",
    "{y} believed it and looked {zp?}.",
    "{y} put the {yo} down and looked {zp?}.",
    "~{y} went to look {zp?}.",
)
STEAL = ("but {x} took the {yo?} and ran away.", "then {x} had the {yo?}.", "~but {x} went home with the {yo?}.")
WARN = ("{z} had seen it all.", "{z} saw it and laughed.", "{z} had not believed it.", "{z} ran after {x}.")
EMPTY = ("there was no {ym?}.", "{y} found no {ym?}.", "~nobody had seen the {ym?}.")
ANGRY = ("{y} was <mood angry>.", "when {y} came back, {yhe} was <mood angry>.")
NEVER = (
    '"I will never believe {x?} again," said {y}.',
    "since then nobody believed {x?}.",
    "the thief was {x?}.",
    "~the one who had lied was {x?}.",
)
TRICKED = ("do not believe every sweet word.", "who lies once is not believed again.", "look first and run later.")
ASK_THIEF = ("who lied? it was {x?}.", "who has the {yo} now? it is {x?}.", "~who took the {yo}? it was {x?}.")


def trick(teller: Teller) -> Lines:
    """One lies to another and takes what was hers or his."""
    x, y, z = teller.order()
    told = {"x": x, "y": y, "z": z}
    lines = [teller.say(*way, **told) for way in (ENVY, LIE, BELIEVE)]
    after = [teller.say(*STEAL, **told), teller.say(*EMPTY, **told)]
    lines += after[: teller.rng.choice((1, 2))] + [teller.say(*WARN, **told)] * teller.chance(3)
    lines += [teller.say(*ANGRY, **told)] * teller.chance(2) + [teller.say(*NEVER, **told)]
    lines += [teller.say(*TRICKED)] if teller.chance(3) else []
    return lines, [teller.say(*ASK_THIEF, **told)]


FALL = (
    "{day} {x+} was caught in a net {zp}.",
    "{day} {x+} fell into a deep hole {zp}.",
    "{day} a stone fell on {x+} {zp}.",
    "~{day} {x+} was caught under a stone {zp}.",
)
HEARD = ("{y+} and {z+} heard {xhim} (call|cry|shout).", "{y+} and {z+} were near.")
PASS = (
    "{z} (ran away|did not stop|only laughed|was too afraid).",
    '{z} said, "that is not my trouble."',
    "~{z} did not want to help.",
)
SAVE = (
    "{y} (came|ran|hurried) and (pulled {xhim} out|set {xhim} free).",
    "{y} (came|ran|hurried) to help {xhim}.",
    "~{y} was not afraid and set {xhim} free.",
)
SAVED = (
    "so {x} was saved by {y?}.",
    '"thank you, {y!}," said {x}.',
    '{x} said, "my true friend is {y?}."',
    "{x} never forgot what was done by {y?}.",
    "~the one who had helped was {y?}.",
)
COWARD = ("nobody thanked {z?}.", "the one who did not help was {z?}.", "~{x} was not saved by {z?}.")
REWARD = ("in thanks {x} gave {yhim} {xan}.", "{x} had {xan} and gave it to {yhim}.")
REWARDED = ("now the {xo} belonged to {y?}.", "{y} went home with the {xo?}.", "{y} was glad about the {xo?}.")
NEVER_AGAIN = ("{x} never again played {zp?}.", "that is what happened {zp?}.")
FRIENDS = (
    "you know your friends when you need them.",
    "who helps others will be helped.",
    "a small deed can save a life.",
)
ASK_HELPER = ("who helped {x}? it was {y?}.", "~who saved {x}? it was {y?}.")
ASK_DANGER = ("where was {x}? {xhe} was {zp?}.", "~where did it happen? it was {zp?}.")


def rescue(teller: Teller) -> Lines:
    """One is in danger, one passes by, one helps."""
    x, y, z = teller.order()
    told = {"x": x, "y": y, "z": z}
    deeds = [teller.say(*PASS, **told), teller.say(*SAVE, **told)]
    teller.rng.shuffle(deeds)
    lines = [teller.say(*FALL, **told), teller.say(*HEARD, **told), *deeds, teller.say(*SAVED, **told)]
    if teller.chance(2):
        lines += [teller.say(*REWARD, **told), teller.say(*REWARDED, **told)]
    lines += [teller.say(*COWARD, **told)] if teller.chance(2) else []
    lines += [teller.say(*NEVER_AGAIN, **told)] if teller.chance(2) else []
    lines += [teller.say(*FRIENDS)] if teller.chance(3) else []
    return lines, [teller.say(*ASK_HELPER, **told), teller.say(*ASK_DANGER, **told)]


HAD = ("{day} {x+} had {xan}. {y+} and {z+} came by.", "{day} {x+} was playing with {xan} when {y+} and {z+} came.")
GRAB = (
    "{y} took it without a word.",
    "{y} wanted it, too, and took it away.",
    '"that is mine," said {y} and took it.',
    "~{y} came and took it away.",
)
CROSS = ("{x} was <mood angry>.", "they quarrelled, and {x} was <mood angry>.", "{x} began to cry.")
PEACE = (
    '"do not quarrel," said {z}.',
    '{z} said, "friends share what they have."',
    "{z} told them to be friends again.",
)
SORRY = (
    "{y} said sorry and gave the {xo?} back.",
    "then {y} gave {xhim} the {xo?} again.",
    "~so {y} came back with the {xo?}.",
)
MENDED = (
    "now the {xo} was with {x?} again.",
    "the one who had taken the {xo} was {y?}.",
    "the wise one was {z?}.",
    "peace had come from {z?}.",
    "~the one who made peace was {z?}.",
    "~the one who said sorry was {y?}.",
)
FORGIVE = ("a quarrel is soon over when one says sorry.", "friends forgive.", "peace is better than being right.")
ASK_TAKER = (
    "who took the {xo}? it was {y?}.",
    "who had the {xo} in the end? it was {x?}.",
    "~who said sorry? it was {y?}.",
)


def quarrel(teller: Teller) -> Lines:
    """One takes what is another's; the third makes peace."""
    x, y, z = teller.order()
    told = {"x": x, "y": y, "z": z}
    lines = [teller.say(*HAD, **told), teller.say(*GRAB, **told)]
    lines += [teller.say(*CROSS, **told)] if teller.chance(2) else []
    lines += [teller.say(*PEACE, **told), teller.say(*SORRY, **told)]
    lines += dict.fromkeys(teller.say(*MENDED, **told) for _ in range(2))
    lines += [teller.say(*FORGIVE)] if teller.chance(3) else []
    return lines, [teller.say(*ASK_TAKER, **told)]
