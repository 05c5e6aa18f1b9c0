"""Texts are classified, translated and embedded as the commands do it; /metrics counts what happened."""

import base64

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from foundling.data.encoded_texts import encode
from foundling.evaluation.classification import probabilities
from foundling.generation.beam import translate
from foundling.serving.loading import Models, ServedClassifier, ServedLanguageModel, ServedTranslator
from foundling.settings.generation import BeamSearch

from .conftest import TOKENIZER, make_client

TEXTS = ["free entry", "see you at eight"]


def test_texts_are_classified(client: TestClient, models: Models) -> None:
    results = client.post("/classify", json={"input": TEXTS}).json()["results"]
    classifier = models.find(ServedClassifier, None).model
    rows, _ = encode(TOKENIZER, TEXTS, classifier.config.trunk.context, "end", "SMS: {text}!")
    expected = probabilities(classifier, rows, 1024)
    for result, row in zip(results, expected.tolist(), strict=True):
        assert list(result["probabilities"]) == ["ham", "spam"]
        assert list(result["probabilities"].values()) == pytest.approx(row)
        assert result["probabilities"][result["label"]] == max(result["probabilities"].values())
    one = client.post("/classify", json={"input": TEXTS[0], "model": "classifier"}).json()
    assert [result["label"] for result in one["results"]] == [results[0]["label"]]


def test_texts_are_translated(client: TestClient, models: Models) -> None:
    translator = models.find(ServedTranslator, None).model
    for beam in (1, 3):
        search = BeamSearch(beam=beam, length_penalty=0.6, extra=5, batch_tokens=1024)
        expected, _ = translate(translator, TOKENIZER, TEXTS, search)
        made = client.post("/translate", json={"input": TEXTS, "beam": beam}).json()
        assert made["translations"] == expected
    assert client.post("/translate", json={"input": ""}).json()["translations"] == [""]


def test_an_embedding_is_the_mean_of_the_last_layer(client: TestClient, models: Models) -> None:
    network = models.find(ServedLanguageModel, "base").model
    asked = {"model": "base", "input": TEXTS}
    made = client.post("/v1/embeddings", json=asked).json()
    assert made["usage"]["prompt_tokens"] == sum(map(len, TEXTS))
    packed = client.post("/v1/embeddings", json={**asked, "encoding_format": "base64"}).json()
    for text, one, other in zip(TEXTS, made["data"], packed["data"], strict=True):
        with torch.inference_mode():
            mean = network.hidden(torch.tensor([TOKENIZER.encode(text)]))[0].mean(0)
        assert one["embedding"] == pytest.approx((mean / mean.norm()).tolist(), abs=1e-5)
        decoded = np.frombuffer(base64.b64decode(other["embedding"]), dtype="<f4")
        assert decoded.tolist() == pytest.approx(one["embedding"], abs=1e-6)


@pytest.mark.parametrize(
    ("path", "asked", "status", "message"),
    [
        ("/classify", {"input": " "}, 400, "a text is empty"),
        ("/classify", {"input": []}, 400, "input"),
        ("/classify", {"input": ["a"] * 9}, 413, "at most 8"),
        ("/classify", {"input": "a", "model": "translator"}, 404, "choose one of classifier"),
        ("/translate", {"input": "a", "beam": 1000}, 400, "beam"),
        ("/v1/embeddings", {"input": ""}, 400, "a text is empty"),
        ("/v1/embeddings", {"input": [[99999]]}, 400, "must send the texts"),
        ("/v1/embeddings", {"input": "a", "dimensions": 8}, 400, "does not support dimensions"),
        ("/v1/embeddings", {"input": "a" * 300}, 400, "context is 256"),
    ],
)
def test_mistakes_are_explained(
    client: TestClient, path: str, asked: object, status: int, message: str
) -> None:
    response = client.post(path, json=asked)
    assert response.status_code == status
    assert message in response.json()["error"]["message"]


def test_metrics_count_requests_by_route_and_tokens_by_model(models: Models) -> None:
    client = make_client(models)
    before = client.get("/metrics").text
    client.get("/v1/models/chat")
    client.get("/v1/models/base")
    client.get("/made/up")
    client.post("/v1/completions", json={"model": "base", "prompt": "a", "max_tokens": 3})
    after = client.get("/metrics").text
    assert value(after, "foundling_requests_total", path="/v1/models/{name}", status="200") == 2
    assert value(after, "foundling_requests_total", path="other", status="404") == 1
    assert "/made/up" not in after
    name, labels = "foundling_tokens_total", {"model": "base"}
    assert 0 <= value(after, name, **labels) - value(before, name, **labels) <= 3
    assert value(after, "foundling_prompt_tokens_total", model="base", kind="computed") > 0
    assert value(after, "foundling_queue", model="chat") == 0


def value(text: str, name: str, **labels: str) -> float:
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    found = [one.value for one in samples if one.name == name and labels.items() <= one.labels.items()]
    assert found, (name, labels)
    return sum(found)
