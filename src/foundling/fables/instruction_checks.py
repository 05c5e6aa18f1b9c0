"""Is this answer right? `check(record, answer)` by rules, one per kind, so that every right wording counts.

Closed answers (facts, text questions) may be full sentences or single words but must name what is right and nothing
else; sentences to rewrite or translate must agree word for word; summaries, continuations and quiz questions are free
within what their story says.
"""

import re
from collections.abc import Callable, Iterable

from foundling.fables.facts import ATTRIBUTES, FACTS
from foundling.fables.instruction_scenes import (
    COLOURS,
    CONTINUATIONS,
    FOODS,
    GLAD,
    OBJECTS,
    PEOPLE,
    PLACES,
    SAD,
    SUMMARIES,
)
from foundling.fables.translations import ANIMALS, EAT, GIVE, HANDLE, HAVE, MEET, SERVE

Record = dict[str, str]
VERBS = [EAT, HAVE, *HANDLE, *MEET, *SERVE, *GIVE]
PAST = {form: verb.english[2] for verb in VERBS for form in verb.english[:2]}
NAMEABLE = {*PEOPLE, *OBJECTS, *FOODS, *COLOURS, *SAD, *GLAD, *(place.split()[-1] for place in PLACES)}
PLURALS = {form: noun.english[0] for noun in ANIMALS for form in noun.english}


def check(record: Record, answer: str) -> bool:
    """Whether `answer` fulfils the record's instruction."""
    answer = " ".join(answer.replace("’", "'").split())
    return bool(answer) and CHECKS[record["kind"]](record, answer)


def _plain(text: str) -> str:
    """Lower case, contractions written out, no closing mark: what two equal sentences have in common."""
    text = text.lower().replace("can't", "can not").replace("won't", "will not")
    return re.sub(r"\s*[.!?]+$", "", re.sub(r"n't\b", " not", text)).strip()


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text)


def _holds(text: str, phrase: str) -> bool:
    return re.search(rf"\b{re.escape(phrase.lower())}\b", text.lower()) is not None


def _names(text: str, candidates: Iterable[str]) -> set[str]:
    return {candidate for candidate in candidates if _holds(text, candidate)}


def _denies(text: str) -> bool:
    return re.search(r"\b(not|no|never)\b", _plain(text)) is not None


def _same(record: Record, answer: str) -> bool:
    return _plain(answer) == _plain(record["output"])


def _fact(record: Record, answer: str) -> bool:
    question = record["input"] or record["instruction"]
    (animal,) = _names(question, FACTS)
    attribute = next(name for name, form in ATTRIBUTES.items() if _asks(question, animal, form.questions))
    values = {facts[attribute] for facts in FACTS.values()}
    right = FACTS[animal][attribute]
    others = {value for value in values if value not in right}
    strangers = _names(answer.replace(right, ""), set(FACTS) - {animal})
    wrong = _names(answer, map(_kernel, others)) | strangers
    return _holds(answer, _kernel(right)) and not wrong and not _denies(answer)


def _asks(question: str, animal: str, questions: tuple[str, ...]) -> bool:
    return any(_plain(question) == _plain(one.format(animal=animal)) for one in questions)


def _kernel(value: str) -> str:
    """What of "in the forest" must be named: the forest, without its preposition."""
    return value.split(" the ")[-1]


def _list(record: Record, answer: str) -> bool:
    question = record["input"] or record["instruction"]
    pairs = {pair for facts in FACTS.values() for pair in facts.items()}
    attribute, value = next((n, v) for n, v in pairs if _plain(ATTRIBUTES[n].which.format(value=v)) == _plain(question))
    named = {PLURALS[word] for word in _words(answer.lower()) if word in PLURALS}
    return len(named) >= 2 and not _denies(answer) and all(FACTS.get(one, {}).get(attribute) == value for one in named)


def _comprehension(record: Record, answer: str) -> bool:
    question = re.split(r"(?<=\.) ", record["input"])[-1]
    named = _names(record["output"], NAMEABLE)
    right = named - _names(question, NAMEABLE)
    return right <= _names(answer, NAMEABLE) <= named | _names(question, NAMEABLE) and not _denies(answer)


def _sentiment(record: Record, answer: str) -> bool:
    return _names(answer, ("positive", "negative")) == {_plain(record["output"])} and not _denies(answer)


def _one_sentence(answer: str) -> bool:
    return re.fullmatch(r"[A-Z][^.!?]*[.!?]", answer) is not None


def _summary(record: Record, answer: str) -> bool:
    """One short sentence in which the right person does what matters."""
    words, people = _words(answer), [word for word in _words(record["output"].replace("'s", "")) if word in PEOPLE]
    if not _one_sentence(answer) or len(words) > 20 or len(words) >= len(_words(record["input"])):
        return False
    if _names(answer, PEOPLE) != set(people) or _names(answer, OBJECTS) - _names(record["input"], OBJECTS):
        return False
    stems = next(stems for _, _, cue, stems in SUMMARIES if cue in record["input"])
    deed = re.search(rf"\b({'|'.join(stems)})\b", answer)
    if deed is None or _denies(answer[: deed.start()]):
        return False
    if f"{people[0]} and {people[1]}" in record["output"]:
        return True
    doers = [word for word in _words(answer[: deed.start()].replace("'s ", " ")) if word in PEOPLE]
    if re.search(r"\b(was|were)\s+$", answer[: deed.start()]):
        return f"by {people[0]}" in answer[deed.end() :]
    return doers[-1:] == people[:1]


def _continuation(record: Record, answer: str) -> bool:
    """One or two new sentences about the same people that do what the story asks for."""
    given = record["input"]
    people, words = _names(given, PEOPLE), _words(answer)
    stems = next(stems for _, _, cue, stems in CONTINUATIONS if cue in given)
    whole = re.fullmatch(r"[A-Z][^.!?]*[.!?]( [A-Z][^.!?]*[.!?])?", answer) is not None
    pronouns = {PEOPLE[one] for one in people} | {"they"}
    spoken = {word.lower() for word in words} & {"he", "she", "they"}
    foods = _names(given, FOODS)
    return (
        whole
        and 3 <= len(words) <= 30
        and answer not in given
        and _names(answer, PEOPLE) <= people
        and spoken <= pronouns
        and (not foods or _names(answer, FOODS) <= foods)
        and bool(spoken or _names(answer, PEOPLE))
        and any(_holds(answer, stem) for stem in stems)
    )


def _past(record: Record, answer: str) -> bool:
    return _same(record, answer)


def _grammar(record: Record, answer: str) -> bool:
    """The mended sentence; where the verb's form was the mistake, its past tense mends it too."""
    gold = _plain(record["output"])
    past = " ".join(PAST.get(word, word) for word in gold.split())
    mended = {gold} if any(f" {word} " in gold for word in ("not", "is", "are")) else {gold, past}
    return _plain(answer) in mended


def _ordering(record: Record, answer: str) -> bool:
    return re.findall(r"\b[ABC]\b", answer) == re.findall(r"\b[ABC]\b", record["output"])


def _choices(record: Record, answer: str) -> bool:
    """A question about the sentence with four choices, of which the lettered one alone stands in the sentence."""
    form = r"([A-Z][^?]*\?) A\) (.+?),? B\) (.+?),? C\) (.+?),? D\) (.+?)[.,]? Answer: ([ABCD])\b.*"
    parts = re.fullmatch(form, answer)
    if parts is None:
        return False
    question, *options, letter = parts.groups()
    given, right = record["input"], options["ABCD".index(letter)]
    told = {word.lower() for word in _words(given)} - {"the", "a", "an", "is", "are", "in", "on", "by"}
    about = {word.lower() for word in _words(question)} & told
    standing = [option for option in options if _holds(given, option)]
    return len(set(options)) == 4 and bool(about) and standing == [right] and not _holds(question, right)


CHECKS: dict[str, Callable[[Record, str], bool]] = {
    "fact": _fact,
    "list": _list,
    "comprehension": _comprehension,
    "sentiment": _sentiment,
    "summary": _summary,
    "past": _past,
    "plural": _same,
    "opposite": _same,
    "ordering": _ordering,
    "choices": _choices,
    "grammar": _grammar,
    "french": _same,
    "continuation": _continuation,
}
