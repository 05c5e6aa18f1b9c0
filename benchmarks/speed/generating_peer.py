"""Generate greedily with a peer, once, as the first request of a process; print the seconds.

python -m benchmarks.speed.generating_peer nanogpt|litgpt|transformers|llama.cpp '{"layers": 6, …}' [PATH]

PATH is nanoGPT's checkout, or the GGUF file for llama.cpp. The others have random weights.
"""

import json
import sys
import time
from collections.abc import Callable

from benchmarks.speed import shapes
from benchmarks.speed.sizes import PROMPT, Size


def nanogpt(size: Size, path: str) -> Callable[[], object]:
    import torch

    sys.path.insert(0, path)
    model = shapes.nanogpt_model(size).eval()
    prompt = torch.zeros(1, PROMPT, dtype=torch.long)
    return lambda: model.generate(prompt, size.new_tokens, top_k=1)


def litgpt(size: Size, path: str) -> Callable[[], object]:
    import torch
    from litgpt.generate.base import generate
    from litgpt.model import GPT

    model = GPT(shapes.litgpt_config(size)).eval()
    model.max_seq_length = PROMPT + size.new_tokens
    model.set_kv_cache(batch_size=1)
    prompt = torch.zeros(PROMPT, dtype=torch.long)
    return lambda: generate(model, prompt, PROMPT + size.new_tokens, temperature=0.0, top_k=1)


def transformers(size: Size, path: str) -> Callable[[], object]:
    import torch
    from transformers import GPT2LMHeadModel

    model = GPT2LMHeadModel(shapes.gpt2_config(size)).eval()
    model.generation_config.eos_token_id = None
    prompt = torch.zeros(1, PROMPT, dtype=torch.long)
    options = {"max_new_tokens": size.new_tokens, "do_sample": False, "pad_token_id": 0}
    return lambda: model.generate(prompt, attention_mask=torch.ones_like(prompt), **options)


def llama_cpp(size: Size, path: str) -> Callable[[], object]:
    import requests
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.verbosity, params.warmup = path, 0, False
    params.n_ctx, params.n_parallel, params.cpuparams.n_threads = size.context, 1, 1
    server = xllamacpp.Server(params)
    body = {"prompt": [0] * PROMPT, "n_predict": size.new_tokens, "temperature": 0.0, "ignore_eos": True}

    def generate() -> None:
        answer = requests.post(f"{server.listening_address}/completion", json=body, timeout=600).json()
        assert answer["tokens_predicted"] == size.new_tokens, answer

    return generate


PEERS = {"nanogpt": nanogpt, "litgpt": litgpt, "transformers": transformers, "llama.cpp": llama_cpp}


def main() -> None:
    """Load, then generate in inference mode where the peer is of torch."""
    name, size, path = sys.argv[1], Size(**json.loads(sys.argv[2])), (*sys.argv[3:], "")[0]
    generate = PEERS[name](size, path)
    if name == "llama.cpp":
        started = time.perf_counter()
        generate()
    else:
        import torch

        with torch.inference_mode():
            started = time.perf_counter()
            generate()
    print(f"\n{time.perf_counter() - started}")


if __name__ == "__main__":
    main()
