"""Networks that two processes divide compute what the whole one does, and are put together to the bit."""

import multiprocessing
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from foundling.division import Share, check_divisible
from foundling.model.attention import Attention
from foundling.model.config import GPTConfig
from foundling.model.gpt import GPT
from foundling.model.loss import next_token_loss
from foundling.model.tensor_parallel import order_of_rows
from foundling.settings.runtime import FSDP, TENSOR_PARALLEL
from foundling.training.optim import adamw, muon
from foundling.training.sharded_network import ShardedNetwork
from foundling.training.sharding import clip, total_norm
from foundling.weights import folder

AXES = ("data_parallel", "tensor_parallel")
OPTIMIZERS: dict[str, Any] = {
    "adamw": partial(adamw, lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1),
    "muon": partial(
        muon,
        lr=0.02,
        momentum=0.95,
        weight_decay=0.0,
        adamw_lr=1e-3,
        adamw_betas=(0.9, 0.95),
        adamw_eps=1e-8,
        adamw_weight_decay=0.0,
    ),
}


def step(network: nn.Module, optimizer: Any, ids: Tensor) -> tuple[float, float]:
    """Train on the ids; the loss, and the norm of the gradient before it is clipped."""
    loss = next_token_loss(network(ids), ids)
    loss.backward()  # type: ignore[no-untyped-call]
    parameters = list(network.parameters())
    norm = total_norm([p.grad for p in parameters])  # type: ignore[misc]
    clip(parameters, 0.5, norm)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item(), norm.item()


def compare(rank: int, place: Path, config: GPTConfig, sizes: tuple[int, int]) -> None:
    """In one of two processes: train a divided and a whole network by each optimizer, and compare them."""
    from torch import distributed
    from torch.distributed.device_mesh import init_device_mesh

    torch.set_num_threads(1)
    distributed.init_process_group("gloo", f"file://{place / 'meeting'}", rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", sizes, mesh_dim_names=AXES)
    for name, make in OPTIMIZERS.items():
        torch.manual_seed(0)
        whole, untouched = GPT(config), GPT(config)
        untouched.load_state_dict(whole.state_dict())
        sharded = ShardedNetwork(untouched, mesh)
        sharded.network.to("cpu")  # as Lightning does: the parameters' contents are swapped
        one, two = make(whole), make(sharded.network)
        ids = torch.randint(config.vocab_size, (4, config.context))
        own = ids.chunk(2)[rank] if sharded.divides_batches else ids
        for _ in range(3):
            expected, norm = step(whole, one, ids)
            found, found_norm = step(sharded.network, two, own)
            losses = torch.tensor(found)
            distributed.all_reduce(losses)
            assert losses.item() / 2 == pytest.approx(expected, abs=1e-5)
            assert found_norm == pytest.approx(norm, rel=1e-4)
        parameters = sharded.parameters()
        shards = [p for p in parameters.values() if isinstance(p, DTensor)]
        assert shards
        assert all(2 * p.to_local().numel() == p.numel() for p in shards)
        held = sum(getattr(p, "_local_tensor", p).numel() for p in parameters.values())
        part = Share(config, TENSOR_PARALLEL if sizes == (1, 2) else FSDP, 2).state_bytes("adamw", "32-true")
        assert 4 * held == part["weights"]
        consolidated = {key: sharded.collect(p, p) for key, p in parameters.items()}
        sharded.gather()
        for key, weight in whole.named_parameters():
            assert torch.allclose(consolidated[key], weight, atol=1e-4), key
            again = sharded.divide(consolidated[key], parameters[key])
            assert torch.equal(sharded.collect(again, parameters[key]), consolidated[key])
        if rank == 0:
            folder.save(place / name, sharded.whole)
            exported = dict(folder.load_model(place / name).named_parameters())
            assert exported.keys() == consolidated.keys()
            assert all(torch.equal(exported[key], weight) for key, weight in consolidated.items())
    distributed.destroy_process_group()


@pytest.mark.parametrize("sizes", [(2, 1), (1, 2)], ids=["fsdp", "tensor parallel"])
def test_divided_networks_train_as_whole_ones_and_are_exported_as_such(
    gpt_config: Callable[..., Any], tmp_path: Path, sizes: tuple[int, int]
) -> None:
    config = gpt_config("qwen3", vocab_size=30, context=16, n_layer=2, n_embd=32, n_head=4, n_kv_head=2)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=compare, args=(r, tmp_path, config, sizes)) for r in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]


def test_each_part_of_the_fused_projection_has_whole_heads() -> None:
    options: Any = {"bias": False, "qk_norm": False, "norm_eps": 1e-6, "dropout": 0.0, "kernel": "fused"}
    attention = Attention(8, 4, 2, 2, **options)
    order = order_of_rows(attention, 2)
    assert order.tolist() == [0, 1, 2, 3, 8, 9, 12, 13, 4, 5, 6, 7, 10, 11, 14, 15]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"n_kv_head": 1}, r"model\.n_kv_head=1 is not divisible by the 2 devices that trainer=tp"),
        (
            {"convolution": 3, "lookup_heads": 1, "n_kv_head": 4},
            r"cannot divide a model with model\.lookup_heads",
        ),
        ({"qk_norm": "all"}, r"cannot divide a model with model\.qk_norm=all"),
    ],
)
def test_models_that_cannot_be_divided_are_refused(
    gpt_config: Callable[..., Any], changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        check_divisible(gpt_config("qwen3", n_head=4, **{"n_kv_head": 2, **changes}), 2)
