"""Talk to the assistant in the terminal: /reset, /system TEXT, /save FILE, /quit; Ctrl-C stops an answer.

Lines that come through a pipe are answered one by one, without a prompt.
"""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from foundling.artifacts import atomic_file
from foundling.device import set_up
from foundling.generation.assistant import Assistant
from foundling.generation.sampling import Sampling
from foundling.settings import Job
from foundling.weights import folder
from foundling.weights.chat import read_chat

log = logging.getLogger(__name__)
HELP = (
    "/reset begins anew, /system TEXT sets who answers, /save FILE keeps the conversation, /quit ends; "
    "Ctrl-C stops an answer"
)


def run(job: Job) -> None:
    """Answer line by line until the input ends."""
    config = job.config
    ask, device, path = config.chat, set_up(config.runtime), Path(config.chat.model).expanduser()
    template, system = read_chat(path)
    model, tokenizer = folder.load(path)
    assistant = Assistant(
        model.to(device),
        tokenizer,
        template,
        system=ask.system or system,
        sampling=Sampling(ask.temperature, ask.top_k, ask.top_p),
        max_new_tokens=ask.max_new_tokens,
        seed=ask.seed,
    )
    if sys.stdin.isatty():
        print(f"{ask.model}, {model.parameter_count():,} parameters. {HELP}.")
    for line in _lines():
        if line == "/quit":
            return
        if line.startswith("/"):
            print(command(assistant, line))
        elif line:
            _answer(assistant, line)


def command(assistant: Assistant, line: str) -> str:
    """Carry out a line that begins with a slash; returns what is to be said about it."""
    name, _, rest = line.partition(" ")
    if name == "/reset":
        assistant.begin(assistant.system)
        return "(a new conversation)"
    if name == "/system" and rest.strip():
        assistant.begin(rest.strip())
        return "(a new conversation with this system text)"
    if name == "/system":
        return f"(the system text: {assistant.system or 'none'})"
    if name == "/save" and rest.strip():
        return save(assistant, Path(rest.strip()).expanduser())
    return f"({name} is unknown or lacks something: {HELP})"


def save(assistant: Assistant, path: Path) -> str:
    """Write the conversation as one line of JSON, as `instruct=messages` reads it."""
    opening = [{"role": "system", "content": assistant.system}] if assistant.system else []
    talk = opening + [{"role": message.role, "content": message.text} for message in assistant.messages]
    try:
        with atomic_file(path) as file:
            file.write(json.dumps({"messages": talk}, ensure_ascii=False) + "\n")
    except OSError as error:  # a conversation is not to be lost over a mistyped name
        return f"(not saved: {error})"
    return f"({len(talk)} messages -> {path})"


def _lines() -> Iterator[str]:
    """What the user writes, line by line; the end of the input, or Ctrl-C in an empty line, ends it."""
    interactive = sys.stdin.isatty()
    if interactive:
        import readline  # noqa: F401 - gives input() arrows and a history
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
    if assistant.forgotten:
        log.info(f"(the context is full: the first {assistant.forgotten} messages are out of sight)")
