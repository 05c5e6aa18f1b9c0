"""Sentence pairs: gold sentences for each gender, case, elision and agreement; splits; equal bytes."""

import hashlib
from dataclasses import replace
from random import Random

import pytest

from foundling.fables import lexicon
from foundling.fables.clause_kinds import combination, reason
from foundling.fables.clauses import Clause, Phrase, Where
from foundling.fables.english import english
from foundling.fables.french import french
from foundling.fables.french import phrase as french_phrase
from foundling.fables.german import ACCUSATIVE, DATIVE, NOMINATIVE, german
from foundling.fables.german import phrase as german_phrase
from foundling.fables.pairs import pairs

GROUPS = (
    lexicon.ANIMAL_NOUNS,
    lexicon.PERSON_NOUNS,
    lexicon.CHILD_NOUNS,
    lexicon.THING_NOUNS,
    lexicon.FOOD_NOUNS,
)
NOUNS = {noun.english[0]: noun for group in GROUPS for noun in group}
PLACES = {place.noun.english[0]: place for place in lexicon.PLACE_NOUNS}
QUALITIES = {one.english[0]: one for one in lexicon.SIZES + lexicon.NATURES + lexicon.LOOKS + lexicon.COLOURS}
VERB_GROUPS = (lexicon.HANDLE, lexicon.MEET, lexicon.SERVE, lexicon.GIVE, lexicon.ACT)
VERBS = {
    verb.english[0]: verb
    for group in ([lexicon.BE, lexicon.HAVE, lexicon.EAT], *VERB_GROUPS)
    for verb in group
}


def np(words: str) -> Phrase:
    """Read "the old lion" or "two keys" back into a phrase."""
    determiner, *adjective, noun = words.split()
    plural = noun not in NOUNS
    if plural:
        noun = next(one for one in NOUNS if NOUNS[one].english[1] == noun)
    determiner = "a" if determiner in ("an", "some") else determiner
    return Phrase(NOUNS[noun], determiner, plural, QUALITIES[adjective[0]] if adjective else None)


def say(subjects: str, verb: str, **parts) -> Clause:
    return Clause(tuple(np(one) for one in subjects.split(" and ")), VERBS[verb], **parts)


def where(place: str, relation: str = "at", adjective: str = "") -> Where:
    return Where(relation, PLACES[place], QUALITIES[adjective] if adjective else None)


@pytest.mark.parametrize(
    ("words", "nominative", "accusative", "dative"),
    [
        ("the fox", "der Fuchs", "den Fuchs", "dem Fuchs"),
        ("the lion", "der Löwe", "den Löwen", "dem Löwen"),
        ("the cat", "die Katze", "die Katze", "der Katze"),
        ("the horse", "das Pferd", "das Pferd", "dem Pferd"),
        ("the dogs", "die Hunde", "die Hunde", "den Hunden"),
        ("the birds", "die Vögel", "die Vögel", "den Vögeln"),
        ("the scarves", "die Schals", "die Schals", "den Schals"),
        ("the old fox", "der alte Fuchs", "den alten Fuchs", "dem alten Fuchs"),
        ("the old cat", "die alte Katze", "die alte Katze", "der alten Katze"),
        ("the old horse", "das alte Pferd", "das alte Pferd", "dem alten Pferd"),
        ("the old cats", "die alten Katzen", "die alten Katzen", "den alten Katzen"),
        ("a tired bear", "ein müder Bär", "einen müden Bären", "einem müden Bären"),
        ("a big goose", "eine große Gans", "eine große Gans", "einer großen Gans"),
        ("a small child", "ein kleines Kind", "ein kleines Kind", "einem kleinen Kind"),
        ("my brave boy", "mein mutiger Junge", "meinen mutigen Jungen", "meinem mutigen Jungen"),
        ("my white hens", "meine weißen Hennen", "meine weißen Hennen", "meinen weißen Hennen"),
        ("two red apples", "zwei rote Äpfel", "zwei rote Äpfel", "zwei roten Äpfeln"),
        ("some new keys", "neue Schlüssel", "neue Schlüssel", "neuen Schlüsseln"),
    ],
)
def test_german_declines(words, nominative, accusative, dative):
    cases = [german_phrase(np(words), case) for case in (NOMINATIVE, ACCUSATIVE, DATIVE)]
    assert cases == [nominative, accusative, dative]


@pytest.mark.parametrize(
    ("words", "gold"),
    [
        ("the lion", "le lion"),
        ("the mouse", "la souris"),
        ("the bear", "l'ours"),
        ("the goose", "l'oie"),
        ("the owl", "le hibou"),
        ("the hedgehog", "le hérisson"),
        ("the axe", "la hache"),
        ("the man", "l'homme"),
        ("the old man", "le vieil homme"),
        ("the old bear", "le vieil ours"),
        ("the old owl", "le vieux hibou"),
        ("the old women", "les vieilles femmes"),
        ("a new hat", "un nouveau chapeau"),
        ("a beautiful egg", "un bel œuf"),
        ("a beautiful picture", "une belle image"),
        ("some beautiful hats", "de beaux chapeaux"),
        ("some old oranges", "de vieilles oranges"),
        ("some red keys", "des clés rouges"),
        ("the white horses", "les chevaux blancs"),
        ("the white geese", "les oies blanches"),
        ("the happy queen", "la reine heureuse"),
        ("the happy kings", "les rois heureux"),
        ("my ladder", "mon échelle"),
        ("my old ladder", "ma vieille échelle"),
        ("my axe", "ma hache"),
        ("my nuts", "mes noix"),
        ("two round stones", "deux pierres rondes"),
        ("no egg", "d'œuf"),
        ("no owl", "de hibou"),
    ],
)
def test_french_agrees_and_elides(words, gold):
    assert french_phrase(np(words)) == gold


SENTENCES = [
    (
        say("the lion", "be", where=where("forest")),
        "the lion is in the forest",
        "der Löwe ist im Wald",
        "le lion est dans la forêt",
    ),
    (
        say("the cat and the goose", "be", past=True, where=where("lake")),
        "the cat and the goose were by the lake",
        "die Katze und die Gans waren am See",
        "le chat et l'oie étaient au bord du lac",
    ),
    (
        say("the bears", "see", past=True, negated=True, direct=np("the lion")),
        "the bears did not see the lion",
        "die Bären sahen den Löwen nicht",
        "les ours n'ont pas vu le lion",
    ),
    (
        say("the farmer", "have", negated=True, direct=np("an egg")),
        "the farmer does not have an egg",
        "der Bauer hat kein Ei",
        "le fermier n'a pas d'œuf",
    ),
    (
        say("the dog", "find", past=True, direct=np("the key"), opener=lexicon.THEN[0]),
        "yesterday the dog found the key",
        "gestern fand der Hund den Schlüssel",
        "hier, le chien a trouvé la clé",
    ),
    (
        say("the girl", "help", direct=np("the old monkey")),
        "the girl helps the old monkey",
        "das Mädchen hilft dem alten Affen",
        "la fille aide le vieux singe",
    ),
    (
        say("the queen", "give", past=True, indirect=np("the donkeys"), direct=np("a white flower")),
        "the queen gave the donkeys a white flower",
        "die Königin gab den Eseln eine weiße Blume",
        "la reine a donné une fleur blanche aux ânes",
    ),
    (
        say("the hen", "show", indirect=np("the wolf"), direct=np("my book")),
        "the hen shows the wolf my book",
        "die Henne zeigt dem Wolf mein Buch",
        "la poule montre mon livre au loup",
    ),
    (
        replace(say("the cows and the goat", "be"), verb=lexicon.GO, past=True, where=where("well", "to")),
        "the cows and the goat went to the well",
        "die Kühe und die Ziege gingen zum Brunnen",
        "les vaches et la chèvre sont allées au puits",
    ),
    (
        replace(say("the fox and the hen", "be"), verb=lexicon.GO, past=True, where=where("meadow", "to")),
        "the fox and the hen went to the meadow",
        "der Fuchs und die Henne gingen zur Wiese",
        "le renard et la poule sont allés au pré",
    ),
    (
        replace(say("the bee", "be"), verb=lexicon.ENTER, past=True, where=where("house", "into")),
        "the bee went into the house",
        "die Biene ging ins Haus",
        "l'abeille est entrée dans la maison",
    ),
    (
        replace(say("the bee", "be"), verb=lexicon.ENTER, where=where("garden", "into", "old")),
        "the bee goes into the old garden",
        "die Biene geht in den alten Garten",
        "l'abeille entre dans le vieux jardin",
    ),
    (
        replace(say("the tortoise", "be"), verb=lexicon.COME, past=True, where=where("castle", "from")),
        "the tortoise came from the castle",
        "die Schildkröte kam aus dem Schloss",
        "la tortue est venue du château",
    ),
    (
        replace(say("the owls", "be"), verb=lexicon.COME, negated=True, where=where("mountain", "from")),
        "the owls do not come from the mountain",
        "die Eulen kommen nicht vom Berg",
        "les hiboux ne viennent pas de la montagne",
    ),
    (
        say("the mouse", "be", quality=QUALITIES["small"], than=np("an elephant")),
        "the mouse is smaller than an elephant",
        "die Maus ist kleiner als ein Elefant",
        "la souris est plus petite qu'un éléphant",
    ),
    (
        say("the geese", "be", past=True, quality=QUALITIES["happy"]),
        "the geese were happy",
        "die Gänse waren glücklich",
        "les oies étaient heureuses",
    ),
    (
        say("an eagle", "sleep", past=True, form="question", where=where("roof")),
        "did an eagle sleep on the roof",
        "schlief ein Adler auf dem Dach",
        "est-ce qu'un aigle a dormi sur le toit",
    ),
    (say("the boy", "be", form="where"), "where is the boy", "wo ist der Junge", "où est le garçon"),
    (
        Clause((), VERBS["follow"], form="who", direct=np("the camel")),
        "who follows the camel",
        "wer folgt dem Kamel",
        "qui suit le chameau",
    ),
]


@pytest.mark.parametrize(("clause", "first", "second", "third"), SENTENCES, ids=[row[1] for row in SENTENCES])
def test_gold_sentences(clause, first, second, third):
    assert (english(clause), german(clause), french(clause)) == (first, second, third)


def test_a_reason_sends_the_german_verb_to_the_end_and_takes_the_noun_s_gender():
    clause = say("the mouse", "be", quality=QUALITIES["sad"])
    reasons = [reason(Random(seed), clause) for seed in range(30)]
    lack = next(one for one in reasons if one.direct and one.negated)
    lack = replace(lack, direct=np("an apple"))
    because = replace(clause, because=lack)
    assert english(because) == "the mouse is sad because it does not have an apple"
    assert german(because) == "die Maus ist traurig, weil sie keinen Apfel hat"
    assert french(because) == "la souris est triste parce qu'elle n'a pas de pomme"


def test_every_noun_s_articles_fit_its_gender():
    for noun in NOUNS.values():
        article = {"m": "der", "f": "die", "n": "das"}[noun.german_gender]
        assert german_phrase(Phrase(noun, "the"), NOMINATIVE) == f"{article} {noun.german[0]}"
        assert not noun.weak or noun.german_gender == "m"
        assert french_phrase(Phrase(noun, "a")).split()[0] == {"m": "un", "f": "une"}[noun.french_gender]
        elided = french_phrase(Phrase(noun, "the")).startswith("l'")
        assert elided == (noun.french[0][0] in "aeioéâœ" or (noun.french[0][0] == "h" and not noun.aspirated))


@pytest.mark.parametrize("language", ["german", "french"])
def test_no_sentence_and_no_combination_is_in_two_splits(language):
    train, validation, test = (
        {r["source"].lower().rstrip(".?") for r in pairs(1, 3000, language, split)}
        for split in ("train", "validation", "test")
    )
    assert not train & test
    assert not train & validation
    assert not validation & test


def test_the_combination_does_not_see_number_tense_or_adjectives():
    one = say("the old lion", "see", direct=np("the key"))
    other = say("two lions", "see", past=True, negated=True, direct=np("my new keys"))
    assert combination(one) == combination(other) == ["lion", "see", "key"]


def test_every_word_of_the_test_is_trained_on():
    words = [{w for r in pairs(1, n, "german", split) for w in r["target"].lower().split()}
             for n, split in ((20000, "train"), (2000, "test"))]  # fmt: skip
    assert len(words[1] - words[0]) <= 3


@pytest.mark.parametrize(
    ("language", "pin"), [("german", "cf6b4f04e29583f6"), ("french", "eb0ea51790b18906")]
)
def test_equal_seeds_give_equal_bytes(language, pin):
    lines = [f"{r['source']}\t{r['target']}" for r in pairs(1, 300, language, "train")]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] == pin


def test_both_languages_have_the_same_sources():
    assert [r["source"] for r in pairs(2, 200, "german", "test")] == [
        r["source"] for r in pairs(2, 200, "french", "test")
    ]


@pytest.mark.parametrize("language", ["german", "french"])
def test_sentences_look_right(language):
    records = list(pairs(3, 3000, language, "train"))
    for r in records:
        assert (r["source"][-1] in ".?") == (r["target"][-1] in ".?")
        assert r["source"][0].isupper() == r["target"][0].isupper()
        for text in r.values():
            assert "  " not in text and not text.endswith(" ")  # noqa: PT018
    assert len({r["source"] for r in records}) > 0.95 * len(records)
    wrong = {
        "german": ("in dem ", "zu der ", "an dem "),
        "french": (" de le ", " à le ", "le a", "que il", "ne a"),
    }
    assert not [r for r in records for part in wrong[language] if f" {part.strip()} " in f" {r['target']} "]


def test_other_languages_and_splits_are_refused():
    with pytest.raises(ValueError, match="german, french"):
        next(pairs(1, 1, "latin", "train"))
    with pytest.raises(ValueError, match="choose one of train"):
        next(pairs(1, 1, "german", "dev"))
