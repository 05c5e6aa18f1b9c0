import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundling.text.prompts import (
    ASSISTANT,
    ROLES,
    SYSTEM,
    TEMPLATES,
    USER,
    Message,
    Template,
    render,
    render_prompt,
    user_text,
)
from foundling.text.tokenizer import END_OF_TEXT, UNKNOWN, Tokenizer
from foundling.text.vocabularies import characters, train_bpe

MARKS = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|im_start|>", "<|im_end|>"]
# merges across all that meets where the pieces of a conversation join
WORDS = [
    "### Instruction:\nSay it.\n\n### Response:\nuser\nassistant\nsystem\nWe say it. <|end|>\n\n  Yes.\n"
] * 9
PLAIN, MARKED = (train_bpe(WORDS, 400, [END_OF_TEXT, *marks]) for marks in ([], MARKS))
TALK = [
    Message(USER, "Hello."),
    Message(ASSISTANT, "Good day."),
    Message(USER, "Who?"),
    Message(ASSISTANT, "Ben."),
]

texts = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from([*MARKS, END_OF_TEXT])
talks = st.lists(st.builds(Message, st.sampled_from(ROLES[1:]), texts), min_size=1, max_size=4)
templates = pytest.mark.parametrize("template", TEMPLATES.values(), ids=list(TEMPLATES))
tokenizers = pytest.mark.parametrize("tokenizer", [PLAIN, MARKED], ids=["plain", "marked"])


@templates
@tokenizers
def test_a_conversation_reads_as_its_template_says(template: Template, tokenizer: Tokenizer) -> None:
    said = [Message(SYSTEM, "Be brief."), *TALK]
    read = tokenizer.decode(render(said, template, tokenizer).ids)
    assert read == "".join(template.markers[m.role][0] + m.text + template.markers[m.role][1] for m in said)


def test_the_templates_are_the_published_ones() -> None:
    ask = Message(USER, user_text("alpaca", "Add.", "1 2"))
    assert PLAIN.decode(render_prompt([ask], TEMPLATES["alpaca"], PLAIN)) == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the "
        "request."
        "\n\n### Instruction:\nAdd.\n\n### Input:\n1 2\n\n### Response:\n"
    )
    read = {
        name: PLAIN.decode(render_prompt(TALK[:1], TEMPLATES[name], PLAIN)) for name in ("phi3", "chatml")
    }
    assert read["phi3"] == "<|user|>\nHello.<|end|>\n<|assistant|>\n"
    assert read["chatml"] == "<|im_start|>user\nHello.<|im_end|>\n<|im_start|>assistant\n"


@templates
@tokenizers
@given(talk=talks, cut=st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_a_prompt_is_a_prefix_of_the_answered_conversation(
    template: Template, tokenizer: Tokenizer, talk: list[Message], cut: int
) -> None:
    answered = [*talk, Message(ASSISTANT, "Yes.")]
    prefix = render_prompt(talk, template, tokenizer)
    assert render(answered, template, tokenizer).ids[: len(prefix)] == prefix
    first = render(talk[: cut + 1], template, tokenizer).ids
    assert render(talk, template, tokenizer).ids[: len(first)] == first


@templates
@given(talk=talks)
@settings(max_examples=30, deadline=None)
def test_what_users_write_never_becomes_a_special_token(template: Template, talk: list[Message]) -> None:
    specials = set(MARKED.special_ids.values())
    harmless = [Message(m.role, "x") for m in talk]
    found, expected = (
        [i for i in render(one, template, MARKED).ids if i in specials] for one in (talk, harmless)
    )
    assert found == expected


@templates
def test_the_loss_counts_responses_and_their_end_alone(template: Template) -> None:
    rendered = render(TALK, template, MARKED)
    counted = [i for i, counts in zip(rendered.ids, rendered.loss_mask, strict=True) if counts]
    assert MARKED.decode(counted) == f"Good day.{END_OF_TEXT}Ben.{END_OF_TEXT}"
    unended = render(TALK, template, MARKED, learn_end=False)
    counted = [i for i, counts in zip(unended.ids, unended.loss_mask, strict=True) if counts]
    assert MARKED.decode(counted) == "Good day.Ben."
    assert all(render(TALK, template, MARKED, loss_on="all").loss_mask)


@templates
@pytest.mark.parametrize("loss_on", ["answer", "all"])
def test_a_masked_message_keeps_its_ids_and_never_counts(template: Template, loss_on: str) -> None:
    talk = [TALK[0], Message(ASSISTANT, "Wrong.", masked=True), *TALK[2:]]
    plain = [TALK[0], Message(ASSISTANT, "Wrong."), *TALK[2:]]
    found, expected = (render(one, template, MARKED, loss_on=loss_on) for one in (talk, plain))
    assert found.ids == expected.ids
    counted = MARKED.decode([i for i, counts in zip(found.ids, found.loss_mask, strict=True) if counts])
    assert "Wrong." not in counted
    assert "Ben." in counted
    if loss_on == "answer":
        assert counted == f"Ben.{END_OF_TEXT}"


def test_unknown_characters_never_count() -> None:
    letters = characters(["".join(sorted({*"Hello.Gday <|usrnatm>\n"}))], [END_OF_TEXT, UNKNOWN])
    done = render([Message(USER, "Hé?"), Message(ASSISTANT, "Gé.")], TEMPLATES["phi3"], letters)
    unknown = letters.special_ids[UNKNOWN]
    assert done.ids.count(unknown) >= 3
    assert not any(counts for i, counts in zip(done.ids, done.loss_mask, strict=True) if i == unknown)
    counted = [i for i, counts in zip(done.ids, done.loss_mask, strict=True) if counts]
    assert letters.decode(counted) == f"G.{END_OF_TEXT}"


@pytest.mark.parametrize(
    "name", ["phi3", "chatml"]
)  # alpaca's markers are text, which merges with the text next to them
@given(
    talk=st.lists(st.text(st.characters(codec="utf-8"), max_size=12), min_size=1, max_size=4),
    system=st.booleans(),
    ask=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_the_jinja_template_becomes_the_same_ids(name: str, talk: list[str], system: bool, ask: bool) -> None:
    messages = [Message(SYSTEM, "Be kind.")] * system + [
        Message(ROLES[1 + i % 2], t) for i, t in enumerate(talk)
    ]
    written = jinja2.Template(TEMPLATES[name].jinja(MARKED), keep_trailing_newline=True).render(
        messages=[{"role": m.role, "content": m.text} for m in messages], add_generation_prompt=ask
    )
    ours = (
        render_prompt(messages, TEMPLATES[name], MARKED)
        if ask
        else render(messages, TEMPLATES[name], MARKED).ids
    )
    assert MARKED.encoding.encode(written, allowed_special="all") == ours


@templates
def test_hugging_faces_own_renderer_reads_the_jinja_template(template: Template) -> None:
    from transformers.utils.chat_template_utils import render_jinja_template

    talk = [{"role": m.role, "content": m.text} for m in TALK[:3]]
    (written,), _ = render_jinja_template(
        [talk], chat_template=template.jinja(MARKED), add_generation_prompt=True
    )
    assert written == MARKED.decode(render_prompt(TALK[:3], template, MARKED))
