"""Plots about who has what, and where: lost and found, whereabouts, a feast, an exchange."""

from foundling.fables.plots.teller import Lines, Teller
from foundling.fables.tables import document, pattern_groups

LOST_AND_FOUND, WHEREABOUTS, FEAST, EXCHANGE = (
    pattern_groups(document("plots")[plot]) for plot in ("lost_and_found", "whereabouts", "feast", "exchange")
)


def lost_and_found(teller: Teller) -> Lines:
    """Things are left in places and looked for again in another order."""
    say, ways, owners = teller.say, LOST_AND_FOUND, teller.some()
    lines = [say(ways["meet"]), *(say(ways["put"], x=owner) for owner in owners)]
    if teller.chance(3):
        lines.append(say(ways["later"]))
    lines += teller.again(owners, ways["find"], ways["find"], ways["take"], ways["owner"])
    if teller.chance(4):
        lines.append(say(ways["moral"]))
    return lines, [say(ways[ask], x=owner) for owner in owners for ask in ("ask_where", "ask_whose")]


def whereabouts(teller: Teller) -> Lines:
    """Each is in another place, and they look for one another."""
    say, ways, beings = teller.say, WHEREABOUTS, teller.some()
    lines = [say(ways["meet"]), *(say(ways["stay"], x=being) for being in beings)]
    if teller.chance(3):
        lines.append(say(ways["later"]))
    lines += teller.again(beings, ways["seek"], ways["seek"], ways["who"])
    return lines, [say(ways[ask], x=being) for being in beings for ask in ("ask_where", "ask_who")]


def feast(teller: Teller) -> Lines:
    """Everybody brings something, or one has nothing and the others share."""
    say, ways, hosts = teller.say, FEAST, teller.order()
    poor = hosts.pop() if teller.chance(2) else None
    brought = [say(ways["bring"], x=host) for host in hosts]
    if poor:
        brought.append(say(ways["nothing"], x=poor))
        teller.rng.shuffle(brought)
    shared = teller.again(hosts, ways["share"], ways["giver"])
    if poor:
        shared.insert(teller.rng.randrange(len(shared) + 1), say(ways["poor"], x=poor))
    lines = [say(ways["meet"]), *brought, *shared]
    if teller.chance(4):
        lines.append(say(ways["moral"]))
    return lines, [say(ways[ask], x=host) for host in hosts for ask in ("ask_dish", "ask_cook")]


def exchange(teller: Teller) -> Lines:
    """Two exchange their things; the third keeps its own."""
    say, ways = teller.say, EXCHANGE
    x, y, z = teller.assign_roles().values()
    lines = [say(ways["meet"]), *(say(ways["own"], x=being) for being in teller.order())]
    lines.append(say(ways["swap"], x=x, y=y))
    lines += [say((way,), x=x, y=y, z=z) for way in teller.rng.sample(ways["after"], 3)]
    if teller.chance(2):
        lines.append(say(ways["summary"], x=x, y=y))
    return lines, [say(ways["ask"], x=x, y=y)]
