"""Express a clause in French: agreement, elision (l'ours), contraction (du, au), ne … pas, the past tense."""

from foundling.fables.clauses import Clause, Phrase, Where, join
from foundling.fables.lexicon import Adjective, Noun

CONTRACTED = {("de", "le"): "du", ("de", "les"): "des", ("à", "le"): "au", ("à", "les"): "aux"}
THE = {"m": "le", "f": "la"}
A = {"m": "un", "f": "une"}
MY = {"m": "mon", "f": "ma"}
NUMBERS = {"two": "deux", "three": "trois"}
AUXILIARY = {True: ("est", "sont"), False: ("a", "ont")}  # être and avoir, for one and for many


def french(clause: Clause) -> str:
    """Put a clause into words, without a capital and a full stop."""
    subject = " et ".join(phrase(one) for one in clause.subjects)
    if clause.form == "where":
        return f"où {_predicate(clause)} {subject}"
    if clause.form == "who":
        return f"qui {_predicate(clause)}"
    words = f"{subject} {_predicate(clause)}"
    if clause.form == "question":
        return _elide("est-ce que", words)
    if clause.opener:
        return f"{clause.opener.french} {words}"
    return f"{words} {_elide('parce que', french(clause.because))}" if clause.because else words


def phrase(it: Phrase) -> str:
    """Put a noun phrase into words: le vieil ours, l'âne, des clés, de petites clés, mon échelle."""
    if it.determiner == "":
        return it.noun.french[it.plural]
    words = _noun(it)
    gender = it.noun.french_gender
    if it.determiner in NUMBERS:
        return f"{NUMBERS[it.determiner]} {words}"
    if it.determiner == "the":
        return f"les {words}" if it.plural else _elide(THE[gender], words, it.noun)
    if it.determiner == "my":
        if it.plural:
            return f"mes {words}"
        return f"{'mon' if _vowel(words, it.noun) else MY[gender]} {words}"
    if it.determiner == "no":
        return _elide("de", words, it.noun)
    if it.plural:
        return _elide("de", words, it.noun) if it.adjective and it.adjective.before else f"des {words}"
    return f"{A[gender]} {words}"


def agree(adjective: Adjective, feminine: bool, plural: bool, before_vowel: bool = False) -> str:
    """Return the adjective's form: vieux, vieil, vieille, vieilles."""
    masculine, feminine_form, vowel = adjective.french
    form = feminine_form if feminine else masculine
    if plural:
        return _many(form)
    return vowel if before_vowel and not feminine else form


def _many(word: str) -> str:
    if word[-1] in "sx":
        return word
    return word + ("x" if word.endswith("eau") else "s")


def _noun(it: Phrase) -> str:
    """Put noun and adjective into words, without the article."""
    noun = it.noun.french[it.plural]
    if not it.adjective:
        return noun
    adjective = agree(it.adjective, it.noun.french_gender == "f", it.plural, _vowel(noun, it.noun))
    return f"{adjective} {noun}" if it.adjective.before else f"{noun} {adjective}"


def _predicate(clause: Clause) -> str:
    """Put into words the verb, its negation and all that follows."""
    finite, participle = _verb(clause)
    if clause.negated:
        finite = f"{_elide('ne', finite)} pas"
    direct = clause.direct
    if direct and clause.negated and direct.determiner == "a":
        direct = Phrase(direct.noun, "no", direct.plural, direct.adjective)
    return join(
        finite,
        participle,
        phrase(direct) if direct else "",
        _contract("à", phrase(clause.indirect)) if clause.indirect else "",
        _quality(clause) if clause.quality else "",
        _where(clause.where) if clause.where else "",
    )


def _verb(clause: Clause) -> tuple[str, str]:
    """Return the finite form and, in the passé composé, the participle."""
    verb = clause.verb
    if not clause.past:
        return verb.french[clause.many], ""
    if verb.imperfect[0]:
        return verb.imperfect[clause.many], ""
    participle = verb.participle
    if verb.with_etre:  # the participle agrees with the subject
        participle += ("e" if _feminine(clause) else "") + ("s" if clause.many else "")
    return AUXILIARY[verb.with_etre][clause.many], participle


def _feminine(clause: Clause) -> bool:
    return bool(clause.subjects) and all(one.noun.french_gender == "f" for one in clause.subjects)


def _quality(clause: Clause) -> str:
    assert clause.quality
    adjective = agree(clause.quality, _feminine(clause), clause.many)
    return f"plus {adjective} {_elide('que', phrase(clause.than))}" if clause.than else adjective


def _where(where: Where) -> str:
    here = where.place.french
    preposition = {"at": here, "to": "à", "into": "dans", "from": "de"}[where.relation]
    return _contract(preposition, phrase(Phrase(where.place.noun, "the", adjective=where.adjective)))


def _contract(preposition: str, words: str) -> str:
    """Contract de + le to du, à + les to aux."""
    *before, last = preposition.split()
    article, _, rest = words.partition(" ")
    pair = CONTRACTED.get((last, article))
    return " ".join([*before, pair, rest] if pair else [preposition, words])


def _elide(word: str, following: str, noun: Noun | None = None) -> str:
    """Drop the vowel of le, la, de, ne and que before another: l'ours, d'œufs, n'est, qu'il."""
    return f"{word[:-1]}'{following}" if _vowel(following, noun) else f"{word} {following}"


def _vowel(words: str, noun: Noun | None = None) -> bool:
    """Whether the words begin with a vowel sound; a noun's h is one unless it is aspirated."""
    if words[0] == "h":
        return noun is not None and words.startswith(noun.french) and not noun.aspirated
    return words[0] in "aeiouâéèêîœ"
