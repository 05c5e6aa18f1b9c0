"""A language model as the judge of answers: any endpoint that speaks OpenAI's chat API, over plain HTTP.

Answers in, marks from 0 to 100 out, their mean with a bootstrap interval, and which model in which version gave them.
It is off unless `url` is set; a judge's marks differ from version to version, so compare only marks of one judge.
"""

import json
import os
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from foundling.evaluation.answers import Answered, interval

ASK = (
    "Instruction:\n{prompt}\n\nA correct answer:\n{expected}\n\nThe answer to be marked:\n{answer}\n\n"
    "How well does the last answer fulfil the instruction? Reply with a whole number from 0 (not at all) to 100 "
    "(as well as the correct one), and nothing else."
)


def reach(settings: Mapping[str, Any]) -> None:
    """Ask the judge once, before anything is trained; one that does not answer raises ValueError."""
    if settings["url"]:
        _ask("Reply with the number 1.", settings)


def judge(answered: Sequence[Answered], settings: Mapping[str, Any], seed: int) -> dict[str, Any] | None:
    """The mean mark of `questions` answers drawn by the seed; replies without a mark are counted. None when off."""
    if not settings["url"]:
        return None
    count = min(len(answered), settings["questions"])
    marks: list[float] = []
    versions: set[str] = set()
    for i in sorted(random.Random(seed).sample(range(len(answered)), count)):
        reply, version = _ask(ASK.format(**answered[i]), settings)
        versions.add(version)
        mark = re.search(r"\d+", reply)
        if mark and int(mark[0]) <= 100:
            marks.append(float(mark[0]))
    if not marks:
        raise ValueError(
            f"the judge {settings['model']} gave no mark from 0 to 100 in {count} replies; "
            "try another instruct.judge.model"
        )
    return {
        "model": settings["model"],
        "versions": sorted(versions),
        "n": len(marks),
        "without_mark": count - len(marks),
        **interval(marks),
    }


def _ask(text: str, settings: Mapping[str, Any]) -> tuple[str, str]:
    """The judge's reply, and the model and version that it names."""
    body = {"model": settings["model"], "temperature": 0, "messages": [{"role": "user", "content": text}]}
    headers = {"Content-Type": "application/json"}
    if os.environ.get(settings["key"]):
        headers["Authorization"] = f"Bearer {os.environ[settings['key']]}"
    url = settings["url"].rstrip("/") + "/chat/completions"
    try:
        with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=settings["timeout"]) as response:
            found = json.load(response)
        reply = found["choices"][0]["message"]["content"]
    except HTTPError as error:
        reason = f"{error.code} {error.reason}: {error.read()[:200].decode(errors='replace')}"
        raise _silent(url, reason, settings) from None
    except (URLError, OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise _silent(url, str(error) or type(error).__name__, settings) from None
    version = " ".join(filter(None, (found.get("model"), found.get("system_fingerprint"))))
    return str(reply), version or "unnamed"


def _silent(url: str, reason: str, settings: Mapping[str, Any]) -> ValueError:
    return ValueError(
        f"the judge at {url} does not answer ({' '.join(reason.split())}); start it, mend instruct.judge.url and "
        f"model, put its key into {settings['key']}, or set instruct.judge.url=null"
    )
