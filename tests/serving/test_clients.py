"""LangChain, Pydantic AI, curl and our own judge use a server process; a key is demanded of each client."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from pydantic import SecretStr
from pydantic_ai import Agent, AgentRunResult, ModelSettings
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from foundling.evaluation.judge import check_judge
from foundling.settings.training import Judge
from foundling.validation import build

from .conftest import ServerProcess

KEY = "a-secret-of-24-characters"
CURL = shutil.which("curl")


@pytest.fixture(scope="module")
def locked(folders: list[str]) -> Iterator[ServerProcess]:
    """A server that demands a key."""
    server = ServerProcess(folders, FOUNDLING_API_KEY=KEY)
    yield server
    assert KEY not in server.stop()


@pytest.fixture
def chat(locked: ServerProcess) -> ChatOpenAI:
    return ChatOpenAI(
        model="chat", base_url=f"{locked.url}/v1", api_key=SecretStr(KEY), max_completion_tokens=12
    )


def test_a_langchain_chain_with_a_template_and_a_parser(chat: ChatOpenAI) -> None:
    prompt = ChatPromptTemplate([("system", "You tell fables."), ("user", "Who is {name}?")])
    chain = prompt | chat | StrOutputParser()
    answer = chain.invoke({"name": "the lion"})
    assert answer
    assert "".join(chain.stream({"name": "the lion"})) == answer
    other = chain.invoke({"name": "the mouse"})
    assert chain.batch([{"name": "the lion"}, {"name": "the mouse"}]) == [answer, other]


def test_langchain_reads_usage_and_log_probabilities(chat: ChatOpenAI) -> None:
    message = chat.bind(logprobs=True).invoke("Who are you?")
    assert message.usage_metadata is not None
    assert message.usage_metadata["output_tokens"] == len(message.response_metadata["logprobs"]["content"])
    assert message.response_metadata["finish_reason"] == "length"


def test_langchain_is_told_that_tools_are_not_supported(chat: ChatOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="does not support tools"):
        chat.bind_tools([{"name": "f", "description": "", "parameters": {}}]).invoke("Who are you?")


def test_langchain_completes_and_embeds(locked: ServerProcess) -> None:
    where: Any = {"base_url": f"{locked.url}/v1", "api_key": SecretStr(KEY)}
    assert OpenAI(model="base", max_tokens=8, temperature=0, **where).invoke("Once upon a time")
    embeddings = OpenAIEmbeddings(model="base", check_embedding_ctx_length=False, **where)
    one, other = embeddings.embed_documents(["Once", "upon"])
    assert embeddings.embed_query("Once") == pytest.approx(one, abs=1e-6)
    assert one != other


def test_a_pydantic_ai_agent_answers_streams_and_continues_a_conversation(locked: ServerProcess) -> None:
    settings = ModelSettings(max_tokens=12, temperature=0.0)

    async def converse() -> tuple[AgentRunResult[str], list[str], AgentRunResult[str]]:
        async with httpx2.AsyncClient() as http:
            provider = OpenAIProvider(base_url=f"{locked.url}/v1", api_key=KEY, http_client=http)
            model = OpenAIChatModel("chat", provider=provider)
            agent = Agent(model, instructions="You tell fables.", model_settings=settings)
            first = await agent.run("Who is the lion?")
            async with agent.run_stream("Who is the lion?") as stream:
                pieces = [piece async for piece in stream.stream_text(delta=True, debounce_by=None)]
            return first, pieces, await agent.run("And you?", message_history=first.all_messages())

    first, pieces, second = asyncio.run(converse())
    assert first.usage.output_tokens == 12
    assert len(pieces) > 1
    assert "".join(pieces) == first.output
    assert second.usage.input_tokens > first.usage.input_tokens


def test_without_the_key_a_client_is_refused(locked: ServerProcess) -> None:
    with pytest.raises(openai.AuthenticationError, match="missing or wrong"):
        openai.OpenAI(base_url=f"{locked.url}/v1", api_key="wrong").models.list()


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
def test_curl_sends_a_request_and_reads_a_stream(locked: ServerProcess) -> None:
    assert CURL is not None
    body = {"model": "base", "prompt": "Once", "options": {"num_predict": 4}}
    command = [CURL, "-sN", f"{locked.url}/api/generate", "-H", f"Authorization: Bearer {KEY}"]
    done = subprocess.run([*command, "-d", json.dumps(body)], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["done"]
    assert "".join(line["response"] for line in lines)


def test_our_own_judge_asks_the_chat_model(locked: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"model": "chat", "url": f"{locked.url}/v1", "key": "JUDGE", "questions": 1, "timeout": 60.0}
    settings = build(Judge, values, "judge")
    monkeypatch.setenv("JUDGE", KEY)
    check_judge(settings)
    monkeypatch.setenv("JUDGE", "wrong")
    with pytest.raises(ValueError, match="401"):
        check_judge(settings)


def test_the_key_is_not_in_the_process_list(locked: ServerProcess) -> None:
    if not os.path.isdir("/proc"):
        pytest.skip("there is no /proc here")
    with open(f"/proc/{locked.process.pid}/cmdline", "rb") as file:
        assert KEY.encode() not in file.read()
