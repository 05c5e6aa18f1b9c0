"""Scripts are told by their letters; words are found in each, and in English they are rouge-score's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.tokenizers import DefaultTokenizer

from foundling.text.scripts import is_latin, script_of, words


@pytest.mark.parametrize(
    ("text", "script", "found"),
    [
        ("The été, IT'S 42!", "Latin", ["the", "été", "it", "s", "42"]),
        ("καλημέρα κόσμε", "other", ["καλημέρα", "κόσμε"]),
        ("Привет, мир", "other", ["привет", "мир"]),
        ("狗看见猫。", "Chinese", ["狗", "看", "见", "猫"]),
        ("猫がGPTを見る", "Japanese", ["猫", "が", "gpt", "を", "見", "る"]),
        ("개는 고양이를", "Korean", ["개는", "고양이를"]),
        ("สวัสดี", "unspaced", ["ส", "วั", "ส", "ดี"]),
        ("नमस्ते दुनिया", "other", ["नमस्ते", "दुनिया"]),
        ("12 🦊 !", "Latin", ["12"]),
    ],
)
def test_each_script_is_told_and_cut_into_words(text: str, script: str, found: list[str]) -> None:
    assert script_of([text]) == script
    assert words(text) == found
    assert is_latin([text]) == (script == "Latin" or text == "12 🦊 !")


@given(st.text(st.characters(max_codepoint=127)))
def test_words_in_ascii_are_those_of_rouge_score(text: str) -> None:
    assert words(text) == DefaultTokenizer().tokenize(text)
