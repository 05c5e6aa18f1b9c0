from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from foundling.artifacts import read_json, write_json
from foundling.model.config import GPTConfig
from foundling.model.gpt import GPT
from foundling.text.tokenizer import END_OF_TEXT, Tokenizer
from foundling.text.vocabularies import train_bpe
from foundling.validation import build
from foundling.weights import huggingface_export
from foundling.weights.start import start


@pytest.fixture
def shape(root: Path, tokenizer: Tokenizer) -> Callable[..., GPTConfig]:
    """The composed config of a small Qwen3 or GPT-2."""

    def make(name: str, **changes: Any) -> GPTConfig:
        values = yaml.safe_load((root / "conf/model" / f"{name}.yaml").read_text())
        sizes = {"context": 96, "n_layer": 2, "n_embd": 64, "n_ffn": 128, "n_head": 4}
        sizes |= {"n_kv_head": 2, "head_dim": 32} if name == "qwen3" else {}
        return build(GPTConfig, {"vocab_size": tokenizer.vocab_size, **values, **sizes, **changes}, "model")

    return make


@pytest.fixture
def published(make_model: Callable[[str], GPT], tokenizer: Tokenizer, tmp_path: Path) -> Path:
    huggingface_export.export(tmp_path / "qwen3", make_model("qwen3"), tokenizer)
    return tmp_path / "qwen3"


def test_training_begins_from_published_weights(
    published: Path, make_model: Callable[[str], GPT], tokenizer: Tokenizer, shape: Callable[..., GPTConfig]
) -> None:
    network = start(str(published), shape("qwen3", dropout=0.1, attention="reference"), tokenizer, seed=1)
    assert network.training
    assert (network.config.dropout, network.config.attention) == (0.1, "reference")
    assert network.config.vocab_size == tokenizer.vocab_size  # without the five ids that no text has
    ids = torch.randint(500, (1, 32))
    torch.testing.assert_close(network.eval()(ids), make_model("qwen3")(ids)[..., :500], atol=1e-5, rtol=1e-5)
    assert all(p.requires_grad and p.is_leaf and p.is_contiguous() for p in network.parameters())


def test_training_goes_on_from_an_exported_default_model(
    gpt_config: Callable[..., Any], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    sizes = {"context": 96, "n_layer": 2, "n_embd": 64, "n_ffn": 128}
    model = GPT(gpt_config("nano", tokenizer.vocab_size, **sizes))
    huggingface_export.export(tmp_path / "nano", model, tokenizer)
    config = gpt_config("nano", tokenizer.vocab_size, **sizes, dropout=0.1, init="gpt2")
    network = start(str(tmp_path / "nano"), config, tokenizer, seed=1)
    assert network.config == config
    state = network.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    config = gpt_config("nano", tokenizer.vocab_size, **sizes, lookup_heads=1)
    with pytest.raises(ValueError, match=r"model\.lookup_heads=1 \(checkpoint: 2\)"):
        start(str(tmp_path / "nano"), config, tokenizer, seed=1)


def test_rotary_positions_may_be_asked_for_a_shorter_context(
    published: Path, make_model: Callable[[str], GPT], tokenizer: Tokenizer, shape: Callable[..., GPTConfig]
) -> None:
    network = start(str(published), shape("qwen3", context=32), tokenizer, seed=1).eval()
    assert network.config.context == 32
    ids = torch.randint(500, (1, 32))
    torch.testing.assert_close(network(ids), make_model("qwen3")(ids)[..., :500])
    with pytest.raises(ValueError, match=r"model\.context=128 \(checkpoint: 96\)"):
        start(str(published), shape("qwen3", context=128), tokenizer, seed=1)


def test_another_shape_than_the_composed_one_is_refused_by_field(
    published: Path, tokenizer: Tokenizer, shape: Callable[..., GPTConfig]
) -> None:
    with pytest.raises(ValueError, match=r"has another shape than the model section") as error:
        start(str(published), shape("gpt2_124m", n_layer=3), tokenizer, seed=1)
    for part in (
        "model.n_layer=3 (checkpoint: 2)",
        "model.position=learned (checkpoint: rotary)",
        "model.mlp=gelu (checkpoint: swiglu)",
    ):
        assert part in str(error.value)


def test_another_vocabulary_is_refused(
    published: Path, tokenizer: Tokenizer, story: str, shape: Callable[..., GPTConfig]
) -> None:
    other = train_bpe([story[:3000]], tokenizer.vocab_size, [END_OF_TEXT, "<|user|>", "<|assistant|>"])
    with pytest.raises(
        ValueError, match=r"is token \d+ of data/tokenizer and \d+ of the model .* tokens differ"
    ):
        start(str(published), shape("qwen3"), other, seed=1)
    larger = train_bpe([story], tokenizer.vocab_size + 50)
    with pytest.raises(ValueError, match=r"data/tokenizer has 550 tokens and the model in .* 505"):
        start(str(published), shape("qwen3"), larger, seed=1)


def test_openais_vocabulary_is_compared_too(
    published: Path, tokenizer: Tokenizer, shape: Callable[..., GPTConfig]
) -> None:
    vocabulary = read_json(published / "tokenizer.json")["model"]["vocab"]
    write_json(published / "encoder.json", vocabulary | {"a": 7, "b": 8})
    with pytest.raises(
        ValueError, match=r"'a' is token 64 of data/tokenizer and 7 of the model .* 2 tokens differ"
    ):
        start(str(published), shape("qwen3"), tokenizer, seed=1)


@pytest.mark.parametrize("name", ["model.pt", "model.ckpt", "pytorch_model.bin"])
def test_a_pickle_is_refused_with_what_to_do(
    name: str, tmp_path: Path, tokenizer: Tokenizer, shape: Callable[..., GPTConfig]
) -> None:
    (tmp_path / name).write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    for place in (tmp_path, tmp_path / name):
        with pytest.raises(ValueError, match=r"as a pickle .* use the safetensors of the same model"):
            start(str(place), shape("qwen3"), tokenizer, seed=1)


def test_a_place_without_a_model_is_refused_with_the_choices(
    tmp_path: Path, tokenizer: Tokenizer, shape: Callable[..., GPTConfig]
) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(
            ValueError, match=r"must be 'scratch', a GGUF file or a folder .* weights=openai_124m"
        ):
            start(str(place), shape("qwen3"), tokenizer, seed=1)
