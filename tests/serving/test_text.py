"""Text is sent in complete characters, and stops before the first stop string wherever tokens end."""

from hypothesis import given
from hypothesis import strategies as st

from foundling.serving.stream import Token
from foundling.serving.text import Piece, TextBuilder, joined

from .conftest import TOKENIZER

TEXT = st.text(alphabet="ab€\n", max_size=30)
STOPS = st.lists(st.text(alphabet="ab€", min_size=1, max_size=4), max_size=3)


def pieces(text: str, stop: list[str]) -> tuple[list[Piece], TextBuilder]:
    """A byte for each token, as the tests' tokenizer has it."""
    builder = TextBuilder(TOKENIZER, stop)
    sent = [builder.add(Token(number)) for number in TOKENIZER.encode(text)]
    return [*sent, builder.finish()], builder


@given(TEXT, STOPS)
def test_the_text_is_all_before_the_first_stop_string(text: str, stop: list[str]) -> None:
    sent, builder = pieces(text, stop)
    # the stop string that is complete first; of those that end at the same place, the one that starts first
    ends = [(text.index(one) + len(one), text.index(one)) for one in stop if one in text]
    cut = text if not ends else text[: min(start for end, start in ends if end == min(ends)[0])]
    assert joined(sent).text == cut
    assert builder.stopped == bool(ends)


@given(TEXT, STOPS)
def test_what_was_sent_is_never_taken_back(text: str, stop: list[str]) -> None:
    sent, _ = pieces(text, stop)
    for count in range(len(sent)):
        assert text.startswith(joined(sent[:count]).text)


@given(TEXT, STOPS)
def test_tokens_are_sent_with_the_text_that_they_start_in(text: str, stop: list[str]) -> None:
    whole = joined(pieces(text, stop)[0])
    data = text.encode()
    assert [token.id for token in whole.tokens] == list(data[: len(whole.tokens)])
    assert list(whole.starts) == [len(data[:at].decode(errors="ignore")) for at in range(len(whole.tokens))]
    assert len(whole.tokens) == len(whole.text.encode())


def test_bytes_of_an_incomplete_character_are_replaced_at_the_end() -> None:
    builder = TextBuilder(TOKENIZER)
    sent = [builder.add(Token(number)) for number in "é".encode()[:1]]
    assert joined(sent) == Piece()
    assert builder.finish() == Piece("�", (Token("é".encode()[0]),), (0,))
