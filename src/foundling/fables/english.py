"""A clause in English words: do-support, a and an, word order."""

from foundling.fables.clauses import Clause, Phrase, Where
from foundling.fables.translations import BE, Adjective, Verb


def english(clause: Clause) -> str:
    """Put a clause in words, without capital and full stop."""
    subject = " and ".join(phrase(one) for one in clause.subjects)
    tail = _tail(clause)
    if clause.form == "where":
        return f"where {_be(clause)} {subject}"
    if clause.form == "who":
        return _join("who", clause.verb.english[2 if clause.past else 1], tail)
    if clause.form == "question":
        if clause.verb is BE:
            return _join(_be(clause), subject, tail)
        return _join(_do(clause), subject, clause.verb.english[0], tail)
    words = _join(clause.opener.english if clause.opener else "", subject, _finite(clause), tail)
    return f"{words} because {english(clause.because)}" if clause.because else words


def phrase(it: Phrase) -> str:
    """A noun phrase: the old lion, an apple, two keys."""
    words = _join(it.adjective.english[0] if it.adjective else "", it.noun.english[it.plural])
    if it.determiner == "a":
        return words if it.plural else f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
    return _join(it.determiner, words)


def _tail(clause: Clause) -> str:
    """All that follows the verb."""
    return _join(
        phrase(clause.indirect) if clause.indirect else "",
        phrase(clause.direct) if clause.direct else "",
        _quality(clause.quality, clause.than) if clause.quality else "",
        _where(clause.where) if clause.where else "",
    )


def _quality(adjective: Adjective, than: Phrase | None) -> str:
    return f"{adjective.english[1]} than {phrase(than)}" if than else adjective.english[0]


def _where(where: Where) -> str:
    place = Phrase(where.place.noun, "the", adjective=where.adjective)
    return f"{where.place.english if where.relation == 'at' else where.relation} {phrase(place)}"


def _finite(clause: Clause) -> str:
    if clause.verb is BE:
        return _be(clause) + (" not" if clause.negated else "")
    if clause.negated:
        return f"{_do(clause)} not {clause.verb.english[0]}"
    base, third, past = clause.verb.english
    return past if clause.past else base if clause.many else third


def _be(clause: Clause) -> str:
    return ("were" if clause.many else "was") if clause.past else ("are" if clause.many else "is")


def _do(clause: Clause) -> str:
    return "did" if clause.past else "do" if clause.many else "does"


def _join(*words: str) -> str:
    return " ".join(word for word in words if word)


def finite_forms(verb: Verb) -> list[tuple[str, str]]:
    """The forms that agree with their subject, for one and for many."""
    base, third, _ = verb.english
    return [("is", "are"), ("was", "were"), ("does", "do")] + ([] if verb is BE else [(third, base)])
