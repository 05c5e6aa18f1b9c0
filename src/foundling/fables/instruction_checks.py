"""Rules for right answers: `check(record, answer)` has one rule per kind, which accepts all correct wordings.

Closed answers (facts, questions about a text) may be full sentences or single words, but must name the right
thing and nothing else; rewritten or translated sentences must match word for word; summaries, continuations
and quiz questions may be worded freely, but must be consistent with their story. In a conversation, an answer
needs a phrase of its topic, and a clarification what the previous answer said.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from foundling.fables.conversation import CLARIFICATION, TOPICS
from foundling.fables.facts import ATTRIBUTES, FACTS
from foundling.fables.lexicon import ANIMAL_NOUNS, EAT, GIVE, HANDLE, HAVE, MEET, NAMES, SCENE_WORDS, SERVE
from foundling.fables.scenes import CONTINUATIONS, SUMMARIES

Record = dict[str, Any]
THINGS, FOODS = SCENE_WORDS["things"], SCENE_WORDS["foods"]
NAMEABLE = {*NAMES, *(word.split()[-1] for words in SCENE_WORDS.values() for word in words)}
VERBS = (EAT, HAVE, *HANDLE, *MEET, *SERVE, *GIVE)
PAST = {form: verb.english[2] for verb in VERBS for form in verb.english[:2]}
SINGULAR = {form: noun.english[0] for noun in ANIMAL_NOUNS for form in noun.english}


def check(record: Record, answer: str) -> bool:
    """Whether `answer` fulfils the record's instruction."""
    answer = " ".join(answer.replace("’", "'").split())
    return bool(answer) and CHECKS[record["kind"].split("/")[0]](record, answer)


# --- texts ----------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    """Lower case, contractions written out, no closing mark: equal sentences become equal strings."""
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


def _is_one_sentence(answer: str) -> bool:
    return re.fullmatch(r"[A-Z][^.!?]*[.!?]", answer) is not None


def _question(record: Record) -> str:
    """The question of a fact or a list, which is in the instruction if there is no input."""
    return record["input"] or record["instruction"]


# --- closed answers -------------------------------------------------------------------------------


def _same(record: Record, answer: str) -> bool:
    return _plain(answer) == _plain(record["output"])


def _fact(record: Record, answer: str) -> bool:
    question = _plain(_question(record))
    (animal,) = _names(question, FACTS)
    asked = {
        name: [_plain(q.format(animal=animal)) for q in one.questions] for name, one in ATTRIBUTES.items()
    }
    attribute = next(name for name, questions in asked.items() if question in questions)
    right = FACTS[animal][attribute]
    values = {facts[attribute] for facts in FACTS.values()}
    wrong = {_kernel(value) for value in values if value not in right}
    other_animals = set(FACTS) - {animal}
    if _names(answer, wrong) or _names(answer.replace(right, ""), other_animals):
        return False
    return _holds(answer, _kernel(right)) and not _denies(answer)


def _kernel(value: str) -> str:
    """What an answer must name of "in the forest": the forest, without its preposition."""
    return value.split(" the ")[-1]


def _list(record: Record, answer: str) -> bool:
    question = _plain(_question(record))
    pairs = {pair for facts in FACTS.values() for pair in facts.items()}
    attribute, value = next(
        (a, v) for a, v in pairs if _plain(ATTRIBUTES[a].which.format(value=v)) == question
    )
    animals = {SINGULAR[word] for word in _words(answer.lower()) if word in SINGULAR}
    are_right = all(FACTS.get(animal, {}).get(attribute) == value for animal in animals)
    return len(animals) >= 2 and are_right and not _denies(answer)


def _comprehension(record: Record, answer: str) -> bool:
    question = _names(re.split(r"(?<=\.) ", record["input"])[-1], NAMEABLE)
    output = _names(record["output"], NAMEABLE)
    required, allowed = output - question, output | question
    return required <= _names(answer, NAMEABLE) <= allowed and not _denies(answer)


def _sentiment(record: Record, answer: str) -> bool:
    return _names(answer, ("positive", "negative")) == {_plain(record["output"])} and not _denies(answer)


def _grammar(record: Record, answer: str) -> bool:
    """The corrected sentence, or its past tense if the verb's form was the mistake."""
    gold = _plain(record["output"])
    right = {gold}
    if not any(f" {word} " in gold for word in ("not", "is", "are")):
        right.add(" ".join(PAST.get(word, word) for word in gold.split()))
    return _plain(answer) in right


def _ordering(record: Record, answer: str) -> bool:
    return re.findall(r"\b[ABC]\b", answer) == re.findall(r"\b[ABC]\b", record["output"])


# --- free answers ---------------------------------------------------------------------------------


def _summary(record: Record, answer: str) -> bool:
    """One short sentence in which the right person does the important thing."""
    story, summary = record["input"], record["output"]
    words, people = _words(answer), [word for word in _words(summary.replace("'s", "")) if word in NAMES]
    if not _is_one_sentence(answer) or len(words) > 20 or len(words) >= len(_words(story)):
        return False
    if _names(answer, NAMES) != set(people) or _names(answer, THINGS) - _names(story, THINGS):
        return False
    deeds = next(row.deeds for row in SUMMARIES if row.cue in story)
    deed = re.search(rf"\b({'|'.join(deeds)})\b", answer)
    if deed is None or _denies(answer[: deed.start()]):
        return False
    if f"{people[0]} and {people[1]}" in summary:
        return True
    before = answer[: deed.start()]
    if re.search(r"\b(was|were)\s+$", before):
        return f"by {people[0]}" in answer[deed.end() :]
    doers = [word for word in _words(before.replace("'s ", " ")) if word in NAMES]
    return doers[-1:] == people[:1]


def _continuation(record: Record, answer: str) -> bool:
    """One or two new sentences about the same people, with what the story requires."""
    story = record["input"]
    people, words = _names(story, NAMES), _words(answer)
    if re.fullmatch(r"[A-Z][^.!?]*[.!?]( [A-Z][^.!?]*[.!?])?", answer) is None:
        return False
    if not 3 <= len(words) <= 30 or answer in story:
        return False
    spoken = {word.lower() for word in words} & {"he", "she", "they"}
    named = _names(answer, NAMES)
    if not spoken <= {"they", *(NAMES[person] for person in people)}:
        return False
    if not named <= people or not (spoken or named):
        return False
    foods = _names(story, FOODS)
    if foods and not _names(answer, FOODS) <= foods:
        return False
    deeds = next(row.deeds for row in CONTINUATIONS if row.cue in story)
    return any(_holds(answer, deed) for deed in deeds)


def _choices(record: Record, answer: str) -> bool:
    """A question about the sentence with four choices, of which only the answer is in the sentence."""
    form = r"([A-Z][^?]*\?) A\) (.+?),? B\) (.+?),? C\) (.+?),? D\) (.+?)[.,]? Answer: ([ABCD])\b.*"
    parts = re.fullmatch(form, answer)
    if parts is None:
        return False
    question, *options, letter = parts.groups()
    statement, right = record["input"], options["ABCD".index(letter)]
    content = {word.lower() for word in _words(statement)} - {"the", "a", "an", "is", "are", "in", "on", "by"}
    about = {word.lower() for word in _words(question)} & content
    if len(set(options)) < 4 or not about or _holds(question, right):
        return False
    return [option for option in options if _holds(statement, option)] == [right]


# --- conversation ---------------------------------------------------------------------------------

OTHER_WORDS = {"i", "mean", "that", "the", "a", "an", "text", "is", "and", "you", "me"}


def _conversation(record: Record, answer: str) -> bool:
    """At most two short sentences with a phrase that the topic needs, about no animal or person."""
    topic = record["kind"].split("/")[1]
    if re.fullmatch(r"[A-Z][^.!?]*[.!?]( [A-Z][^.!?]*[.!?])?", answer) is None or len(_words(answer)) > 30:
        return False
    if topic == CLARIFICATION:
        return _clarification(record, answer)
    return bool(_names(answer, TOPICS[topic].needs)) and not _names(answer, {*FACTS, *NAMES})


def _clarification(record: Record, answer: str) -> bool:
    """All that the expected answer says, and nothing about anybody or anything else."""
    expected = record["output"]
    said = set(_words(answer.lower()))
    required = set(_words(expected.lower())) - OTHER_WORDS
    others = {*NAMEABLE, *FACTS} - _names(expected, {*NAMEABLE, *FACTS})
    return required <= said and not _names(answer, others) and _denies(answer) == _denies(expected)


CHECKS: dict[str, Callable[[Record, str], bool]] = {
    "fact": _fact,
    "list": _list,
    "comprehension": _comprehension,
    "sentiment": _sentiment,
    "summary": _summary,
    "past": _same,
    "plural": _same,
    "opposite": _same,
    "ordering": _ordering,
    "choices": _choices,
    "grammar": _grammar,
    "french": _same,
    "continuation": _continuation,
    "conversation": _conversation,
}
