"""A clause in German words: gender, case, adjective endings, the verb second and, after weil, last."""

from foundling.fables.clauses import Clause, Phrase, Where

NOMINATIVE, ACCUSATIVE, DATIVE = range(3)
# case -> article for m, f, n, plural
THE = {
    NOMINATIVE: {"m": "der", "f": "die", "n": "das", "pl": "die"},
    ACCUSATIVE: {"m": "den", "f": "die", "n": "das", "pl": "die"},
    DATIVE: {"m": "dem", "f": "der", "n": "dem", "pl": "den"},
}
# ein, kein and mein share their endings
EIN = {
    NOMINATIVE: {"m": "", "f": "e", "n": "", "pl": "e"},
    ACCUSATIVE: {"m": "en", "f": "e", "n": "", "pl": "e"},
    DATIVE: {"m": "em", "f": "er", "n": "em", "pl": "en"},
}
# adjectives after der (weak), after ein (mixed), and without an article that shows the case (strong, plural only)
WEAK = {
    NOMINATIVE: {"m": "e", "f": "e", "n": "e", "pl": "en"},
    ACCUSATIVE: {"m": "en", "f": "e", "n": "e", "pl": "en"},
    DATIVE: {"m": "en", "f": "en", "n": "en", "pl": "en"},
}
MIXED = {
    NOMINATIVE: {"m": "er", "f": "e", "n": "es", "pl": "en"},
    ACCUSATIVE: {"m": "en", "f": "e", "n": "es", "pl": "en"},
    DATIVE: {"m": "en", "f": "en", "n": "en", "pl": "en"},
}
STRONG_PLURAL = {NOMINATIVE: "e", ACCUSATIVE: "e", DATIVE: "en"}
STEMS = {"a": "ein", "my": "mein", "no": "kein"}
NUMBERS = {"two": "zwei", "three": "drei"}
CONTRACTED = {"in dem": "im", "an dem": "am", "zu dem": "zum", "zu der": "zur", "von dem": "vom", "in das": "ins"}


def german(clause: Clause) -> str:
    """Put a clause in words, without capital and full stop."""
    subject = " und ".join(phrase(one, NOMINATIVE) for one in clause.subjects)
    verb, middle = _finite(clause), _middle(clause)
    if clause.form == "where":
        return f"wo {verb} {subject}"
    if clause.form == "who":
        return _join("wer", verb, middle)
    if clause.form == "question":
        return _join(verb, subject, middle)
    if clause.opener:
        return _join(clause.opener.german, verb, subject, middle)
    words = _join(subject, verb, middle)
    return f"{words}, weil {_verb_last(clause.because)}" if clause.because else words


def phrase(it: Phrase, case: int) -> str:
    """A noun phrase in its case: dem alten Löwen, einen Schlüssel, zwei Tassen."""
    gender = "pl" if it.plural else it.noun.german_gender
    if it.determiner == "":
        return it.noun.german[it.plural]
    if it.determiner == "the":
        article, ending = THE[case][gender], WEAK[case][gender]
    elif it.determiner in NUMBERS or (it.determiner == "a" and it.plural):
        article, ending = NUMBERS.get(it.determiner, ""), STRONG_PLURAL[case]
    else:
        article, ending = STEMS[it.determiner] + EIN[case][gender], MIXED[case][gender]
    adjective = it.adjective.german[0].rstrip("e") + ending if it.adjective else ""
    return _join(article, adjective, _noun(it, case))


def _noun(it: Phrase, case: int) -> str:
    one, many = it.noun.german
    if it.plural:
        return many + "n" if case == DATIVE and many[-1] not in "ns" else many
    return many if it.noun.weak and case != NOMINATIVE else one


def _finite(clause: Clause) -> str:
    one, many, one_past, many_past = clause.verb.german
    if clause.past:
        return many_past if clause.many else one_past
    return many if clause.many else one


def _verb_last(clause: Clause) -> str:
    subject = " und ".join(phrase(one, NOMINATIVE) for one in clause.subjects)
    return _join(subject, _middle(clause), _finite(clause))


def _middle(clause: Clause) -> str:
    """What follows verb and subject: dative, accusative, nicht, place, quality; "not a" becomes kein."""
    direct, nicht = clause.direct, clause.negated
    if direct and clause.negated and direct.determiner == "a":
        direct, nicht = Phrase(direct.noun, "no", direct.plural, direct.adjective), False
    quality = clause.quality.german[0] if clause.quality else ""
    if clause.quality and clause.than:
        quality = f"{clause.quality.german[1]} als {phrase(clause.than, NOMINATIVE)}"
    return _join(
        phrase(clause.indirect, DATIVE) if clause.indirect else "",
        phrase(direct, DATIVE if clause.verb.dative else ACCUSATIVE) if direct else "",
        "nicht" if nicht else "",
        _where(clause.where) if clause.where else "",
        quality,
    )


def _where(where: Where) -> str:
    here = where.place.german
    preposition = {"at": here, "to": "zu", "into": "in", "from": "aus" if here == "in" else "von"}[where.relation]
    place = Phrase(where.place.noun, "the", adjective=where.adjective)
    article, rest = phrase(place, ACCUSATIVE if where.relation == "into" else DATIVE).split(" ", 1)
    pair = f"{preposition} {article}"
    return f"{CONTRACTED.get(pair, pair)} {rest}"


def _join(*words: str) -> str:
    return " ".join(word for word in words if word)
