"""Let a language model score answers from 0 to 100, through any endpoint with OpenAI's chat API.

Scores differ between judges and between their versions: compare only those of the same judge.
"""

import json
import os
import random
import re
from collections.abc import Sequence
from dataclasses import asdict
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from foundling.evaluation.answers import Answer, interval
from foundling.metrics.instruct import JudgeScores
from foundling.settings.training import Judge

PROMPT = (
    "Instruction:\n{prompt}\n\nA correct answer:\n{expected}\n\nThe answer to be marked:\n{answer}\n\n"
    "How well does the last answer fulfil the instruction? Reply with a whole number from 0 (not at all) to "
    "100 (as well as the correct one), and nothing else."
)


def check_judge(settings: Judge) -> None:
    """Send one request, before anything is trained; ValueError if it fails."""
    if settings.url:
        _request("Reply with the number 1.", settings)


def judge(answers: Sequence[Answer], settings: Judge, seed: int) -> JudgeScores | None:
    """Score a random sample of the answers; None without a judge, ValueError if no reply has a score."""
    if not settings.url:
        return None
    count = min(len(answers), settings.questions)
    scores: list[float] = []
    versions: set[str] = set()
    for i in sorted(random.Random(seed).sample(range(len(answers)), count)):
        reply, version = _request(PROMPT.format(**asdict(answers[i])), settings)
        versions.add(version)
        score = re.search(r"\d+", reply)
        if score and int(score[0]) <= 100:
            scores.append(float(score[0]))
    if not scores:
        raise ValueError(
            f"none of {count} replies of the judge {settings.model} contains a score from 0 to 100; "
            "try another instruct.judge.model"
        )
    return JudgeScores(
        model=settings.model,
        versions=tuple(sorted(versions)),
        n=len(scores),
        without_score=count - len(scores),
        **asdict(interval(scores)),
    )


def _request(prompt: str, settings: Judge) -> tuple[str, str]:
    """Send a prompt; returns the judge's reply, and the model and version that the endpoint reports."""
    body = {"model": settings.model, "temperature": 0, "messages": [{"role": "user", "content": prompt}]}
    headers = {"Content-Type": "application/json"}
    if os.environ.get(settings.key):
        headers["Authorization"] = f"Bearer {os.environ[settings.key]}"
    url = f"{settings.url}".rstrip("/") + "/chat/completions"
    try:
        with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=settings.timeout) as response:
            values = json.load(response)
        reply = str(values["choices"][0]["message"]["content"])
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        reason = str(error) or type(error).__name__
        if isinstance(error, HTTPError):
            reason = f"{error.code} {error.reason}: {error.read()[:200].decode(errors='replace')}"
        raise ValueError(
            f"the judge at {url} does not answer ({' '.join(reason.split())}); start it, correct "
            f"instruct.judge.url and model, set the key in {settings.key}, or set instruct.judge.url=null"
        ) from None
    version = " ".join(filter(None, (values.get("model"), values.get("system_fingerprint"))))
    return reply, version or "unnamed"
