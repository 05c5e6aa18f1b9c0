"""Talk to the assistant in the terminal: /reset, /system TEXT, /save FILE, /quit; Ctrl-C stops an answer.

Lines from a pipe are answered one by one, without a prompt.
"""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from foundling.artifacts import atomic_file
from foundling.device import dtype_of, set_up
from foundling.generation.assistant import Assistant
from foundling.settings import Job
from foundling.weights import folder
from foundling.weights.chat import read_chat

log = logging.getLogger(__name__)
HELP = (
    "/reset starts a new conversation, /system TEXT sets the system message, /save FILE saves the "
    "conversation, /quit ends; Ctrl-C stops an answer"
)


def run(job: Job) -> None:
    """Answer line by line until the input ends."""
    settings = job.settings.chat
    device, path = set_up(job.settings.runtime), Path(settings.model).expanduser()
    model, tokenizer = folder.load(path, dtype_of(job.settings.runtime))
    template, system = read_chat(path, tokenizer)
    assistant = Assistant(
        model.to(device),
        tokenizer,
        template,
        system=settings.system or system,
        sampling=settings,
        max_new_tokens=settings.max_new_tokens,
        seed=settings.seed,
    )
    if sys.stdin.isatty():
        print(f"{settings.model}, {model.parameter_count():,} parameters. {HELP}.")
    for line in _read_lines():
        if line == "/quit":
            return
        if line.startswith("/"):
            print(run_command(assistant, line))
        elif line:
            _answer(assistant, line)


def run_command(assistant: Assistant, line: str) -> str:
    """Run a line that starts with a slash; returns what to print."""
    name, _, argument = line.partition(" ")
    argument = argument.strip()
    if name == "/reset":
        assistant.reset(assistant.system)
        return "(started a new conversation)"
    if name == "/system":
        if not argument:
            return f"(system message: {assistant.system or 'none'})"
        assistant.reset(argument)
        return "(started a new conversation with this system message)"
    if name == "/save" and argument:
        return _save(assistant, Path(argument).expanduser())
    return f"({name}: unknown or incomplete command; {HELP})"


def _save(assistant: Assistant, path: Path) -> str:
    """Write the conversation as a line of JSON, which `instruct=messages` can read."""
    messages = [{"role": message.role, "content": message.text} for message in assistant.messages]
    if assistant.system:
        messages.insert(0, {"role": "system", "content": assistant.system})
    try:
        with atomic_file(path) as file:
            file.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")
    except OSError as error:  # a mistyped name must not end the conversation
        return f"(not saved: {error})"
    return f"({len(messages)} messages -> {path})"


def _read_lines() -> Iterator[str]:
    """The user's lines, until the input ends or Ctrl-C is pressed in an empty line."""
    interactive = sys.stdin.isatty()
    if interactive:
        import readline  # noqa: F401 - gives input() arrow keys and a history
    while True:
        try:
            yield input("\n> " if interactive else "").strip()
        except (EOFError, KeyboardInterrupt):
            print(end="\n" if interactive else "")
            return


def _answer(assistant: Assistant, line: str) -> None:
    with closing(assistant.reply(line)) as reply:
        try:
            for piece in reply:
                print(piece, end="", flush=True)
        except KeyboardInterrupt:
            print(" (stopped)", end="")
    print(flush=True)
    if assistant.dropped:
        log.info(f"(the context is full: the first {assistant.dropped} messages were dropped)")
