"""Render an untrusted Jinja template in jinja2's sandbox, in a process with limits on time and memory.

The sandbox prevents a template from reaching Python's objects, but not from looping or from building a string
of gigabytes. The process runs this file as a script, so it imports nothing of ours.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache

CPU_SECONDS = 5
WALL_SECONDS = 60  # more, as a busy machine may make the process wait
MEMORY = 1 << 30  # bytes of address space, of which Python itself takes a part
LONGEST = 1 << 20  # characters of the result


def render(template: str, messages: Sequence[Mapping[str, str]], **variables: object) -> str:
    """The rendered text; ValueError says in one line what the template did wrong."""
    return _render(template, json.dumps({"messages": messages, **variables}))


@lru_cache(maxsize=256)
def _render(template: str, variables: str) -> str:
    command = [sys.executable, "-P", __file__]  # -P: this folder's modules must not shadow others
    try:
        done = subprocess.run(
            command,
            input=json.dumps([template, variables]),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=WALL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"the chat template needs more than {WALL_SECONDS} seconds; does it loop?") from None
    if done.returncode < 0:
        raise ValueError(
            f"the chat template needs more than {CPU_SECONDS} seconds of CPU time; does it loop?"
        )
    if done.returncode != 0:
        raise ValueError(f"the chat template could not be rendered: {done.stderr.strip()[-200:]!r}")
    result = json.loads(done.stdout)
    if "error" in result:
        raise ValueError(f"the chat template {' '.join(result['error'].split())[:300]}")
    return result["text"]


def main() -> None:
    """Read a template and its variables from the standard input, and print the result as JSON."""
    template, variables = json.load(sys.stdin)
    _limit()
    try:
        text = _rendered(template, json.loads(variables))
        result = {"text": text}
        if len(text) > LONGEST:
            result = {"error": f"gives {len(text):,} characters; at most {LONGEST:,} are allowed"}
    except (MemoryError, OverflowError):
        result = {"error": f"needs more than {MEMORY >> 20:,} MiB of memory"}
    except Exception as error:
        result = {"error": f"fails: {error or type(error).__name__}"}
    print(json.dumps(result))


def _limit() -> None:
    """Have the operating system end this process where a limit is exceeded."""
    try:
        import resource
    except ImportError:  # on Windows, where the parent's time-out alone remains
        return
    for limit, value in ((resource.RLIMIT_CPU, CPU_SECONDS), (resource.RLIMIT_AS, MEMORY)):
        try:
            resource.setrlimit(limit, (value, value))
        except (ValueError, OSError):  # macOS refuses the limit on memory
            continue


def _rendered(template: str, variables: dict[str, object]) -> str:
    """Render as transformers does (utils/chat_template_utils.py), but with a fixed date."""
    from datetime import datetime

    from jinja2.exceptions import TemplateError
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """{% generation %}: marks responses for training elsewhere; here it only renders what it contains."""

        tags = {"generation"}

        def parse(self, parser):  # type: ignore[no-untyped-def]
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def tojson(  # type: ignore[no-untyped-def]
        value, ensure_ascii=False, indent=None, separators=None, sort_keys=False
    ) -> str:
        return json.dumps(
            value,
            ensure_ascii=ensure_ascii,
            indent=indent,
            separators=separators,
            sort_keys=sort_keys,
        )

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = datetime(2024, 7, 26).strftime  # the date in Llama 3's own template
    return environment.from_string(template).render(**variables)


if __name__ == "__main__":
    main()
