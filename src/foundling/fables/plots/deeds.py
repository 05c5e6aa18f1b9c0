"""Plots about interactions: a contest, a trick, a rescue, a quarrel and its end."""

from foundling.fables.plots.teller import Lines, Teller
from foundling.fables.tables import document, pattern_groups

CONTEST, TRICK, RESCUE, QUARREL = (
    pattern_groups(document("plots")[plot]) for plot in ("contest", "trick", "rescue", "quarrel")
)
CONTESTS = {name: pattern_groups(node) for name, node in document("plots")["contests"].items()}


def contest(teller: Teller) -> Lines:
    """One being is better than the others and wins."""
    say, ways = teller.say, CONTEST
    x, y, z = teller.order()
    name = teller.rng.choice(list(CONTESTS))
    discipline = CONTESTS[name]
    teller.cast["contest"] = name
    runs = [say(discipline["well"], x=x), say(discipline["badly"], x=y), say(discipline["badly"], x=z)]
    teller.rng.shuffle(runs)
    lines = [say(ways["compete"], x=x), *runs, say(ways["winner"], x=x)]
    if teller.chance(2):
        lines.append(say(ways["prize"], x=x))
    if teller.chance(3):
        lines.append(say(ways["loser"], y=y))
    if teller.chance(3):
        lines.append(say(discipline["moral"]))
    return lines, [say(ways["ask"], x=x)]


def trick(teller: Teller) -> Lines:
    """One being lies to another and takes its thing."""
    say, ways = teller.say, TRICK
    roles = teller.assign_roles()
    lines = [say(ways[step], **roles) for step in ("envy", "lie", "believe")]
    theft = [say(ways["steal"], **roles), say(ways["empty"], **roles)]
    lines += theft[: teller.rng.choice((1, 2))]
    lines += [say(ways["witness"], **roles)] * teller.chance(3)
    lines += [say(ways["angry"], **roles)] * teller.chance(2)
    lines.append(say(ways["thief"], **roles))
    if teller.chance(3):
        lines.append(say(ways["moral"]))
    if teller.chance(2):
        lines.append(say(ways["summary"], **roles))
    return lines, [say(ways["ask"], **roles)]


def rescue(teller: Teller) -> Lines:
    """One being is in danger, one passes by, one helps."""
    say, ways = teller.say, RESCUE
    roles = teller.assign_roles()
    deeds = [say(ways["refusal"], **roles), say(ways["help"], **roles)]
    teller.rng.shuffle(deeds)
    lines = [say(ways["danger"], **roles), say(ways["others"], **roles), *deeds]
    lines.append(say(ways["saviour"], **roles))
    if teller.chance(2):
        lines += [say(ways["reward"], **roles), say(ways["rewarded"], **roles)]
    if teller.chance(2):
        lines.append(say(ways["coward"], **roles))
    if teller.chance(2):
        lines.append(say(ways["place"], **roles))
    if teller.chance(3):
        lines.append(say(ways["moral"]))
    if teller.chance(2):
        lines.append(say(ways["summary"], **roles))
    return lines, [say(ways["ask_helper"], **roles), say(ways["ask_where"], **roles)]


def quarrel(teller: Teller) -> Lines:
    """One being takes another's thing; the third makes peace."""
    say, ways = teller.say, QUARREL
    roles = teller.assign_roles()
    lines = [say(ways["own"], **roles), say(ways["grab"], **roles)]
    if teller.chance(2):
        lines.append(say(ways["upset"], **roles))
    lines += [say(ways["peace"], **roles), say(ways["apology"], **roles)]
    lines += dict.fromkeys(say(ways["end"], **roles) for _ in range(2))
    if teller.chance(3):
        lines.append(say(ways["moral"]))
    if teller.chance(2):
        lines.append(say(ways["summary"], **roles))
    return lines, [say(ways["ask"], **roles)]
