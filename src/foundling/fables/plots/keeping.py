"""Plots about who has what, and where: lost and found, whereabouts, a feast, an exchange."""

from foundling.fables.plots.teller import Lines, Teller

MEET = (
    "{day} {a+}, {b+} and {c+} were (playing|busy|working) together.",
    "{day} {a+} met {b+} and {c+}.",
    "{day} {a+}, {b+} and {c+} went for a walk.",
    "{a+}, {b+} and {c+} were (neighbours|good friends).",
    "{day} {a+} and {b+} came to see {c+}.",
)
PUT = (
    "{x} (hid|put|left|kept|laid) the {xo} {xp}.",
    "{x} (hid|put|left|dropped|forgot) {xhis} {xo} {xp}.",
    "{x} had {xan} and (hid|put|left) it {xp}.",
    "{x}'s {xo} (was|lay) {xp}.",
    "~{x} brought {xan} and laid it {xp}.",
    "~{x} forgot the {xo} {xp}.",
)
LATER = (
    "{later} they (came back|went home|met again).",
    "{later} it began to (rain|snow|get dark).",
    "{later} it was time to go.",
)
FIND = (
    "{x} (looked for|wanted|needed|asked for) the {xo}. it was [still ]{xp?}.",
    "{x} found the {xo} {xp?}.",
    "{x} went back and found the {xo} {xp?}.",
    "the {xo} was [still ]{xp?}.",
    "{x}'s {xo} was [still ]{xp?}.",
    '{x} said, "my {xo} is {xp?}."',
    '"where is my {xo}?" asked {x}. It was {xp?}.',
    "~in the end {x} saw the {xo} {xp?}.",
    "~{x} had to look for the {xo} {xp?}.",
)
TAKE = (
    "{x} took the {xo?} and went home.",
    "{x} was glad to have the {xo?} again.",
    '{x} said, "I need my {xo?}."',
    '{x} asked, "where is my {xo?}?"',
    "what {x} wanted was the {xo?}.",
    "~what {x} looked for was the {xo?}.",
)
OWNER = (
    "the {xo} belonged to {x?}.",
    "the {xo} was for {x?}.",
    "the one who needed the {xo} was {x?}.",
    "~the one who had the {xo} was {x?}.",
)
KEPT = (
    "who keeps good order finds things soon.",
    "what is well kept is not lost.",
    "a friend helps you look.",
    "everything has its place.",
)
ASK_WHERE = (
    "where was the {xo}? it was {xp?}.",
    "where is the {xo}? it is {xp?}.",
    "~where did {x} find the {xo}? it was {xp?}.",
)
ASK_WHOSE = (
    "who had the {xo}? it was {x?}.",
    "whose {xo} was it? it belonged to {x?}.",
    "~who needed the {xo}? it was {x?}.",
)


def lost_and_found(teller: Teller) -> Lines:
    """Things are left in places and looked for again in another order."""
    some = teller.some()
    lines = [teller.say(*MEET), *(teller.say(*PUT, x=one) for one in some)]
    if teller.chance(3):
        lines.append(teller.say(*LATER))
    lines += teller.again(some, FIND, FIND, TAKE, OWNER)
    if teller.chance(4):
        lines.append(teller.say(*KEPT))
    return lines, [teller.say(*asked, x=one) for one in some for asked in (ASK_WHERE, ASK_WHOSE)]


STAY = (
    "{x} (worked|slept|sat|waited|sang|rested) {xp}.",
    "{x} was {xp}.",
    "{x} (stayed|was alone) {xp}.",
    "~{x} had a rest {xp}.",
)
SEEK = (
    "{x} was still {xp?}.",
    "{x} stayed {xp?} until the evening.",
    '"where is {x}?" they asked. {xhe} was {xp?}.',
    "they found {x} {xp?}.",
    "they looked for {x} {xp?}.",
    "~in the end they met {x} {xp?}.",
)
BE = ("the one {xp} was {x?}.", "the friend {xp} was {x?}.", "~the one they found {xp} was {x?}.")
ASK_STAY = ("where was {x}? {xhe} was {xp?}.", "~where did {x} stay? {xhe} was {xp?}.")
ASK_WHO = ("who was {xp}? it was {x?}.", "~who stayed {xp}? it was {x?}.")


def whereabouts(teller: Teller) -> Lines:
    """Each is in another place, and they look for one another."""
    some = teller.some()
    lines = [teller.say(*MEET), *(teller.say(*STAY, x=one) for one in some)]
    if teller.chance(3):
        lines.append(teller.say("{later} it was time to eat.", *LATER[1:]))
    lines += teller.again(some, SEEK, SEEK, BE)
    return lines, [teller.say(*asked, x=one) for one in some for asked in (ASK_STAY, ASK_WHO)]


HUNGRY = ("{day} {a+}, {b+} and {c+} had a feast.", "{day} {a+}, {b+} and {c+} sat down to eat.", *MEET[1:3])
BRING = (
    "{x} (brought|had|came with) [some ]{xm}.",
    "{x} had (bought|got) [some ]{xm}.",
    "~{x} came with {xm} in a bag.",
)
SHARE = (
    "{x} shared the {xm?} with all.",
    "they all ate {x}'s {xm?}.",
    '{x} said, "take some of my {xm?}."',
    "{x} still had some {xm?}.",
    "~they liked {x}'s {xm?}.",
)
THANKED = ("for the {xm} they thanked {x?}.", "the {xm} was from {x?}.", "~all the {xm} was from {x?}.")
NOTHING = ("{x} (brought|had) nothing.", "{x} had no food.")
GENEROUS = ("so the one who was hungry was {x?}.", "they gave something to {x?}.", "nobody was angry with {x?}.")
SHARED = ("food is better when it is shared.", "who gives will also get.", "a friend shares what he has.")
ASK_DISH = ("what did {x} bring? it was {xm?}.", "what did {x} have? it was {xm?}.")
ASK_COOK = ("who brought the {xm}? it was {x?}.", "~who had the {xm}? it was {x?}.")


def feast(teller: Teller) -> Lines:
    """Everybody brings something, or one has nothing and the others share."""
    some = teller.order()
    poor = some.pop() if teller.chance(2) else None
    given = [teller.say(*BRING, x=one) for one in some]
    if poor:
        given.append(teller.say(*NOTHING, x=poor))
        teller.rng.shuffle(given)
    shared = teller.again(some, SHARE, THANKED)
    if poor:
        shared.insert(teller.rng.randrange(len(shared) + 1), teller.say(*GENEROUS, x=poor))
    lines = [teller.say(*HUNGRY), *given, *shared]
    if teller.chance(4):
        lines.append(teller.say(*SHARED))
    return lines, [teller.say(*asked, x=one) for one in some for asked in (ASK_DISH, ASK_COOK)]


OWN = ("{x} had {xan}.", "{x} came with {xan}.", "~{x} had brought {xan}.")
SWAP = (
    '"give me your {yo}, and you will get my {xo}," said {x}.',
    '"take my {xo} for your {yo}," said {x} to {y}.',
    "{x} gave {y} the {xo} for the {yo}.",
)
AFTER = (
    "{z} did not want to change and kept the {zo?}.",
    "now {x} had the {yo?}.",
    "now {y} had the {xo?}.",
    "now the {xo} belonged to {y?}.",
    "now the {yo} belonged to {x?}.",
)
ASK_NOW = ("who has the {xo} now? it is {y?}.", "what does {y} have now? it is the {xo?}.")


def exchange(teller: Teller) -> Lines:
    """Two exchange their things; the third keeps what is hers or his."""
    x, y, z = teller.order()
    lines = [teller.say(*MEET), *(teller.say(*OWN, x=one) for one in teller.order())]
    lines.append(teller.say(*SWAP, x=x, y=y))
    lines += [teller.say(way, x=x, y=y, z=z) for way in teller.rng.sample(AFTER, 3)]
    return lines, [teller.say(*ASK_NOW, x=x, y=y)]
