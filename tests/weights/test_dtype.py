"""Weights are loaded in the type that `runtime.dtype` chooses, for which little more memory is taken."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from foundling import config
from foundling.commands import chat, export, generate
from foundling.generation.decode import generate as generated
from foundling.generation.sampling import GREEDY
from foundling.model.gpt import GPT
from foundling.settings import Job
from foundling.text.tokenizer import Tokenizer
from foundling.weights import folder, gguf, huggingface_export
from foundling.weights.chat import chat_files
from foundling.weights.checkpoints import open_checkpoint

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
SHAPES = ("micro", "char", "original", "llama", "qwen3", "default")
MOST = 1.2  # of the weights' own memory
MEASURE = """
import json, sys
from pathlib import Path
import torch
from foundling.weights import folder
from foundling.weights.checkpoints import open_checkpoint

def resident(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))

def load(path):
    if (checkpoint := open_checkpoint(path)) is None:
        return folder.load_model(path, torch.bfloat16)
    return checkpoint.load(32, checkpoint.config.vocab_size, torch.bfloat16)

load(Path(sys.argv[1]))  # imports and caches what all need
shares = {}
for path in map(Path, sys.argv[2:]):
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins at the memory of now
    before = resident("VmRSS")
    model = load(path)
    for parameter in model.parameters():
        parameter.view(-1)[::512].sum()
    kept = sum(parameter.nbytes for parameter in model.parameters())
    shares[path.name] = (resident("VmHWM") - before) / kept
    del model, parameter
print(json.dumps(shares))
"""


@pytest.fixture
def shape(gpt_config: Callable[..., Any]) -> Callable[..., Any]:
    """The config of a small model of a choice in conf/model, or of a kind of its own."""

    def make(name: str, vocab_size: int, **values: Any) -> Any:
        if name == "default":
            more = {"convolution": 4, "lookup_heads": 2, "mlp": "relu2", "n_kv_head": 4, "n_head": 4}
            return gpt_config("llama", vocab_size, **more, **values)
        return gpt_config(name, vocab_size, **values)

    return make


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SHAPES)
def test_a_model_folder_is_loaded_in_the_chosen_type(
    name: str, dtype: str, shape: Callable[..., Any], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = GPT(shape(name, 50, n_layer=2)).eval()
    folder.save(tmp_path / "m", model)
    loaded = folder.load_model(tmp_path / "m", DTYPES[dtype])
    assert {tensor.dtype for tensor in (*loaded.parameters(), *loaded.buffers())} == {DTYPES[dtype]}
    expected = {key: tensor.to(DTYPES[dtype]) for key, tensor in model.state_dict().items()}
    assert all(torch.equal(tensor, expected[key]) for key, tensor in loaded.state_dict().items())
    ids = torch.randint(50, (2, 16), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        error = (loaded(ids).float() - model(ids)).abs().max() / model(ids).abs().max()
    assert 0 < error < 0.05
    assert len(list(generated(loaded, [1], 12, GREEDY))) == 12
    folder.save(tmp_path / "half", loaded)  # what is kept in half the bytes is computed with in float32
    back = folder.load_model(tmp_path / "half")
    assert all(torch.equal(tensor, expected[key].float()) for key, tensor in back.state_dict().items())
    assert {parameter.dtype for parameter in back.parameters()} == {torch.float32}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("kind", "precision"), [("folder", "f32"), ("folder", "bf16"), ("gguf", "q8_0")])
def test_published_weights_are_rounded_to_the_chosen_type(
    kind: str,
    precision: str,
    dtype: str,
    gpt_config: Callable[..., Any],
    tokenizer: Tokenizer,
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    model = GPT(gpt_config("llama", tokenizer.vocab_size, n_layer=2)).eval()
    write = gguf.export if kind == "gguf" else huggingface_export.export
    write(tmp_path / "out", model, tokenizer, precision=precision)
    checkpoint = open_checkpoint(tmp_path / "out")
    assert checkpoint is not None
    plain, half = (
        checkpoint.load(32, tokenizer.vocab_size - 2, chosen) for chosen in (torch.float32, DTYPES[dtype])
    )
    state = half.state_dict()
    assert {tensor.dtype for tensor in state.values()} == {DTYPES[dtype]}
    assert all(torch.equal(t.to(DTYPES[dtype]), state[key]) for key, t in plain.state_dict().items())


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux's peak of memory")
def test_loading_takes_little_more_memory_than_the_weights_in_the_chosen_type(
    gpt_config: Callable[..., Any], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    shape = {"n_embd": 512, "n_head": 8, "n_kv_head": 4, "head_dim": 64, "n_ffn": 2048, "context": 32}
    config = gpt_config("llama", 16_000, n_layer=8, **shape)
    model = GPT(config)
    folder.save(tmp_path / "own", model)
    huggingface_export.export(tmp_path / "huggingface", model, tokenizer)
    gguf.export(tmp_path / "gguf", model, tokenizer, precision="q8_0")
    small = GPT(gpt_config("llama", tokenizer.vocab_size, n_layer=1, context=32))
    gguf.export(tmp_path / "small", small, tokenizer, precision="q8_0")
    names = ("small", "own", "huggingface", "gguf")
    command = [sys.executable, "-c", MEASURE, *(str(tmp_path / name) for name in names)]
    # freed memory goes back to the system at once, so that each measurement begins without the last one's
    env = os.environ | dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), "65536")
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    shares = json.loads(done.stdout)
    assert {name: share for name, share in shares.items() if share > MOST} == {}


@pytest.mark.parametrize("dtype", DTYPES)
def test_generate_chat_and_export_load_in_the_chosen_type(
    dtype: str,
    gpt_config: Callable[..., Any],
    tokenizer: Tokenizer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    jobs = []
    for command in ("generate", "chat", "export"):
        more = [] if command == "export" else [f"{command}.max_new_tokens=4"]
        chosen = [f"runtime.dtype={dtype}", "trainer=cpu", f"{command}.model=models/chat", *more]
        jobs.append(Job.of(config.compose(chosen)))
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = GPT(gpt_config("llama", tokenizer.vocab_size, n_layer=1))
    folder.save(Path("models/chat"), model, tokenizer, extra=chat_files("phi3", None, tokenizer))
    loaded: list[torch.dtype] = []
    monkeypatch.setattr(
        folder, "load", lambda path, chosen, load=folder.load: loaded.append(chosen) or load(path, chosen)
    )
    answers = iter(["hello"])
    monkeypatch.setattr("builtins.input", lambda _: next(answers, "/quit"))
    for run, job in zip((generate.run, chat.run, export.run), jobs, strict=True):
        run(job)
    assert loaded == [DTYPES[dtype]] * 3
    assert "models/chat -> exports/chat-huggingface" in capsys.readouterr().out
