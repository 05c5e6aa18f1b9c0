"""The page's endpoints: what a model reads, expects and attends to, and how long a text may be."""

from pathlib import Path
from typing import Any

import pytest
import torch
from fastapi.testclient import TestClient

from foundling.generation.decode import continue_text
from foundling.generation.sampling import GREEDY
from foundling.model.attention_maps import attention_maps
from foundling.model.gpt import GPT
from foundling.serving.inspect_models import next_tokens
from foundling.serving.inspect_router import LONGEST_ATTENTION
from foundling.serving.loading import Models, load_models
from foundling.weights import folder

from .conftest import CPU, TOKENIZER, make_client

TEXT = "the owl eats mice"


def post(client: TestClient, path: str, **body: Any) -> Any:
    response = client.post(f"/inspect/{path}", json=body)
    assert response.status_code == 200, response.text
    return response.json()


def test_the_page_learns_which_models_there_are(client: TestClient) -> None:
    about = client.get("/inspect/models").json()
    assert [(model["id"], model["chat"], model["context"]) for model in about["language"]] == [
        ("chat", True, 256),
        ("base", False, 256),
    ]
    assert about["classifier"] == "classifier"
    assert about["translator"] == "translator"
    assert about["snapshots"] == [0, 20]
    assert about["commands"]["spam"] == "dvc repro classify"


def test_tokens_joined_are_the_text_and_the_probabilities_are_the_models(
    client: TestClient, models: Models
) -> None:
    found = post(client, "tokens", model="base", text=TEXT, count=5)
    assert "".join(token["text"] for token in found["tokens"]) == f"<|endoftext|>{TEXT}"
    served: Any = models.by_name["base"]
    ids = [token["id"] for token in found["tokens"]]
    with torch.no_grad():
        p = served.model(torch.tensor([ids]))[0, -1].softmax(-1)
    best = p.topk(5)
    assert [one["id"] for one in found["next"]["likeliest"]] == best.indices.tolist()
    assert [one["probability"] for one in found["next"]["likeliest"]] == pytest.approx(best.values.tolist())
    entropy = float(-(p * p.log2()).sum())
    assert found["next"]["entropy_bits"] == pytest.approx(entropy, abs=1e-3)


def test_the_empty_text_starts_a_document(client: TestClient) -> None:
    found = post(client, "tokens", model="base", text="")
    assert [(token["text"], token["special"]) for token in found["tokens"]] == [("<|endoftext|>", True)]


def test_special_tokens_that_are_typed_stay_text(client: TestClient) -> None:
    found = post(client, "tokens", model="chat", text="<|user|>")
    start, *typed = found["tokens"]
    assert start["special"]
    assert len(typed) == len("<|user|>")
    assert not any(token["special"] for token in typed)


def test_each_layer_has_the_models_attention(client: TestClient, models: Models) -> None:
    served: Any = models.by_name["base"]
    ids = torch.tensor([served.tokenizer.encode_document(TEXT)])
    maps = attention_maps(served.model, ids)[:, 0]
    for layer in range(served.model.config.n_layer):
        found = post(client, "attention", model="base", text=TEXT, layer=layer)
        torch.testing.assert_close(torch.tensor(found["heads"]), maps[layer], atol=1e-4, rtol=0)


def test_layers_without_attention_are_not_counted(gpt_config: Any, tmp_path: Path) -> None:
    shape = {"n_layer": 2, "layers": ("conv", "attention"), "conv_kernel": 3, "convolution": 0}
    config = gpt_config("micro", TOKENIZER.vocab_size, lookup_heads=0, init="gpt2", **shape)
    folder.save(tmp_path / "mixed", GPT(config), TOKENIZER)
    loaded = load_models([str(tmp_path / "mixed")], CPU, rows=1, queue=1)
    client = make_client(loaded)
    assert client.get("/inspect/models").json()["language"][0]["layers"] == 1
    assert len(post(client, "attention", model="mixed", text="owl", layer=0)["heads"]) == config.n_head
    assert client.post("/inspect/attention", json={"model": "mixed", "text": "owl", "layer": 1}).is_error
    loaded.close()


def test_a_snapshot_continues_the_text_as_its_model_does(client: TestClient, models: Models) -> None:
    served: Any = models.by_name["base"]
    earlier = folder.load_model(served.folder.parent / "snapshots" / "step-00000020")
    ids = served.tokenizer.encode_document(TEXT)
    expected = next_tokens(earlier, served.tokenizer, ids, 5)
    found = post(client, "snapshots", text=TEXT, step=20, max_tokens=8, watched=[65, 66])
    assert found["text"] == continue_text(earlier, served.tokenizer, TEXT, 8, GREEDY, 0)
    assert [one["id"] for one in found["next"]["likeliest"]] == [one.id for one in expected.likeliest]
    assert [one["id"] for one in found["next"]["watched"]] == [65, 66]
    other = post(client, "snapshots", text=TEXT, step=0, max_tokens=8)
    assert other["next"]["likeliest"] != found["next"]["likeliest"]


def test_occlusion_measures_the_text_without_each_token(client: TestClient, models: Models) -> None:
    found = post(client, "occlusion", text=TEXT)
    p = found["probabilities"]
    assert sum(p.values()) == pytest.approx(1, abs=1e-5)
    assert found["label"] == max(p, key=p.__getitem__)
    assert "".join(token["text"] for token in found["tokens"]) == TEXT
    shorter = post(client, "occlusion", text=TEXT[1:])["probabilities"][found["label"]]
    assert found["tokens"][0]["without"] == pytest.approx(shorter, abs=1e-5)
    odds = torch.tensor([p[found["label"]], shorter]).logit()
    assert found["tokens"][0]["weight"] == pytest.approx(float(odds[0] - odds[1]), abs=1e-3)
    assert len({round(token["weight"], 4) for token in found["tokens"]}) > 1
    assert not found["truncated"]
    assert post(client, "occlusion", text="a" * 300)["truncated"]


def test_occlusion_classifies_as_the_api_does(client: TestClient) -> None:
    (result,) = client.post("/classify", json={"input": TEXT}).json()["results"]
    assert post(client, "occlusion", text=TEXT)["probabilities"] == pytest.approx(result["probabilities"])


def test_a_translation_comes_with_its_cross_attention(client: TestClient) -> None:
    found = post(client, "translation", text=f"  {TEXT}\n")
    maps = torch.tensor(found["attention"]["layers"])
    source, translation = found["attention"]["source"], found["attention"]["translation"]
    assert "".join(source) == f"{TEXT}■"
    assert maps.shape[1:] == (len(translation), len(source))
    torch.testing.assert_close(maps.sum(-1), torch.ones(maps.shape[:2]), atol=0.01, rtol=0)


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("tokens", {"model": "base", "text": "a" * 256}, 400, "has 257 tokens; at most 256"),
        ("tokens", {"model": "gpt-4", "text": "a"}, 404, "choose one of chat, base"),
        ("tokens", {"model": "classifier", "text": "a"}, 404, "choose one of chat, base"),
        ("tokens", {"model": "base", "text": "a" * 20_001}, 400, "20000"),
        ("tokens", {"model": "base", "text": 7}, 400, "text"),
        ("tokens", {"model": "base"}, 400, "text"),
        ("tokens", {"model": "base", "text": "a", "folder": "/etc"}, 400, "folder"),
        ("attention", {"model": "base", "text": "a" * LONGEST_ATTENTION}, 400, "at most 128"),
        ("attention", {"model": "base", "text": "a", "layer": 99}, 400, "layer=99: must be from 0 to"),
        ("snapshots", {"text": "a", "step": 7}, 404, "step=7: no snapshot; the steps are: 0, 20"),
        ("snapshots", {"text": "a", "step": 20, "watched": [999]}, 400, "watched: ids must be below"),
        ("snapshots", {"text": "a", "step": 20, "temperature": 9}, 400, "temperature"),
        ("occlusion", {"text": " \n"}, 400, "text: is empty"),
        ("translation", {"text": ""}, 400, "text: is empty"),
    ],
)
def test_mistakes_get_an_error_in_openais_format(
    client: TestClient, path: str, body: dict[str, Any], status: int, message: str
) -> None:
    response = client.post(f"/inspect/{path}", json=body)
    assert response.status_code == status
    assert message in f"{response.json()['error']['param']}: {response.json()['error']['message']}"
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}
