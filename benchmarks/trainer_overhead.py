"""The overhead of Lightning, our callbacks and the logger: tokens/s compared with a plain PyTorch loop.

Both train the same model (conf/model/nano) on the same batches with the same optimizer, in one process in
turn.
Run: python benchmarks/trainer_overhead.py [steps] [rounds]
"""

import logging
import os
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import yaml
from rich.console import Console
from rich.table import Table

from foundling.config import compose
from foundling.data.language import LanguageData
from foundling.data.shards import Source
from foundling.model.config import GPTConfig
from foundling.model.gpt import GPT
from foundling.model.loss import next_token_loss
from foundling.settings import Job
from foundling.tracking import start
from foundling.training.fit import fit
from foundling.training.language import LanguageModule
from foundling.training.loggers import lightning_logger
from foundling.training.module import Loop
from foundling.training.optim import muon, trapezoid

VOCABULARY, BATCH, CONTEXT = 2048, 32, 128
OPTIMIZER = {"lr": 0.02, "momentum": 0.95, "weight_decay": 0.0, "adamw_lr": 5e-3, "adamw_betas": (0.9, 0.95)}
OPTIMIZER |= {"adamw_eps": 1e-8, "adamw_weight_decay": 0.0}


def setting(steps: int) -> tuple[GPT, LanguageData, partial, object]:
    torch.manual_seed(0)
    shape = yaml.safe_load(Path("conf/model/nano.yaml").read_text()) | {"context": CONTEXT}
    ids = np.random.default_rng(0).integers(0, VOCABULARY, 200_000).astype(np.uint16)
    text = [Source("noise", 1.0, ids, len(ids))]
    tokens = SimpleNamespace(train=text, validation=[Source("noise", 1.0, ids[: CONTEXT + 1], CONTEXT)])
    data = LanguageData(tokens, CONTEXT, BATCH, steps, 1, workers=0)
    return (
        GPT(GPTConfig(vocab_size=VOCABULARY, **shape)),
        data,
        partial(muon, **OPTIMIZER),
        trapezoid(steps, 20, 0.5, 0.0),
    )


def bare(steps: int) -> float:
    network, data, make, schedule = setting(steps)
    optimizer = make(network)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
    began = time.perf_counter()
    for index in range(steps):
        ids, targets = data.training[index]
        optimizer.zero_grad(set_to_none=True)
        next_token_loss(network(ids), targets).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
    return steps * BATCH * CONTEXT / (time.perf_counter() - began)


def ours(steps: int) -> float:
    network, data, make, schedule = setting(steps)
    job = Job.of(compose(["trainer=cpu", "runtime.progress=true", "runtime.logger.wandb=offline"]), Path())
    settings = job.settings
    loop = Loop(settings.pretrain, max_steps=steps, validate_every=steps)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WANDB_DIR"] = folder
        run = start(job, "benchmark")
        module = LanguageModule(network, make, schedule, validation_bytes=CONTEXT)
        recorder = fit(module, data, loop, settings.runtime, Path(folder), logger=lightning_logger(run))
        run.finish()
    return recorder.tokens_per_second


def main() -> None:
    logging.disable(logging.INFO)
    steps, rounds = (int(a) for a in [*sys.argv[1:], *("60", "5")[len(sys.argv) - 1 :]])
    bare(5), ours(5)
    pairs = [(bare(steps), ours(steps)) for _ in range(rounds)]
    table = Table(title=f"nano, batch {BATCH} x {CONTEXT}, {steps} steps, median of {rounds} paired rounds")
    for column in ("bare PyTorch, tokens/s", "foundling, tokens/s", "ratio (median of pairs)"):
        table.add_column(column, justify="right")
    ratio = statistics.median(b / a for a, b in pairs)
    medians = [statistics.median(side) for side in zip(*pairs, strict=True)]
    table.add_row(*(f"{value:,.0f}" for value in medians), f"{ratio:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
