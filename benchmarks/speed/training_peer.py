"""Train a peer's model by the loop that its users run; print when each step ended, as JSON.

python -m benchmarks.speed.training_peer litgpt|transformers '{"layers": 4, …}' (a Size)

The tokens are random: speed does not depend on the text. nanoGPT has a script of its own, which is run as it
is (peers.py).
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.speed.sizes import Size

Steps = list[float]
LR, BETAS, DECAY, CLIP = 1e-3, (0.9, 0.99), 0.1, 1.0


def windows(size: Size) -> np.ndarray:
    """Random tokens, from which batches are cut."""
    return np.random.default_rng(0).integers(0, size.vocabulary, 1_000_000).astype(np.int64)


def litgpt(size: Size) -> Steps:
    """The loop of `litgpt pretrain`: Fabric, its GPT with GPT-2's parts, AdamW."""
    import lightning
    from litgpt.model import GPT
    from litgpt.utils import chunked_cross_entropy

    from benchmarks.speed.shapes import litgpt_config

    fabric = lightning.Fabric(devices=1, accelerator="cpu")
    model = fabric.setup(GPT(litgpt_config(size)))
    adamw = torch.optim.AdamW(model.parameters(), lr=LR, betas=BETAS, weight_decay=DECAY, fused=True)
    optimizer = fabric.setup_optimizers(adamw)
    data, ended = windows(size), []
    for _ in range(size.steps):
        starts = torch.randint(len(data) - size.context, (size.batch,)).tolist()
        ids = torch.stack([torch.from_numpy(data[start : start + size.context]) for start in starts])
        targets = torch.stack(
            [torch.from_numpy(data[start + 1 : start + 1 + size.context]) for start in starts]
        )
        fabric.backward(chunked_cross_entropy(model(ids), targets, chunk_size=0))
        fabric.clip_gradients(model, optimizer, max_norm=CLIP)
        optimizer.step()
        optimizer.zero_grad()
        ended.append(time.time())
    return ended


def transformers(size: Size) -> Steps:
    """transformers' Trainer on its GPT-2."""
    from transformers import GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments

    from benchmarks.speed.shapes import gpt2_config

    data, ended = windows(size), []

    class Windows(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return size.steps * size.batch

        def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
            start = index * 7919 % (len(data) - size.context)
            ids = torch.from_numpy(data[start : start + size.context])
            return {"input_ids": ids, "labels": ids}

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ended.append(time.time())

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            per_device_train_batch_size=size.batch,
            max_steps=size.steps,
            learning_rate=LR,
            adam_beta1=BETAS[0],
            adam_beta2=BETAS[1],
            weight_decay=DECAY,
            max_grad_norm=CLIP,
            logging_steps=10,
            report_to=[],
            save_strategy="no",
            use_cpu=True,
            disable_tqdm=True,
        )
        model = GPT2LMHeadModel(gpt2_config(size))
        Trainer(model, arguments, train_dataset=Windows(), callbacks=[Clock()]).train()
    return ended


LOOPS: dict[str, Callable[[Size], Steps]] = {"litgpt": litgpt, "transformers": transformers}

if __name__ == "__main__":
    torch.manual_seed(0)
    print("\n" + json.dumps(LOOPS[sys.argv[1]](Size(**json.loads(sys.argv[2])))))
