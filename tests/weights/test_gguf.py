from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundling.model.gpt import GPT
from foundling.text.prompts import TEMPLATES, Message, render_prompt
from foundling.text.tiktoken_tokenizer import characters
from foundling.text.tokenizer import Tokenizer
from foundling.weights import gguf

llama_cpp = pytest.importorskip("xllamacpp")
requests = pytest.importorskip("requests")
SHAPES = ("gpt2", "gpt2_without_bias", "gpt2_with_sinusoids", "llama", "llama_with_bias", "qwen3")
PROMPT = "The fox and the "
HARD = ["<|endoftext|>", "<|user|>", "👩\u200d👧", "🎉", "\r\n", "\n\n", "\t", "  ", "e\u0301"]
HARD += [
    "日本語",
    "العربية",
    "हिन्दी",
    "\u200d",
    "\u00a0",
    "don't",
    "'ll",
    "x²",
    "½",
    "１２",
    "http://a.b/c?d=e",
    "ﬁ",
    "İ",
    "\ufeff",
    "\u3000",
]


class LlamaCpp:
    """llama.cpp's server in this process, on one model."""

    def __init__(self, file: Path) -> None:
        params = llama_cpp.CommonParams()
        params.model.path = str(file)
        params.n_ctx, params.n_parallel, params.warmup, params.verbosity = 96, 1, False, 0
        params.cpuparams.n_threads = 1
        params.flash_attn_type = llama_cpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.cache_type_k = params.cache_type_v = llama_cpp.ggml_type.GGML_TYPE_F32
        self.server = llama_cpp.Server(params)

    def ask(self, place: str, **values: Any) -> Any:
        answer = requests.post(f"{self.server.listening_address}/{place}", json=values, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def greedy(self, ids: list[int], count: int) -> list[int]:
        """The likeliest tokens."""
        made = self.ask(
            "completion", prompt=ids, n_predict=count, temperature=0.0, return_tokens=True, cache_prompt=False
        )
        tokens: list[int] = made["tokens"]
        return tokens

    def logprobs(self, ids: list[int], vocab_size: int) -> torch.Tensor:
        """Log-probabilities (V,) of the next token, before any sampling.

        The server keeps them back in the midst of a character, so it is made to draw a whole one.
        """
        whole = [[self.encode("a")[0], 10_000.0]]
        made = self.ask("completion", prompt=ids, n_predict=1, n_probs=vocab_size, logit_bias=whole, cache_prompt=False)
        row = torch.full((vocab_size,), float("nan"))
        for candidate in made["completion_probabilities"][0]["top_logprobs"]:
            row[candidate["id"]] = candidate["logprob"]
        return row

    def encode(self, text: str) -> list[int]:
        tokens: list[int] = self.ask("tokenize", content=text, add_special=False, parse_special=False)["tokens"]
        return tokens


@contextmanager
def opened(folder: Path, *arguments: Any, **named: Any) -> Iterator[LlamaCpp]:
    gguf.export(folder, *arguments, **named)
    (file,) = folder.glob("*.gguf")
    yield LlamaCpp(file)


@pytest.mark.parametrize("shape", SHAPES)
def test_llama_cpp_computes_what_we_exported(
    shape: str, any_model: Callable[[str], GPT], tokenizer: Tokenizer, tmp_path: Path, greedy: Callable[..., list[int]]
) -> None:
    model = any_model(shape)
    ids = tokenizer.encode(PROMPT)
    ours = greedy(model, ids, 32)
    with torch.inference_mode():
        logits = model(torch.tensor([ids + ours]))[0, len(ids) - 1 : -1]  # (32, V)
    with opened(tmp_path / "out", model, tokenizer) as peer:
        assert peer.greedy(ids, 32) == ours
        for at in range(0, 32, 3):
            theirs = peer.logprobs(ids + ours[:at], model.config.vocab_size)
            assert (logits[at].log_softmax(-1) - theirs).abs().max() < 1e-2


@pytest.mark.parametrize(("precision", "size", "error"), [("f16", 2.0, 0.02), ("q8_0", 34 / 32, 0.2)])
@pytest.mark.parametrize("shape", ["gpt2", "llama", "qwen3"])
def test_smaller_files_stay_near(
    shape: str,
    precision: str,
    size: float,
    error: float,
    trained: Callable[[str], GPT],
    tokenizer: Tokenizer,
    tmp_path: Path,
) -> None:
    model = trained(shape)
    ids = tokenizer.encode(PROMPT)
    with opened(tmp_path / "out", model, tokenizer, precision=precision) as peer:
        theirs = peer.logprobs(ids, model.config.vocab_size)
    with torch.inference_mode():
        ours = model(torch.tensor([ids]))[0, -1].log_softmax(-1)
    assert (ours - theirs).abs().max() < error
    matrices = sum(p.numel() for name, p in model.named_parameters() if p.dim() > 1 and "position" not in name)
    others = sum(p.numel() for p in model.parameters()) - matrices
    (file,) = (tmp_path / "out").glob("*.gguf")
    assert matrices * size + others * 4 < file.stat().st_size < matrices * size + others * 4 + 40_000  # the tokenizer


@pytest.fixture(scope="module")
def peer(make_model: Callable[[str], GPT], tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> LlamaCpp:
    folder = tmp_path_factory.mktemp("gguf")
    with opened(folder / "out", make_model("llama"), tokenizer, TEMPLATES["phi3"]) as peer:
        return peer


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.sampled_from(HARD), st.text(max_size=6)), max_size=10).map("".join))
def test_llama_cpp_cuts_text_into_the_same_tokens(peer: LlamaCpp, tokenizer: Tokenizer, text: str) -> None:
    assert peer.encode(text) == tokenizer.encode(text)


def test_the_chat_template_goes_along(peer: LlamaCpp, tokenizer: Tokenizer) -> None:
    said = [{"role": "user", "content": "Who sleeps?"}, {"role": "assistant", "content": "The lion."}]
    said += [{"role": "user", "content": "Why?"}]
    text = peer.ask("apply-template", messages=said)["prompt"]
    ids = peer.ask("tokenize", content=text, add_special=False, parse_special=True)["tokens"]
    template = TEMPLATES["phi3"]
    assert ids == render_prompt([Message(one["role"], one["content"]) for one in said], template, tokenizer)


def test_equal_models_are_equal_bytes(make_model: Callable[[str], GPT], tokenizer: Tokenizer, tmp_path: Path) -> None:
    for name in "ab":
        gguf.export(tmp_path / name, make_model("qwen3"), tokenizer)
    assert (tmp_path / "a/model-f32.gguf").read_bytes() == (tmp_path / "b/model-f32.gguf").read_bytes()


def test_the_modelfile_names_weights_template_and_context(
    make_model: Callable[[str], GPT], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    gguf.export(tmp_path / "base", make_model("qwen3"), tokenizer, precision="q8_0", name="base")
    lines = (tmp_path / "base/Modelfile").read_text().splitlines()
    assert lines[:2] == ["FROM ./base-q8_0.gguf", 'TEMPLATE """{{ .Prompt }}"""']
    assert lines[-1] == "PARAMETER num_ctx 96"
    gguf.export(tmp_path / "chat", make_model("qwen3"), tokenizer, TEMPLATES["alpaca"])
    text = (tmp_path / "chat/Modelfile").read_text()
    assert '{{ if eq .Role "user" }}### Instruction:\n{{ .Content }}\n\n{{ end }}' in text
    assert '{{ end }}### Response:\n"""' in text
    assert 'SYSTEM """Below is an instruction' in text


def test_what_llama_cpp_cannot_do_is_refused(
    make_model: Callable[[str], GPT], gpt_config: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"llama\.cpp has no pre-tokenizer .* tokenizer=bpe or gpt2"):
        gguf.export(tmp_path / "out", make_model("llama"), characters(["abc"]))
    with pytest.raises(ValueError, match=r"model\.convolution=3"):
        gguf.export(tmp_path / "out", GPT(gpt_config("micro")), characters(["abc"]))
    assert not (tmp_path / "out").exists()
