"""foundling chat as a user runs it: lines from a pipe, answers, slash commands, a stopped answer."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from foundling.artifacts import write_json
from foundling.commands import chat
from foundling.config import compose
from foundling.generation.assistant import Assistant
from foundling.generation.sampling import GREEDY
from foundling.inputs import require_model
from foundling.model.gpt import GPT
from foundling.settings import Job
from foundling.text.chat_template import JinjaTemplate
from foundling.text.library_tokenizer import LibraryTokenizer
from foundling.text.prompts import TEMPLATES
from foundling.text.tiktoken_tokenizer import GPT2_PATTERN, TiktokenTokenizer
from foundling.text.tokenizer import END_OF_TEXT, Tokenizer
from foundling.text.vocabularies import train_bpe
from foundling.weights import folder
from foundling.weights.chat import chat_files, read_chat
from foundling.weights.huggingface_tokenizer import to_library

TOKENIZER = TiktokenTokenizer({bytes([i]): i for i in range(256)}, GPT2_PATTERN)


@pytest.fixture(scope="module")
def model(gpt_config: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chat model's folder."""
    torch.manual_seed(0)
    gpt = GPT(gpt_config("micro", vocab_size=TOKENIZER.vocab_size, context=64)).eval()
    for p in gpt.parameters():
        torch.nn.init.normal_(p, std=0.3)
    place = tmp_path_factory.mktemp("models") / "chat"
    folder.save(place, gpt, TOKENIZER, {"config": {}}, chat_files("phi3", "Be kind.", TOKENIZER))
    return place


@pytest.fixture
def assistant(model: Path) -> Assistant:
    template, system = read_chat(model, TOKENIZER)
    network, tokenizer = folder.load(model)
    return Assistant(network, tokenizer, template, system=system, sampling=GREEDY, max_new_tokens=8, seed=1)


def talk(model: Path, lines: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    composed = compose([f"chat.model={model}", "chat.max_new_tokens=8", "chat.seed=1", "trainer=cpu"])
    chat.run(Job.of(composed, Path()))


def test_lines_from_a_pipe_are_answered_one_by_one(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    talk(model, "Hello.\n\nWho?\n/quit\nnever\n", monkeypatch)
    first = capsys.readouterr().out
    talk(model, "Hello.\nWho?", monkeypatch)
    assert capsys.readouterr().out == first
    talk(model, "Hello.\n", monkeypatch)
    once = capsys.readouterr().out
    assert first.startswith(once)
    assert len(first) > len(once)


def test_reset_starts_a_new_conversation(model: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    talk(model, "Hello.\n/reset\nHello.\n", monkeypatch)
    out = capsys.readouterr().out
    before, after = out.split("(started a new conversation)\n")
    assert before == after != ""


def test_system_is_shown_and_set(assistant: Assistant) -> None:
    assert chat.run_command(assistant, "/system") == "(system message: Be kind.)"
    "".join(assistant.reply("x"))
    assert "new conversation" in chat.run_command(assistant, "/system You are a pilot.")
    assert (assistant.system, assistant.messages) == ("You are a pilot.", [])


def test_a_saved_conversation_is_what_instruct_reads(assistant: Assistant, tmp_path: Path) -> None:
    "".join(assistant.reply("Hello."))
    said = chat.run_command(assistant, f"/save {tmp_path / 'talk.jsonl'}")
    assert said == f"(3 messages -> {tmp_path / 'talk.jsonl'})"
    saved = json.loads((tmp_path / "talk.jsonl").read_text())["messages"]
    assert [m["role"] for m in saved] == ["system", "user", "assistant"]
    assert saved[1]["content"] == "Hello."
    (tmp_path / "file").write_text("")
    assert "not saved" in chat.run_command(assistant, f"/save {tmp_path / 'file' / 'talk.jsonl'}")


@pytest.mark.parametrize("line", ["/save", "/nonsense", "/"])
def test_what_is_unknown_gets_the_list_of_commands(assistant: Assistant, line: str) -> None:
    assert "/reset starts a new conversation" in chat.run_command(assistant, line)


def test_ctrl_c_stops_the_answer_but_not_the_conversation(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def interrupted(text: str) -> Any:
        yield "Well, "
        raise KeyboardInterrupt

    monkeypatch.setattr(assistant, "reply", interrupted)
    chat._answer(assistant, "Hello.")
    assert capsys.readouterr().out == "Well,  (stopped)\n"


def test_a_model_that_was_not_tuned_to_answer_is_refused(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, tokenizer = folder.load(model)
    folder.save(tmp_path / "base", network, tokenizer)
    with pytest.raises(
        ValueError, match=r"has no chat\.json, so it is not a chat model; run `dvc repro instruct`"
    ):
        talk(tmp_path / "base", "Hello.\n", monkeypatch)


def test_chat_json_holds_the_template_in_jinja_for_others(model: Path) -> None:
    settings = json.loads((model / "chat.json").read_text())
    assert (settings["template"], settings["system"], settings["end"]) == ("phi3", "Be kind.", END_OF_TEXT)
    assert settings["chat_template"].startswith("{% for message in messages %}")
    assert read_chat(model, TOKENIZER) == (TEMPLATES["phi3"], "Be kind.")


def test_the_command_itself_answers_a_pipe(model: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "foundling", "chat", f"model={model}", "max_new_tokens=4"],
        input="Hello.\n/system\n",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("(system message: Be kind.)\n")


def test_a_base_that_came_with_a_chat_template_is_talked_to_in_it(
    tmp_path: Path, gpt_config: Callable[..., Any]
) -> None:
    trained = to_library(train_bpe(["a cat"], 260, [END_OF_TEXT, "<|im_start|>", "<|im_end|>"]))
    published = TEMPLATES["chatml"].jinja(TOKENIZER).replace(END_OF_TEXT, "<|im_end|>")
    base = LibraryTokenizer(trained.to_str(), {"eos_token": "<|im_end|>"}, published)
    folder.save(tmp_path / "base", GPT(gpt_config("micro", base.vocab_size)), base, {"config": {}})
    require_model(str(tmp_path / "base"), ("assistant",))
    template, system = read_chat(tmp_path / "base", Tokenizer.load(tmp_path / "base/tokenizer"))
    assert isinstance(template, JinjaTemplate)
    assert (base.special_name(template.end(base)), system) == ("<|im_end|>", None)
    tuned = chat_files("model", "Be kind.", base)
    write_json(tmp_path / "base/chat.json", tuned["chat.json"])
    assert tuned["chat.json"] == {
        "template": "model",
        "chat_template": published,
        "system": "Be kind.",
        "end": "<|im_end|>",
    }
    assert read_chat(tmp_path / "base", base) == (template, "Be kind.")
    with pytest.raises(ValueError, match="came without a chat template"):
        read_chat(tmp_path / "base", TOKENIZER)
