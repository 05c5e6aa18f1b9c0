"""Characters that a vocabulary lacks are reported before training: counted, or as an error with the fix."""

from collections import Counter

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from foundling.data.unknown import REPLACED, count_unknown
from foundling.text.library_tokenizer import LibraryTokenizer
from foundling.text.tokenizer import END_OF_TEXT, UNKNOWN
from foundling.text.vocabularies import characters, train_bpe


def test_unknown_characters_are_counted_or_refused(caplog: pytest.LogCaptureFixture) -> None:
    changes: Counter[str] = Counter()
    known, old = characters(["the fox"], [END_OF_TEXT, UNKNOWN]), characters(["the fox"])
    count_unknown(known, ["the fox", "o"], "instruct", changes)
    count_unknown(old, ["the fox"], "instruct", changes)
    count_unknown(train_bpe(["fox"], 260), ["日"], "instruct", changes)
    assert not changes
    assert not caplog.text
    count_unknown(known, ["a fox", "a hat, 日"], "instruct", changes)
    assert changes == {REPLACED.format(UNKNOWN): 5}
    assert "lacks 5 characters, 3 different ones (as 'a', ',', '日'); they become <|unknown|>" in caplog.text
    with pytest.raises(
        ValueError, match=r"instruct: .* vocabulary of 7 lacks 1 characters.*use tokenizer=bpe, or add"
    ):
        count_unknown(old, ["é"], "instruct", changes)


def test_a_published_vocabulary_is_not_called_a_character_vocabulary(
    caplog: pytest.LogCaptureFixture,
) -> None:
    words = Tokenizer(models.WordPiece({"[UNK]": 0, "[SEP]": 1, "fox": 2}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.add_special_tokens(["[UNK]", "[SEP]"])
    changes: Counter[str] = Counter()
    count_unknown(LibraryTokenizer(words.to_str(), {"sep_token": "[SEP]"}), ["fox 日"], "instruct", changes)
    assert changes == {"changed: characters that the vocabulary lacks to [UNK]": 1}
    assert "the base's vocabulary lacks 1 characters, 1 different ones (as '日')" in caplog.text
