"""Every command of README.md works on a tiny run, and every command in docs/ names existing settings."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from foundling import config
from foundling.__main__ import _prepare
from foundling.model.gpt import GPT, GPTConfig
from foundling.overrides import prepare
from foundling.settings import Job
from foundling.text.tokenizer import Tokenizer
from foundling.weights import folder
from foundling.weights.chat import chat_files

ROOT = Path(__file__).parents[2]
PROGRAMS = ("dvc", "foundling", "wandb", "source")
SMALL = ("pretrain.max_steps=1", "pretrain.batch_size=1", "model.n_layer=1")  # added to the sweep
PYTHON = re.compile(r"^```python\n.*?^```", flags=re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```[a-z]*\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    """The lines of a page's code blocks, and the commands in its sentences, without comments."""
    text = PYTHON.sub("", text)
    lines = [line for block in FENCED.findall(text) for line in block.splitlines()]
    spans = re.findall(r"`([^`\n]+)`", FENCED.sub("", text))
    lines += [span for span in spans if span.split()[0] in PROGRAMS and " " in span]
    return [shlex.join(words) for line in lines if (words := shlex.split(line, comments=True))]


def run(project: Any, *command: str) -> str:
    """The command ends without an error; a barely trained model may have nothing to say."""
    return str(project.run(*command, typed="Hello.\n").stdout)


def make(project: Any, *command: str) -> None:
    """What make would do; CI does it."""
    done = subprocess.run([*command, "--dry-run"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def show_help(project: Any, *command: str) -> None:
    """The command needs a terminal or an account, so only its help is read."""
    assert " ".join(command) in run(project, *command, "--help")


def sweep(project: Any, *command: str) -> None:
    """The sweep with one layer and one step."""
    try:
        run(project, *command, *SMALL)
        assert len(list((project.path / "multirun").rglob("models/base/config.json"))) == 6
    finally:
        shutil.rmtree(project.path / "multirun", ignore_errors=True)


def select(project: Any, *command: str) -> None:
    """What `dvc exp run -S` writes to params.yaml composes; the run itself would need downloads and hours."""
    selection: dict[str, Any] = {}
    for flag, change in zip(command[3::2], command[4::2], strict=True):
        key, _, value = change.partition("=")
        assert flag == "-S"
        assert key.startswith("+") or key in config.groups()
        *sections, name = key.removeprefix("+").split(".")
        values = selection
        for section in sections:
            values = values.setdefault(section, {})
        values[name] = value
    Path("params.yaml").write_text(yaml.safe_dump(selection))
    arguments = prepare(None, []).arguments
    assert Job.of(config.compose(arguments)).recipe


def export(project: Any, *command: str) -> None:
    """On the chat model of the default run."""
    assert "models/chat -> exports/chat-huggingface" in run(project, *command)
    assert "trust_remote_code=True" in (project.path / "exports/chat-huggingface/README.md").read_text()


def export_gguf(project: Any, *command: str) -> None:
    """On a chat model with Llama's parts, as the line before it in README trains one."""
    tokenizer = Tokenizer.load(project.path / "data/tokenizer")
    shape = yaml.safe_load((ROOT / "conf/model/llama.yaml").read_text()) | {"n_layer": 1}
    model = GPT(GPTConfig(vocab_size=tokenizer.vocab_size, **shape))
    folder.save(Path("models/chat"), model, tokenizer, {"config": {}}, chat_files("phi3", None, tokenizer))
    Path("src").symlink_to(ROOT / "src")
    assert "models/chat -> exports/chat-gguf" in run(type(project)(Path.cwd()), *command)


def name_files(project: Any, *command: str) -> None:
    """The command would install or open a browser; the files that it names exist."""
    names = [word for word in command if word in ("constraints.txt", "notebooks", "pyproject.toml")]
    assert names
    assert all((ROOT / name).exists() for name in names)


def activate(project: Any, *command: str) -> None:
    """The folder that make sets up."""
    assert "-m venv .venv\n" in (ROOT / "Makefile").read_text()


# how a command is tried, by how it begins; the longest beginning counts
WAYS: dict[str, Callable[..., Any]] = {
    "make repro": make,
    "make test": make,
    "source .venv/bin/activate": activate,
    "dvc repro": run,
    "dvc exp run -S": select,
    "wandb leet": show_help,
    "wandb login": show_help,
    "foundling --help": run,
    "foundling pretrain --help": run,
    "foundling pretrain -m": sweep,
    "foundling generate": run,
    "foundling predict": run,
    "foundling chat": run,
    "foundling translate": run,
    "foundling serve": show_help,
    "foundling plan": run,
    "foundling import_model": show_help,
    "foundling export": export,
    "foundling export format=gguf": export_gguf,
    "pip install": name_files,
    "jupyter lab": name_files,
}
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def refused(lines: list[str]) -> set[str]:
    """The commands that a page shows with the error that they end in."""
    return {line for line, after in pairwise(lines) if after.startswith("foundling: ")}


def settings_of_docs() -> Iterator[tuple[str, str]]:
    """Each foundling command in the code blocks of docs/, with its page."""
    for page in sorted((ROOT / "docs").glob("*.md")):
        for block in FENCED.findall(page.read_text()):
            lines = block.splitlines()
            for line in lines:
                if line in refused(lines):
                    continue
                for part in re.split(r"&&|\|\|?|;", line.removeprefix("$ ").partition("  #")[0]):
                    if part.strip().startswith("foundling "):
                        yield page.name, part.strip()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with conf/ alone, to write into."""
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("command", commands(README))
def test_a_command_of_the_readme_works(command: str, project, elsewhere: None) -> None:
    ways = [way for way in WAYS if command.startswith(way)]
    assert ways, f"README has {command!r}, and WAYS says nothing of how to try it"
    WAYS[max(ways, key=len)](project, *shlex.split(command))


def test_the_readme_has_the_commands_that_it_promises() -> None:
    assert {"make repro", "make test", "dvc repro", "foundling chat"} <= set(commands(README))
    assert len(commands(README)) > 18


def test_the_default_model_cannot_be_exported_to_gguf_as_the_readme_says(project) -> None:
    done = project.run("foundling", "export", "format=gguf", "model=models/chat", succeeds=False)
    assert done.returncode == 1
    assert "choose format=huggingface, which holds every GPT, or train with model=llama" in done.stderr


@pytest.mark.parametrize(("page", "command"), sorted(set(settings_of_docs())))
def test_a_command_of_the_docs_names_settings_that_exist(page: str, command: str, elsewhere: None) -> None:
    _, name, *arguments = shlex.split(re.sub(r"[<>]\s*\S+", "", command), comments=True)
    if "$" not in command:  # a loop's variable
        _prepare(name, arguments)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_leads_to_a_file(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert "://" in link or (page.parent / link).exists(), link
