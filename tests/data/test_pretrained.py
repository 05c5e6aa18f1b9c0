import hashlib
from pathlib import Path
from typing import Any

import pytest

from foundling.data.pretrained import fetch_weights
from foundling.settings.datasets import Weights
from foundling.validation import build


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A mirror with one file of OpenAI's kind, and a copy of a model of the hub."""
    mirror = tmp_path / "mirror"
    (mirror / "gpt2").mkdir(parents=True)
    (mirror / "gpt2/model.ckpt.index").write_bytes(b"index")
    copy = mirror / "hub/some/model"
    (copy / "onnx").mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "pytorch_model.bin", "onnx/config.json"):
        (copy / name).write_text(name)
    return mirror


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def named(**changes: Any) -> Weights:
    return weights(files=[{"mirror": "gpt2/model.ckpt.index", **changes}])


def weights(**changes: Any) -> Weights:
    return build(Weights, {"init_from": "data/raw/weights", "files": [], "hub": None, **changes}, "weights")


def test_named_files_are_copied_once_size_and_hash_agree(shelf: Path, folder: Path) -> None:
    fetch_weights(named(size=5, sha256=hashlib.sha256(b"index").hexdigest()), folder, shelf)
    assert [file.name for file in folder.iterdir()] == ["model.ckpt.index"]
    for changes, says in (
        ({"size": 6}, "wrong size: expected 6 bytes but got 5"),
        ({"sha256": "0" * 64}, "wrong checksum"),
    ):
        with pytest.raises(ValueError, match=says):
            fetch_weights(named(**changes), folder, shelf)


def test_a_model_of_the_hub_comes_from_its_copy_without_pickles_and_subfolders(shelf: Path, folder: Path) -> None:
    hub = {"id": "some/model", "revision": "0" * 40, "files": ["*.safetensors", "*.json"]}
    fetch_weights(weights(hub=hub), folder, shelf)
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_a_model_that_is_not_available_is_one_line_with_the_fix(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huggingface_hub = pytest.importorskip("huggingface_hub")

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no network\nat all")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    hub = {"id": "some/model", "revision": "0" * 40, "files": ["*.json"]}
    says = r"some/model is not available: .* .no network at all.; check .*<mirror>/hub/some/model"
    with pytest.raises(ValueError, match=says):
        fetch_weights(weights(hub=hub), folder, None)


def test_from_scratch_there_is_nothing_to_fetch(folder: Path) -> None:
    fetch_weights(weights(), folder, None)
    assert list(folder.iterdir()) == []
