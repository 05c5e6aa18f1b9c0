"""Models of each published shape, random and trained; artifacts from a text to a chat model."""

import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from foundling.artifacts import sha256
from foundling.data.corpora import Document
from foundling.data.fetching import fetch
from foundling.data.shards import write
from foundling.fables.messages import messages
from foundling.generation.decode import generate
from foundling.generation.sampling import Sampling
from foundling.model.gpt import GPT
from foundling.model.loss import next_token_loss
from foundling.settings.datasets import Dataset, Source
from foundling.text.tiktoken_tokenizer import GPT2_PATTERN, TiktokenTokenizer
from foundling.text.tokenizer import END_OF_TEXT, Tokenizer
from foundling.text.vocabularies import train_bpe
from foundling.weights import folder
from foundling.weights.chat import chat_files
from foundling.weights.provenance import provenance

SIZES = {"context": 96, "n_layer": 2, "n_embd": 64, "n_ffn": 128}
LONGROPE = {"kind": "longrope", "original_context": 40, "attention_factor": 1.2}
LONGROPE |= {
    "short_factors": [1.0 + 0.1 * i for i in range(8)],
    "long_factors": [2.0**i for i in range(8)],
}
YARN = {"kind": "yarn", "factor": 4.0, "original_context": 24}
LLAMA3 = {"kind": "llama3", "factor": 4.0, "original_context": 24}
LLAMA3 |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
SHAPES = {
    "gpt2": ("gpt2_124m", SIZES | {"n_head": 4}),
    "gpt2_without_bias": ("char", SIZES | {"n_head": 4, "tied": False}),
    "gpt2_with_sinusoids": ("original", SIZES | {"n_head": 4}),
    "llama": ("llama", SIZES | {"n_head": 4, "n_kv_head": 2}),
    "llama_with_bias": ("llama", SIZES | {"n_head": 4, "n_kv_head": 1, "bias": True, "tied": True}),
    "qwen2": ("llama", SIZES | {"n_head": 4, "n_kv_head": 2, "bias": "qkv"}),
    "olmo2": ("llama", SIZES | {"n_head": 4, "n_kv_head": 2, "norm_place": "output", "qk_norm": "all"}),
    "mistral": ("llama", SIZES | {"n_head": 4, "n_kv_head": 2, "window": 20}),
    "qwen3_with_windows": (
        "qwen3",
        SIZES | {"n_head": 4, "n_kv_head": 2, "head_dim": 32, "window": 20, "window_blocks": (1,)},
    ),
    "linear": ("llama", SIZES | {"n_head": 4, "rope_scaling": {"kind": "linear", "factor": 4.0}}),
    "yarn": ("qwen3", SIZES | {"n_head": 4, "n_kv_head": 2, "head_dim": 32, "rope_scaling": YARN}),
    "yarn_sharper": ("llama", SIZES | {"n_head": 4, "rope_scaling": YARN | {"attention_factor": 1.3}}),
    "llama3": ("llama", SIZES | {"n_head": 4, "rope_scaling": LLAMA3}),
    "longrope": ("llama", SIZES | {"n_head": 4, "rope_scaling": LONGROPE}),
    "qwen3": ("qwen3", SIZES | {"n_head": 4, "n_kv_head": 2, "head_dim": 32}),
    "lfm2": ("lfm2", SIZES | {"n_layer": 4, "layers": ["conv", "conv", "attention", "conv"], "init": "gpt2"}),
}


@pytest.fixture(scope="session")
def code_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """transformers copies a model's code into a folder before it runs it: here the tests' own."""
    import transformers

    with pytest.MonkeyPatch.context() as patched:
        folder = str(tmp_path_factory.mktemp("transformers_code"))
        patched.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", folder)
        patched.setattr(sys, "path", [*sys.path])
        yield


@pytest.fixture(scope="session")
def story() -> str:
    """A few pages of the embedded world."""
    return "\n\n".join(message["text"] for message in messages(seed=1, count=1500, split="train"))


@pytest.fixture(scope="session")
def tokenizer(story: str) -> Tokenizer:
    """A BPE of the embedded world with the special tokens of a chat."""
    return train_bpe([story], 500, [END_OF_TEXT, "<|user|>", "<|assistant|>"])


@pytest.fixture(scope="session")
def fresh(gpt_config: Callable[..., Any], tokenizer: Tokenizer) -> Callable[[str], GPT]:
    """A maker of small models: as many ids as the tokenizer, and five to spare."""

    def make(shape: str) -> GPT:
        name, sizes = SHAPES[shape]
        torch.manual_seed(0)
        return GPT(gpt_config(name, tokenizer.vocab_size + 5, **sizes)).eval()

    return make


@pytest.fixture(scope="session")
def make_model(fresh: Callable[[str], GPT]) -> Callable[[str], GPT]:
    """The same with random weights, none of them idle, whatever the initialisation."""

    def make(shape: str) -> GPT:
        model = fresh(shape)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += torch.randn_like(parameter) * (0.15 if parameter.dim() > 1 else 0.3)
        return model

    return make


@pytest.fixture(scope="session")
def trained(fresh: Callable[[str], GPT], tokenizer: Tokenizer, story: str) -> Callable[[str], GPT]:
    """The same after a short training, whose weights are as uneven as trained ones are."""
    ids = torch.tensor(tokenizer.encode(story)[: 80 * 8 * 65]).view(80, 8, 65)

    @cache
    def make(shape: str) -> GPT:
        model = fresh(shape).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
        for batch in ids:
            optimizer.zero_grad()
            next_token_loss(model(batch[:, :-1]), batch[:, 1:]).backward()
            optimizer.step()
        return model.eval()

    return make


@pytest.fixture(params=["make_model", "trained"])
def any_model(request: pytest.FixtureRequest) -> Callable[[str], GPT]:
    """Random and trained weights."""
    made: Callable[[str], GPT] = request.getfixturevalue(request.param)
    return made


@pytest.fixture(scope="session")
def greedy() -> Callable[[GPT, list[int], int], list[int]]:
    """The likeliest tokens, end-of-text not heeded."""
    return lambda model, ids, count: list(generate(model, ids, count, Sampling(0.0, None, None)))


class LlamaCpp:
    """llama.cpp's server in this process, on one model."""

    def __init__(self, file: Path) -> None:
        llama_cpp = pytest.importorskip("xllamacpp")
        params = llama_cpp.CommonParams()
        params.model.path = str(file)
        params.n_ctx, params.n_parallel, params.warmup, params.verbosity = 96, 1, False, 0
        params.cpuparams.n_threads = 1
        params.flash_attn_type = llama_cpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.cache_type_k = params.cache_type_v = llama_cpp.ggml_type.GGML_TYPE_F32
        self.server = llama_cpp.Server(params)

    def ask(self, place: str, **values: Any) -> Any:
        requests = pytest.importorskip("requests")
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
        made = self.ask(
            "completion", prompt=ids, n_predict=1, n_probs=vocab_size, logit_bias=whole, cache_prompt=False
        )
        row = torch.full((vocab_size,), float("nan"))
        for candidate in made["completion_probabilities"][0]["top_logprobs"]:
            row[candidate["id"]] = candidate["logprob"]
        return row

    def encode(self, text: str) -> list[int]:
        tokens: list[int] = self.ask("tokenize", content=text, add_special=False, parse_special=False)[
            "tokens"
        ]
        return tokens


@pytest.fixture(scope="session")
def llama_cpp() -> Callable[[Path], LlamaCpp]:
    """llama.cpp on a GGUF file; without the package xllamacpp the test is skipped."""
    return LlamaCpp


RECIPE = {
    "corpus": {"name": "tales", "sources": [{"name": "fox", "path": "x"}]},
    "pretrain": {
        "max_steps": 7,
        "seed": 3,
        "optimizer": {"_target_": "foundling.training.optim.muon", "lr": 0.02},
    },
    "instruct": {
        "dataset": {"name": "tasks", "sources": [{"name": "one"}]},
        "method": "lora",
        "max_steps": 9,
    },
}


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpt_config: Callable[..., Any]) -> Path:
    """A project's folder with data/, models/base and models/chat."""
    monkeypatch.chdir(tmp_path)
    Path("fox.txt").write_text("The fox went home.\n")
    for name in ("corpus", "instruct"):
        fetch(
            Dataset(name=name, sources=(Source(name="fox", path="fox.txt"),)), Path("data/raw") / name, None
        )
    tokenizer = TiktokenTokenizer({bytes([i]): i for i in range(256)}, GPT2_PATTERN, [END_OF_TEXT])
    tokenizer.save(Path("data/tokenizer"))
    read = (Path("data/raw/corpus/meta.json"), Path("data/tokenizer"))
    text = [Document("fox", "train", "The fox went home.")]
    inputs = {str(path): sha256(path) for path in read}
    write(text, tokenizer, Path("data/tokens"), [Source(name="fox", path="x")], {}, "auto", inputs)
    torch.manual_seed(0)
    model = GPT(gpt_config("micro", vocab_size=tokenizer.vocab_size))
    made = provenance(RECIPE, [Path("data/tokens/meta.json"), Path("data/tokenizer")], None)
    folder.save(Path("models/base"), model, tokenizer, made | {"metrics": {"val/loss": 5.5}})
    made = provenance(RECIPE, [Path("data/raw/instruct/meta.json")], Path("models/base"))
    made |= {"metrics": {"val/loss": 4.25, "steps": 9}}
    folder.save(Path("models/chat"), model, tokenizer, made, chat_files("phi3", None, tokenizer))
    return tmp_path
