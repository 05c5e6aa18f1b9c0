"""Express a clause in English: do-support, a and an, word order."""

from foundling.fables.clauses import Clause, Phrase, Where, join
from foundling.fables.lexicon import BE, Adjective, Verb


def english(clause: Clause) -> str:
    """Put a clause into words, without a capital and a full stop."""
    subject = " and ".join(phrase(one) for one in clause.subjects)
    tail = _tail(clause)
    if clause.form == "where":
        return f"where {_be(clause)} {subject}"
    if clause.form == "who":
        return join("who", clause.verb.english[2 if clause.past else 1], tail)
    if clause.form == "question":
        if clause.verb is BE:
            return join(_be(clause), subject, tail)
        return join(_do(clause), subject, clause.verb.english[0], tail)
    words = join(clause.opener.english if clause.opener else "", subject, _finite(clause), tail)
    return f"{words} because {english(clause.because)}" if clause.because else words


def phrase(it: Phrase) -> str:
    """Put a noun phrase into words: the old lion, an apple, two keys."""
    words = join(it.adjective.english[0] if it.adjective else "", it.noun.english[it.plural])
    if it.determiner == "a":
        return words if it.plural else with_article(words)
    return join(it.determiner, words)


def with_article(words: str) -> str:
    """Put "a" or "an" in front."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def sentence(text: str) -> str:
    """Give a statement its capital and full stop."""
    return capitalized(text) + "."


def capitalized(text: str) -> str:
    """Make the first letter a capital and leave the others as they are."""
    return text[0].upper() + text[1:]


def _tail(clause: Clause) -> str:
    """Put into words all that follows the verb."""
    return join(
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
    base, third, past = clause.verb.english
    if clause.negated:
        return f"{_do(clause)} not {base}"
    if clause.past:
        return past
    return base if clause.many else third


def _be(clause: Clause) -> str:
    one, many = ("was", "were") if clause.past else ("is", "are")
    return many if clause.many else one


def _do(clause: Clause) -> str:
    if clause.past:
        return "did"
    return "do" if clause.many else "does"


def finite_forms(verb: Verb) -> list[tuple[str, str]]:
    """Return the forms that agree with their subject, each as (singular, plural)."""
    base, third, _ = verb.english
    return [("is", "are"), ("was", "were"), ("does", "do")] + ([] if verb is BE else [(third, base)])
