"""Express a clause in German: gender, case, adjective endings; the verb is second and, after weil, last."""

from foundling.fables.clauses import Clause, Phrase, Where, join
from foundling.fables.tables import records

NOMINATIVE, ACCUSATIVE, DATIVE = "nominative", "accusative", "dative"
# the ending of each gender and of the plural, by word and case: "der" is inflected as a whole; ein, kein and
# mein share their endings; adjectives are weak after der, mixed after ein, strong without article
ENDINGS = {(row["word"], row["case"]): row for row in records("german_endings")}
STEMS = {"a": "ein", "my": "mein", "no": "kein"}
NUMBERS = {"two": "zwei", "three": "drei"}
CONTRACTED = {
    "in dem": "im", "an dem": "am", "zu dem": "zum", "zu der": "zur", "von dem": "vom", "in das": "ins",
}  # fmt: skip


def german(clause: Clause) -> str:
    """Put a clause into words, without a capital and a full stop."""
    subject = " und ".join(phrase(one, NOMINATIVE) for one in clause.subjects)
    verb, middle = _finite(clause), _middle(clause)
    if clause.form == "where":
        return f"wo {verb} {subject}"
    if clause.form == "who":
        return join("wer", verb, middle)
    if clause.form == "question":
        return join(verb, subject, middle)
    if clause.opener:
        return join(clause.opener.german, verb, subject, middle)
    words = join(subject, verb, middle)
    return f"{words}, weil {_verb_last(clause.because)}" if clause.because else words


def phrase(it: Phrase, case: str) -> str:
    """Put a noun phrase into words in its case: dem alten Löwen, einen Schlüssel, zwei Tassen."""
    if it.determiner == "":
        return it.noun.german[it.plural]
    gender = "plural" if it.plural else it.noun.german_gender
    if it.determiner == "the":
        article, pattern = ENDINGS["der", case][gender], "weak"
    elif it.determiner in NUMBERS or (it.determiner == "a" and it.plural):
        article, pattern = NUMBERS.get(it.determiner, ""), "strong"
    else:
        article, pattern = STEMS[it.determiner] + ENDINGS["ein", case][gender], "mixed"
    adjective = ""
    if it.adjective:
        adjective = it.adjective.german[0].rstrip("e") + ENDINGS[pattern, case][gender]
    return join(article, adjective, _noun(it, case))


def _noun(it: Phrase, case: str) -> str:
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
    return join(subject, _middle(clause), _finite(clause))


def _middle(clause: Clause) -> str:
    """Put what follows verb and subject into words: dative, accusative, nicht, place, quality."""
    direct, nicht = clause.direct, clause.negated
    if direct and clause.negated and direct.determiner == "a":  # kein replaces "not a"
        direct, nicht = Phrase(direct.noun, "no", direct.plural, direct.adjective), False
    quality = clause.quality.german[0] if clause.quality else ""
    if clause.quality and clause.than:
        quality = f"{clause.quality.german[1]} als {phrase(clause.than, NOMINATIVE)}"
    return join(
        phrase(clause.indirect, DATIVE) if clause.indirect else "",
        phrase(direct, DATIVE if clause.verb.dative else ACCUSATIVE) if direct else "",
        "nicht" if nicht else "",
        _where(clause.where) if clause.where else "",
        quality,
    )


def _where(where: Where) -> str:
    here = where.place.german
    origin = "aus" if here == "in" else "von"
    preposition = {"at": here, "to": "zu", "into": "in", "from": origin}[where.relation]
    place = Phrase(where.place.noun, "the", adjective=where.adjective)
    article, rest = phrase(place, ACCUSATIVE if where.relation == "into" else DATIVE).split(" ", 1)
    pair = f"{preposition} {article}"
    return f"{CONTRACTED.get(pair, pair)} {rest}"
