"""The language-independent content of a sentence; english.py, german.py and french.py express it in words."""

from dataclasses import dataclass

from foundling.fables.lexicon import Adjective, Noun, Opener, Place, Verb


@dataclass(frozen=True)
class Phrase:
    """A noun phrase: "the old lion", "two keys", "my dogs"; a pronoun is a noun with the determiner ""."""

    noun: Noun
    determiner: str  # the, a (none in the plural), my, two, three, or "" for a pronoun
    plural: bool = False
    adjective: Adjective | None = None


@dataclass(frozen=True)
class Where:
    """A place and how the verb relates to it: at (in the forest), to, into or from."""

    relation: str
    place: Place
    adjective: Adjective | None = None


@dataclass(frozen=True)
class Clause:
    """Who does what, where and when; all parts but subject and verb are optional."""

    subjects: tuple[Phrase, ...]  # empty in "Who sees the fox?"
    verb: Verb
    past: bool = False
    negated: bool = False
    direct: Phrase | None = None
    indirect: Phrase | None = None
    where: Where | None = None
    quality: Adjective | None = None
    than: Phrase | None = None  # "bigger than the fox"
    opener: Opener | None = None
    form: str = "statement"  # statement, question, where, who
    because: "Clause | None" = None

    @property
    def many(self) -> bool:
        """Whether the verb is in the plural."""
        return len(self.subjects) > 1 or (len(self.subjects) == 1 and self.subjects[0].plural)


def join(*words: str) -> str:
    """Join those words that are not empty."""
    return " ".join(word for word in words if word)
