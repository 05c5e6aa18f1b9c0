from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from foundling.artifacts import read_json, write_json
from foundling.model.gpt import GPT
from foundling.weights import folder


@pytest.fixture(params=["micro", "char", "original", "llama"])
def model(request: pytest.FixtureRequest, gpt_config: Callable[..., Any]) -> GPT:
    torch.manual_seed(0)
    return GPT(gpt_config(request.param, n_layer=2)).eval()


def test_a_model_comes_back_equal(model: GPT, tmp_path: Path) -> None:
    folder.save(tmp_path / "m", model)
    back = folder.load_model(tmp_path / "m")
    assert back.config == model.config
    ids = torch.randint(50, (2, 16))
    assert torch.equal(back(ids), model(ids))
    assert not any(t.is_meta for t in [*back.parameters(), *back.buffers()])


def test_equal_models_are_equal_bytes(model: GPT, tmp_path: Path) -> None:
    for name in "ab":
        folder.save(tmp_path / name, model)
    assert (tmp_path / "a/model.safetensors").read_bytes() == (tmp_path / "b/model.safetensors").read_bytes()


@pytest.fixture
def saved(tmp_path: Path, gpt_config: Callable[..., Any]) -> Path:
    folder.save(tmp_path / "m", GPT(gpt_config("micro")))
    return tmp_path / "m"


def test_tensors_that_do_not_fit_are_named(saved: Path) -> None:
    state = load_file(saved / "model.safetensors")
    state["stranger"] = state.pop("norm.weight")
    state["token_embedding.weight"] = state["token_embedding.weight"][:7].clone()
    save_file(state, saved / "model.safetensors")
    with pytest.raises(ValueError, match="does not match") as error:
        folder.load_model(saved)
    for part in ("norm.weight is missing", "stranger is unexpected", r"shape (7, 32), expected (50, 32)"):
        assert part in str(error.value)


def test_a_cut_file_a_missing_one_and_a_foreign_config_are_refused(saved: Path) -> None:
    weights = saved / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ValueError, match="is not a valid safetensors file"):
        folder.load_model(saved)
    weights.unlink()
    with pytest.raises(ValueError, match=r"model\.safetensors is missing; run the stage"):
        folder.load_model(saved)
    write_json(saved / "config.json", read_json(saved / "config.json") | {"n_heads": 3})
    with pytest.raises(ValueError, match=r"config\.json: n_heads: unknown key"):
        folder.load_model(saved)
