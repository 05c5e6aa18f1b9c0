"""Published chat templates give transformers' ids and a loss mask, and cannot be injected."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundling.text.chat_template import JinjaTemplate, find_template
from foundling.text.library_tokenizer import LibraryTokenizer
from foundling.text.prompts import (
    ASSISTANT,
    SYSTEM,
    TEMPLATES,
    USER,
    Message,
    render,
    render_prompt,
    render_response,
)
from foundling.text.tokenizer import END_OF_TEXT
from foundling.text.vocabularies import train_bpe

from .conftest import NAMES

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% "
    "endif %}"
)
QWEN = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
QWEN3 = """{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if message.role == "user" or message.role == "system" %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if '</think>' in content %}
            {%- set reasoning_content = content.split('</think>')[0] %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.last %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content + '\\n</think>\\n\\n' + content }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""  # noqa: E501
LLAMA3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] "
    "| trim "
    "+ '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content "
    "}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% "
    "endif %}"
)
ZEPHYR = (
    "{% for message in messages %}\n{% if message['role'] == 'user' %}\n"
    "{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n"
    "{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n"
    "{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n"
    "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
)
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == "
    "0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
    "{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}"
    "{% set system_message = false %}{% endif %}{% for message in loop_messages %}"
    "{% if loop.index0 == 0 and system_message != false %}"
    "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}"
    "{% else %}{% set content = message['content'] %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% "
    "endfor %}"
)
# by the name of the template: its text, and the kind of tokenizer that it is published with
PUBLISHED = {
    "chatml": (CHATML, "smollm"),
    "qwen": (QWEN, "qwen"),
    "qwen3": (QWEN3, "qwen"),
    "llama3": (LLAMA3, "gpt2"),
    "zephyr": (ZEPHYR, "llama"),
    "mistral": (MISTRAL, "llama"),
    "llama2": (LLAMA2, "llama"),
    "mistral_v3": (MISTRAL.replace("'[INST] '", "'[INST]'").replace("' [/INST]'", "'[/INST]'"), "mistral"),
}
ENDS = {"mistral_v3": "</s>", "llama3": "<|eot_id|>", "zephyr": "</s>", "mistral": "</s>", "llama2": "</s>"}
templates = pytest.mark.parametrize("name", PUBLISHED)
WITH_SYSTEM = [name for name in PUBLISHED if not name.startswith("mistral")]
INJECTIONS = ["<|im_end|>", "</s><s>", "\ue0000\ue001", "<|eot_id|>x", "{{ 1 }}", "[INST]", "a"]
ORDINARY = st.text(st.sampled_from("abcdefgh, .!?éß日\n'1234567890"), min_size=1, max_size=20).filter(
    str.strip
)
FUZZ = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def both(libraries: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, Any]]:
    """By template: our tokenizer with it, and that of transformers."""
    from tokenizers import AddedToken, Tokenizer

    transformers = pytest.importorskip("transformers")
    made = {}
    for name, (template, kind) in PUBLISHED.items():
        library = Tokenizer.from_str(libraries[kind].to_str())
        names = {"bos_token": "<s>", "eos_token": "</s>"} if kind in NAMES else {"eos_token": "<|im_end|>"}
        if name == "llama3":
            markers = ["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"]
            library.add_special_tokens(
                [AddedToken(marker, special=True, normalized=False) for marker in markers]
            )
            names = {"bos_token": markers[0], "eos_token": markers[1]}
        folder = tmp_path_factory.mktemp(name)
        library.save(str(folder / "tokenizer.json"))
        (folder / "tokenizer_config.json").write_text(
            json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": template, **names})
        )
        ours = LibraryTokenizer(library.to_str(), names, template)
        made[name] = ours, transformers.AutoTokenizer.from_pretrained(folder)
    return made


def conversation(texts: list[str]) -> list[Message]:
    return [Message(ASSISTANT if i % 2 else USER, text.strip()) for i, text in enumerate(texts)]


def as_dicts(messages: list[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.text} for message in messages]


@templates
@FUZZ
@given(texts=st.lists(ORDINARY, min_size=1, max_size=5))
def test_the_ids_are_those_of_transformers(
    name: str, texts: list[str], both: dict[str, tuple[Any, Any]]
) -> None:
    ours, theirs = both[name]
    template, messages = find_template("model", ours), conversation(texts)
    if messages[-1].role == USER:
        found, ask = render_prompt(messages, template, ours), True
    else:
        found, ask = render(messages, template, ours).ids, False
    expected = theirs.apply_chat_template(as_dicts(messages), add_generation_prompt=ask, return_dict=False)
    assert found == expected


@pytest.mark.parametrize("name", WITH_SYSTEM)
def test_system_messages_are_rendered_as_in_transformers(name: str, both: dict[str, tuple[Any, Any]]) -> None:
    ours, theirs = both[name]
    messages = [Message(SYSTEM, "Be brief."), *conversation(["Hi there.", "Hello!", "Who?"])]
    found = render_prompt(messages, find_template("model", ours), ours)
    assert found == theirs.apply_chat_template(
        as_dicts(messages), add_generation_prompt=True, return_dict=False
    )
    given_system = find_template("model", ours).with_system("Be brief.")
    assert render_prompt(messages[1:], given_system, ours) == found
    assert render_prompt(messages, find_template("model", ours).with_system("Be rude."), ours) == found


@templates
def test_the_loss_counts_responses_and_what_ends_them(name: str, both: dict[str, tuple[Any, Any]]) -> None:
    ours, _ = both[name]
    template, messages = (
        find_template("model", ours),
        conversation(["Who?", "Ben.", "And where?", "At home."]),
    )
    end = ENDS.get(name, "<|im_end|>")
    assert ours.specials[[*ours.special_ids.values()].index(template.end(ours))] == end
    for learn_end in (True, False):
        rendered = render(messages, template, ours, learn_end=learn_end)
        counted = [token for token, counts in zip(rendered.ids, rendered.loss_mask, strict=True) if counts]
        text = ours.decode_bytes(counted).decode()
        assert text.count(end) == (2 if learn_end else 0)
        said = [part.replace("<think>\n\n</think>", "").strip() for part in text.replace(end, "").split(".")]
        assert said == ["Ben", "At home", ""]
    masked = [*messages[:1], Message(ASSISTANT, "Ben.", masked=True), *messages[2:]]
    rendered = render(masked, template, ours)
    counted = [token for token, counts in zip(rendered.ids, rendered.loss_mask, strict=True) if counts]
    assert "Ben" not in ours.decode(counted)
    assert rendered.ids == render(messages, template, ours).ids
    assert all(render(messages, template, ours, loss_on="all").loss_mask)


@templates
def test_a_response_follows_its_prompt(name: str, both: dict[str, tuple[Any, Any]]) -> None:
    ours, _ = both[name]
    template, messages = find_template("model", ours), conversation(["Who?", "Ben.", "Where?", "At home."])
    prompt, response = render_response(messages, template, ours)
    assert prompt == render_prompt(messages[:-1], template, ours)
    assert (prompt + response)[: len(prompt) + len(response)] == render(messages, template, ours).ids[
        : len(prompt) + len(response)
    ]
    assert response[-1] == template.end(ours)


@templates
@FUZZ
@given(texts=st.lists(st.sampled_from(INJECTIONS), min_size=1, max_size=4))
def test_nothing_that_is_said_becomes_a_special_token(
    name: str, texts: list[str], both: dict[str, tuple[Any, Any]]
) -> None:
    ours, _ = both[name]
    template, special = find_template("model", ours), {*both[name][0].special_ids.values()}
    found, harmless = (
        [token for token in render(conversation(said), template, ours).ids if token in special]
        for said in (texts, ["x"] * len(texts))
    )
    assert found == harmless
    assert all(text in ours.decode(render(conversation(texts), template, ours).ids) for text in texts)


def test_a_template_without_an_end_token_gets_end_of_text(both: dict[str, tuple[Any, Any]]) -> None:
    ours, _ = both["chatml"]
    template = JinjaTemplate(
        "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}assistant:"
    )
    ids = render(conversation(["a", "b"]), template, ours).ids
    assert ours.decode(ids) == f"user: a\nassistant: b{END_OF_TEXT}\nassistant:"
    assert template.end(ours) == ours.end_of_text


def test_our_templates_end_with_the_models_own_token(both: dict[str, tuple[Any, Any]]) -> None:
    ours, _ = both["llama2"]
    rendered = render(conversation(["a", "b"]), TEMPLATES["phi3"], ours)
    assert (rendered.ids[0], rendered.ids[-1]) == (1, 2)
    assert "{{ '<|assistant|>\\n' + message['content'].strip() + '</s>' }}" in TEMPLATES["phi3"].jinja(ours)


def test_a_template_that_omits_responses_is_refused(both: dict[str, tuple[Any, Any]]) -> None:
    template = JinjaTemplate(
        "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}"
    )
    with pytest.raises(ValueError, match="the chat template leaves out responses; choose one of alpaca"):
        template.end(both["chatml"][0])


def test_a_model_without_a_template_is_told_so() -> None:
    with pytest.raises(ValueError, match="came without a chat template; choose one of alpaca, phi3, chatml"):
        find_template("model", train_bpe(["a"], 257))


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (
            "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
            "of CPU time; does it loop",
        ),
        ("{{ 'a' * 10 ** 10 }}", "needs more than 1,024 MiB of memory"),
        ("{{ '%99999999d' % 1 }}", "gives 99,999,999 characters"),
        ("{% set x = [0] %}{{ x.append(1) }}", "unsafe"),
        ("{{ messages.__class__.__mro__[1].__subclasses__() }}", "unsafe"),
        ("{{ cycler.__init__.__globals__.os.system('echo') }}", "unsafe"),
        ("{% include '/etc/passwd' %}", "no loader"),
        ("{% for", "unexpected 'end of template'"),
        ("{{ raise_exception('No system\nmessages') }}", "fails: No system messages"),
        ("{{ 1 // 0 }}", "division"),
        ("{{ '\ue0007\ue001' }}", "repeats messages"),
        ("{{ messages[0].content * 9 }}", "repeats messages, 9 for a conversation of 1"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
    ],
)
def test_a_hostile_template_is_an_error_of_one_line(
    source: str, says: str, both: dict[str, tuple[Any, Any]]
) -> None:
    with pytest.raises(ValueError, match=says) as error:
        render_prompt([Message(USER, "a")], JinjaTemplate(source), both["chatml"][0])
    assert "\n" not in str(error.value)


def test_what_templates_may_use_is_there(both: dict[str, tuple[Any, Any]]) -> None:
    source = (
        "{{ strftime_now('%d %b %Y') }} {{ [1, 'é'] | tojson }} {% generation %}x{% endgeneration %}\n "
        "{% for i in range(9) %}{% if i > 1 %}{% break %}{% endif %}{{ i }}{% endfor %}"
    )
    ours = both["chatml"][0]
    assert ours.decode(render_prompt([Message(USER, "a")], JinjaTemplate(source), ours)) == (
        '26 Jul 2024 [1, "é"] x01'
    )


def test_a_response_ends_at_the_templates_end_or_the_models(libraries: dict[str, Any]) -> None:
    named = LibraryTokenizer(libraries["qwen"].to_str(), {"eos_token": "<|endoftext|>"}, CHATML)
    ids = named.special_ids
    assert find_template("model", named).ends(named) == {ids["<|im_end|>"], ids["<|endoftext|>"]}
    trained = train_bpe(["the fox"], 260, [END_OF_TEXT])
    assert TEMPLATES["chatml"].ends(trained) == {trained.end_of_text}
