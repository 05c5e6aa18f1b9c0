"""Plots about feelings and needs, and their causes."""

from foundling.fables.plots.teller import Lines, Teller
from foundling.fables.tables import document, pattern_groups, patterns

FEELINGS, NEEDS, TOOLS, MOODS = (
    pattern_groups(document("plots")[plot]) for plot in ("feelings", "needs", "tools", "moods")
)
CAUSES = {need: patterns(node["cause"]) for need, node in document("plots")["causes"].items()}
AIDS: dict[str, str] = {need: node["aid"] for need, node in document("plots")["causes"].items()}
TROUBLES = pattern_groups(document("plots")["troubles"])  # by the tool that helps
EVENTS = pattern_groups(document("plots")["events"])  # by the mood that they cause


def feelings(teller: Teller) -> Lines:
    """Each being has another feeling."""
    say, ways, beings = teller.say, FEELINGS, teller.some()
    lines = [say(ways["meet"]), *(say(ways["feel"], x=being) for being in beings)]
    lines += teller.again(beings, ways["still"], ways["still"], ways["who"])
    return lines, [say(ways[ask], x=being) for being in beings for ask in ("ask_how", "ask_who")]


def needs(teller: Teller) -> Lines:
    """One or two beings need something, each another thing."""
    say, ways = teller.say, NEEDS
    beings = teller.order()[: teller.rng.choice((1, 1, 2))]
    drawn = dict(zip(beings, teller.rng.sample(list(CAUSES), len(beings)), strict=True))
    lines = [say(ways["meet"]), *(say(CAUSES[drawn[being]], x=being) for being in beings)]
    questions = []
    for being in sorted(beings, key=lambda _: teller.rng.random()):
        teller.cast |= {"need": drawn[being], "aid": AIDS[drawn[being]]}
        steps = teller.rng.choice((("state", "aid"), ("state",), ("aid",), ("state", "aid")))
        lines += [say(ways[step], x=being) for step in steps]
        questions += [say(ways[ask], x=being) for ask in ("ask_state", "ask_aid")]
    return lines, questions


def tools(teller: Teller) -> Lines:
    """Tell of a difficulty, and of the thing that helps."""
    say, ways = teller.say, TOOLS
    tool = teller.rng.choice(list(TROUBLES))
    teller.cast["tool"] = tool
    being = teller.order()[0]
    lines = [say(ways["meet"]), say(TROUBLES[tool]), say(ways["fetch"], x=being)]
    if teller.chance(2):
        lines.append(say(ways["thanks"], x=being))
    return lines, [say(ways["ask"])]


def moods(teller: Teller) -> Lines:
    """Something happens to one or two, and they feel accordingly."""
    say, ways = teller.say, MOODS
    beings = teller.order()[: teller.rng.choice((1, 1, 2))]
    drawn = dict(zip(beings, teller.rng.sample(list(EVENTS), len(beings)), strict=True))
    lines = [say(ways["meet"]), *(say(EVENTS[drawn[being]], x=being) for being in beings)]
    questions = []
    for being in beings:
        teller.cast["mood"] = drawn[being]
        lines.append(say(ways["mood"], x=being))
        questions.append(say(ways["ask"], x=being))
    return lines, questions
