"""Whatever is changed, lost or slipped in along a model's chain is found and named, and nothing else is."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from foundling.artifacts import read_json, write_json
from foundling.text.tiktoken_tokenizer import GPT2_PATTERN, TiktokenTokenizer
from foundling.text.tokenizer import END_OF_TEXT
from foundling.weights import folder
from foundling.weights.chain import links

CHAT = Path("models/chat")


def faults(model: Path = CHAT) -> dict[str, str]:
    return {str(link.path): link.fault for link in links(model) if link.fault}


def test_a_chain_as_it_was_made_is_intact(chain: Path) -> None:
    found = list(links(CHAT))
    assert not [link for link in found if link.fault]
    whats = [str(link.path) for link in found]
    assert len({(link.path, link.record) for link in found}) == len(found)
    order = [
        "data/raw/corpus/fox/fox.txt",
        "data/tokens/fox.train.bin",
        "models/base/model.safetensors",
        "models/base",
    ]
    assert [what for what in whats if what in order] == order
    assert {"data/tokenizer", "data/raw/instruct/fox/fox.txt", "models/chat/chat.json"} < set(whats)


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


FILES = {
    "data/raw/corpus/fox/fox.txt": {"data/raw/corpus/fox/fox.txt"},
    "data/tokenizer/tokens.tiktoken": {"data/tokenizer"},
    "data/tokens/fox.train.bin": {"data/tokens/fox.train.bin"},
    "data/raw/instruct/fox/fox.txt": {"data/raw/instruct/fox/fox.txt"},
    "models/base/model.safetensors": {"models/base/model.safetensors", "models/base"},
    "models/base/README.md": {"models/base"},
    "models/chat/model.safetensors": {"models/chat/model.safetensors"},
    "models/chat/config.json": {"models/chat/config.json"},
}


@pytest.mark.parametrize("name", FILES)
def test_one_changed_bit_is_found_and_named(chain: Path, name: str) -> None:
    if name.endswith(".tiktoken"):  # stays readable, so that the hash alone must tell
        path = chain / name
        path.write_text(path.read_text() + "\n")
    else:
        spoil(chain / name)
    assert set(faults()) == FILES[name]


@pytest.mark.parametrize(
    "name", ["data/tokens/fox.train.bin", "models/chat/tokenizer/tokenizer.json", "data/raw/instruct"]
)
def test_what_is_lost_is_named(chain: Path, name: str) -> None:
    path = chain / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert any(what.startswith(name) and fault == "is missing" for what, fault in faults().items())


def test_what_was_slipped_in_is_named(chain: Path) -> None:
    (CHAT / "extra.bin").write_bytes(b"x")
    assert faults() == {"models/chat/extra.bin": "is not recorded in models/chat/provenance.json"}


def test_a_base_that_was_made_anew_breaks_the_chain_of_what_was_tuned_on_it(chain: Path) -> None:
    made = read_json("models/base/provenance.json")
    write_json("models/base/provenance.json", made | {"metrics": {"val/loss": 1.0}})
    assert set(faults()) == {"models/base"}
    assert not faults(Path("models/base"))


def test_a_parent_without_a_record_is_compared_as_a_whole(chain: Path) -> None:
    Path("models/base/provenance.json").unlink()
    assert faults() == {"models/base": "differs from the hash in models/chat/provenance.json"}


def test_a_model_whose_tokenizer_does_not_match_is_refused_at_load(chain: Path) -> None:
    folder.load(CHAT)
    ranks = {bytes([255 - i]): i for i in range(256)}
    TiktokenTokenizer(ranks, GPT2_PATTERN, [END_OF_TEXT]).save(CHAT / "tokenizer")
    with pytest.raises(
        ValueError, match=r"tokens\.tiktoken is not the tokenizer that this model was trained with"
    ):
        folder.load(CHAT)
    assert faults()["models/chat/tokenizer"] == "differs from the tokenizer models/base/tokenizer"


def test_a_folder_without_hashes_is_refused(chain: Path) -> None:
    write_json(CHAT / "provenance.json", {"config": {}})
    with pytest.raises(ValueError, match="records no files, so nothing can be verified"):
        list(links(CHAT))


def test_verifying_imports_no_torch() -> None:
    code = (
        "import sys, foundling.commands.verify, foundling.commands.rebuild; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_snapshots_need_neither_record_nor_card(chain: Path, gpt_config: Callable[..., object]) -> None:
    folder.save(Path("s"), folder.load_model(CHAT))
    assert sorted(path.name for path in Path("s").iterdir()) == ["config.json", "model.safetensors"]
