"""The application lists its models, checks who asks, and answers errors in OpenAI's format."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from foundling.generation.decode import generate
from foundling.generation.sampling import Sampling
from foundling.serving.loading import Models, ServedLanguageModel, load_models
from foundling.serving.security import is_loopback, read_key
from foundling.text.prompts import USER, Message, render_prompt

from .conftest import CPU, TOKENIZER, make_client, serve_settings

KEY = "a-secret-of-24-characters"


def test_every_model_is_listed_by_its_folders_name(client: TestClient) -> None:
    listed = client.get("/v1/models").json()["data"]
    kinds = {model["id"]: model["kind"] for model in listed}
    assert kinds == {
        "chat": "assistant",
        "base": "base",
        "classifier": "classifier",
        "translator": "translator",
    }
    assert client.get("/v1/models/base").json() == listed[1]
    error = client.get("/v1/models/gpt-4").json()["error"]
    assert error["code"] == "model_not_found"
    assert error["param"] == "model"
    assert "chat, base" in error["message"]


def test_no_answer_names_a_path_of_this_machine(client: TestClient, folders: list[str]) -> None:
    for path in ("/v1/models", "/health", "/nothing", "/../../etc/passwd", "/%2e%2e/pyproject.toml"):
        assert folders[0].rpartition("/")[0] not in client.get(path).text


def test_the_page_is_served_at_the_root_and_unknown_paths_get_a_json_error(client: TestClient) -> None:
    assert "<html" in client.get("/").text
    response = client.get("/app/../../../pyproject.toml")
    assert response.status_code == 404
    assert response.json()["error"]["type"] == "not_found_error"
    assert client.delete("/health").status_code == 405


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000", "LOCALHOST:1"])
def test_requests_to_this_machine_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "[", "", "10.0.0.1"]
)
def test_a_name_that_was_rebound_to_this_machine_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "file://"])
def test_pages_of_other_sites_are_refused(client: TestClient, origin: str) -> None:
    assert client.get("/v1/models", headers={"Origin": origin}).status_code == 403


def test_pages_of_this_server_and_of_allowed_origins_are_answered(models: Models) -> None:
    friendly = make_client(models, allowed_origins=["https://friend.example"])
    for origin, allowed in (("http://127.0.0.1:8000", None), ("https://friend.example",) * 2):
        response = friendly.get("/v1/models", headers={"Origin": origin})
        assert response.status_code == 200
        assert response.headers.get("access-control-allow-origin") == allowed


def test_further_names_and_for_other_machines_addresses_are_allowed(models: Models) -> None:
    named = make_client(models, allowed_hosts=["models.example"])
    assert named.get("/health", headers={"Host": "models.example:80"}).status_code == 200
    public = make_client(models, key=KEY, host="0.0.0.0")
    assert public.get("/health", headers={"Host": "192.0.2.7:8000"}).status_code == 200
    assert public.get("/health", headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize("given", [None, "Bearer wrong", f"Basic {KEY}", f"Bearer {KEY}x", "Bearer é"])
def test_without_the_key_only_health_and_the_page_are_answered(models: Models, given: str | None) -> None:
    locked = make_client(models, key=KEY)
    headers = {} if given is None else {"Authorization": given.encode()}
    response = locked.get("/v1/models", headers=headers)
    assert response.status_code == 401
    assert KEY not in response.text
    assert locked.get("/health", headers=headers).status_code == 200
    assert locked.get("/", headers=headers).status_code == 200


def test_the_key_opens_the_api(models: Models) -> None:
    headers = {"Authorization": f"bearer {KEY}"}
    assert make_client(models, key=KEY).get("/v1/models", headers=headers).status_code == 200


def test_another_host_than_loopback_needs_a_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    assert is_loopback("127.8.8.8")
    assert is_loopback("::1")
    monkeypatch.delenv("FOUNDLING_API_KEY", raising=False)
    assert read_key(serve_settings()) is None
    with pytest.raises(ValueError, match=r"host=0\.0\.0\.0: .*FOUNDLING_API_KEY"):
        read_key(serve_settings(host="0.0.0.0"))
    monkeypatch.setenv("FOUNDLING_API_KEY", "short")
    with pytest.raises(ValueError, match="has 5 characters"):
        read_key(serve_settings())
    (tmp_path / "key").write_text(f"{KEY}\n")
    assert read_key(serve_settings(host="0.0.0.0", key_file=str(tmp_path / "key"))) == KEY


def test_two_folders_of_one_name_are_an_error(folders: list[str]) -> None:
    with pytest.raises(ValueError, match="two folders are named classifier"):
        load_models([folders[2], folders[2]], CPU, rows=1, queue=1)


def test_chat_answers_do_not_repeat_themselves_and_completions_may(models: Models) -> None:
    client = make_client(models, no_repeat_ngram_size=2)
    chat = models.find(ServedLanguageModel, "chat")
    assert chat.template is not None
    messages = [{"role": "user", "content": "Who?"}]
    ids = render_prompt([Message(USER, "Who?")], chat.template, TOKENIZER)
    guarded, free = (
        TOKENIZER.decode(list(generate(chat.model, ids, 60, Sampling(0.0, None, None, size), chat.ends)))
        for size in (2, None)
    )
    assert guarded != free
    asked = {"model": "chat", "max_tokens": 60}
    answer = client.post("/v1/chat/completions", json={**asked, "messages": messages}).json()
    assert answer["choices"][0]["message"]["content"] == guarded
    answer = client.post("/v1/completions", json={**asked, "prompt": ids}).json()
    assert answer["choices"][0]["text"] == free
