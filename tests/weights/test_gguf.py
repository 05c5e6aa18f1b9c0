import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundling.model.gpt import GPT
from foundling.text.chat_template import find_template
from foundling.text.gguf_tokenizer import from_gguf
from foundling.text.library_tokenizer import LibraryTokenizer
from foundling.text.pre_tokenizers import PRE_TOKENIZERS
from foundling.text.prompts import TEMPLATES, Message, render_prompt
from foundling.text.tokenizer import END_OF_TEXT, Tokenizer
from foundling.text.vocabularies import characters
from foundling.weights import gguf
from foundling.weights.gguf_file import read_gguf
from foundling.weights.huggingface_tokenizer import to_library

pytest.importorskip("xllamacpp")
SHAPES = (
    *("gpt2", "gpt2_without_bias", "gpt2_with_sinusoids", "llama", "llama_with_bias", "qwen2", "qwen3"),
    *("lfm2", "olmo2", "linear", "yarn", "yarn_sharper", "llama3"),
)
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


@pytest.fixture(scope="session")
def opened(llama_cpp: Callable[[Path], Any]) -> Callable[..., Any]:
    """An exported model, opened by llama.cpp."""

    def open_export(folder: Path, *arguments: Any, **named: Any) -> Any:
        gguf.export(folder, *arguments, **named)
        (file,) = folder.glob("*.gguf")
        return llama_cpp(file)

    return open_export


@pytest.mark.parametrize("shape", SHAPES)
def test_llama_cpp_computes_what_we_exported(
    shape: str,
    any_model: Callable[[str], GPT],
    tokenizer: Tokenizer,
    tmp_path: Path,
    greedy: Callable[..., list[int]],
    opened: Callable[..., Any],
) -> None:
    model = any_model(shape)
    ids = tokenizer.encode(PROMPT)
    ours = greedy(model, ids, 32)
    with torch.inference_mode():
        logits = model(torch.tensor([ids + ours]))[0, len(ids) - 1 : -1]  # (32, V)
    peer = opened(tmp_path / "out", model, tokenizer)
    said = peer.greedy(ids, 32)  # it stops where ours goes on after an end token
    assert len(said) > 8
    assert said == ours[: len(said)]
    for at in range(0, 32, 3):
        theirs = peer.logprobs(ids + ours[:at], model.config.vocab_size)
        assert (logits[at].log_softmax(-1) - theirs).abs().max() < 1e-2


@pytest.mark.parametrize(("precision", "size", "error"), [("f16", 2.0, 0.02), ("q8_0", 34 / 32, 0.2)])
@pytest.mark.parametrize("shape", ["gpt2", "llama", "qwen3", "lfm2"])
def test_smaller_files_stay_near(
    shape: str,
    precision: str,
    size: float,
    error: float,
    trained: Callable[[str], GPT],
    tokenizer: Tokenizer,
    tmp_path: Path,
    opened: Callable[..., Any],
) -> None:
    model = trained(shape)
    ids = tokenizer.encode(PROMPT)
    theirs = opened(tmp_path / "out", model, tokenizer, precision=precision).logprobs(
        ids, model.config.vocab_size
    )
    with torch.inference_mode():
        ours = model(torch.tensor([ids]))[0, -1].log_softmax(-1)
    assert (ours - theirs).abs().max() < error
    matrices = sum(
        p.numel() for name, p in model.named_parameters() if p.dim() > 1 and "position" not in name
    )
    others = sum(p.numel() for p in model.parameters()) - matrices
    (file,) = (tmp_path / "out").glob("*.gguf")
    # the tokenizer
    assert matrices * size + others * 4 < file.stat().st_size < matrices * size + others * 4 + 40_000


@pytest.fixture(scope="module")
def peer(
    make_model: Callable[[str], GPT],
    tokenizer: Tokenizer,
    tmp_path_factory: pytest.TempPathFactory,
    opened: Callable[..., Any],
) -> Any:
    folder = tmp_path_factory.mktemp("gguf")
    return opened(folder / "out", make_model("llama"), tokenizer, TEMPLATES["phi3"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.sampled_from(HARD), st.text(max_size=6)), max_size=10).map("".join))
def test_llama_cpp_cuts_text_into_the_same_tokens(peer: Any, tokenizer: Tokenizer, text: str) -> None:
    assert peer.encode(text) == tokenizer.encode(text)


def test_the_chat_template_goes_along(peer: Any, tokenizer: Tokenizer) -> None:
    said = [{"role": "user", "content": "Who sleeps?"}, {"role": "assistant", "content": "The lion."}]
    said += [{"role": "user", "content": "Why?"}]
    text = peer.ask("apply-template", messages=said)["prompt"]
    ids = peer.ask("tokenize", content=text, add_special=False, parse_special=True)["tokens"]
    template = TEMPLATES["phi3"]
    assert ids == render_prompt([Message(one["role"], one["content"]) for one in said], template, tokenizer)


def test_equal_models_are_equal_bytes(
    make_model: Callable[[str], GPT], tokenizer: Tokenizer, tmp_path: Path
) -> None:
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


@pytest.mark.parametrize("pre", ["bloom", "viking"])
def test_llama_cpp_cuts_text_as_other_pre_tokenizers_do(
    pre: str,
    make_model: Callable[[str], GPT],
    tokenizer: Tokenizer,
    tmp_path: Path,
    opened: Callable[..., Any],
) -> None:
    values = json.loads(to_library(tokenizer).to_str())
    values["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": PRE_TOKENIZERS[pre].steps}
    published = LibraryTokenizer(json.dumps(values), {"eos_token": END_OF_TEXT})
    peer = opened(tmp_path / "out", make_model("llama"), published)
    (file,) = (tmp_path / "out").glob("*.gguf")
    assert read_gguf(file).metadata["tokenizer.ggml.pre"] == pre
    texts = [*HARD, "The fox (and the hen) | 1234, 5.6!", "a\u0964b\u060cc", "end.  Start", "x+y=z"]
    for text in texts:
        assert peer.encode(f"a {text}b") == published.encode(f"a {text}b")


def test_a_published_tokenizer_and_its_template_go_along(
    make_model: Callable[[str], GPT], tokenizer: Tokenizer, tmp_path: Path, opened: Callable[..., Any]
) -> None:
    source = TEMPLATES["chatml"].jinja(tokenizer).replace(END_OF_TEXT, "<|user|>")
    published = LibraryTokenizer(to_library(tokenizer).to_str(), {"eos_token": END_OF_TEXT}, source)
    peer = opened(tmp_path / "out", make_model("llama"), published, find_template("model", published))
    for text in HARD:
        assert peer.encode(f"a {text}b") == published.encode(f"a {text}b")
    metadata = read_gguf(next((tmp_path / "out").glob("*.gguf"))).metadata
    again = from_gguf(metadata)
    assert (again.special_ids, again.names, again.chat_template) == (
        published.special_ids,
        published.names,
        source,
    )
    assert 'PARAMETER stop "<|user|>"' in (tmp_path / "out/Modelfile").read_text()
