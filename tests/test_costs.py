"""The formulas agree with real models, and GPT-3's published budget follows from its assumptions."""

import dataclasses
import gc
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from foundling import costs, division, memory
from foundling.model.config import GPTConfig
from foundling.model.gpt import GPT
from foundling.model.loss import next_token_loss
from foundling.model.meta import meta_model
from foundling.settings.runtime import Hardware
from foundling.training.activations import checkpoint_activations
from foundling.training.optim import adamw, muon
from foundling.validation import build

ROOT = Path(__file__).parents[1]
MODELS = sorted(file.stem for file in (ROOT / "conf/model").glob("*.yaml"))
HARDWARE = sorted(file.stem for file in (ROOT / "conf/hardware").glob("*.yaml"))


def plain(path: Path) -> dict[str, Any]:
    made = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(made, dict)
    return made  # type: ignore[return-value]


def values(name: str) -> dict[str, Any]:
    return {"vocab_size": 50_257, **plain(ROOT / "conf/model" / f"{name}.yaml")}


def shape(name: str) -> GPTConfig:
    return build(GPTConfig, values(name), "model")


@pytest.mark.parametrize("name", MODELS)
def test_counts_and_operations_are_the_real_models(name: str) -> None:
    config = shape(name)
    model = meta_model(GPT, config)
    assert sum(costs.parameters(config).values()) == model.parameter_count()
    assert sum(costs.flops_per_token(config)) == model.flops_per_token()


@pytest.mark.parametrize(
    "changes", [{"bias": True, "mlp": "swiglu"}, {"qk_norm": True, "bias": True, "tied": False}]
)
def test_counts_hold_for_combinations_that_no_file_has(
    gpt_config: Callable[..., Any], changes: dict[str, Any]
) -> None:
    config = gpt_config("micro", **changes)
    assert sum(costs.parameters(config).values()) == meta_model(GPT, config).parameter_count()


def test_gpt3_has_its_published_size() -> None:
    parts = costs.parameters(shape("gpt3_175b"))
    assert sum(parts.values()) == pytest.approx(174_600e6, rel=1e-3)  # Brown et al. 2020, table D.1


def test_gpt3s_published_budget_follows_from_its_published_inputs() -> None:
    v100 = build(Hardware, plain(ROOT / "conf/hardware/v100.yaml"), "hardware")
    flops = 300e9 * costs.flops_per_token(shape("gpt3_175b"))[0]
    found = costs.bill(flops, v100, "16-mixed")
    assert flops == pytest.approx(3.14e23, rel=0.03)
    assert found.seconds / costs.YEAR == pytest.approx(355, rel=0.03)
    assert found.dollars == pytest.approx(4.6e6, rel=0.03)


def kept(model: GPT, dtype: torch.dtype | None) -> tuple[int, int]:
    """Bytes that autograd holds of a forward pass beside the parameters, and the tokens of it."""
    ids = torch.randint(model.config.vocab_size, (4, model.config.context))
    own = {t.untyped_storage().data_ptr() for t in [*model.parameters(), *model.buffers()]}
    held: dict[int, Any] = {}

    def pack(t: torch.Tensor) -> torch.Tensor:
        if t.untyped_storage().data_ptr() not in own:
            held[t.untyped_storage().data_ptr()] = t.untyped_storage()
        return t

    mixed = torch.autocast("cpu", dtype, enabled=dtype is not None)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t), mixed:
        next_token_loss(model(ids), ids)
    return sum(storage.nbytes() for storage in held.values()), ids.numel()


@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")  # RMSNorm in mixed precision
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("name", ["char", "lfm2", "llama", "micro", "original", "qwen3"])
def test_activations_are_what_autograd_keeps(
    gpt_config: Callable[..., Any], name: str, precision: str
) -> None:
    layers = {"layers": ["conv", "attention"]} if name == "lfm2" else {}
    config = gpt_config(name, n_layer=2, vocab_size=300, **layers)
    mixed = precision != "32-true"
    found, tokens = kept(GPT(config), torch.bfloat16 if mixed else None)
    later = tokens * 300 * (10 if mixed else 8)  # logits, the gradients of log-probabilities and of logits
    copies = memory.state_bytes(config, "adamw", precision)["weights"] - 4 * sum(
        costs.parameters(config).values()
    )
    expected = memory.activation_bytes(config, tokens, precision) - later + copies
    assert found == pytest.approx(expected, rel=0.05)


def peak(model: GPT, ids: torch.Tensor) -> float:
    """The bytes that torch's allocator reports at the peak of a training step of two microbatches."""
    optimizer = adamw(model, 1e-3, (0.9, 0.99), 1e-8, 0.1)

    def step() -> None:
        optimizer.zero_grad()
        for part in ids.chunk(2):
            next_token_loss(model(part), part).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    step()  # the optimizer's state exists from now on
    optimizer.zero_grad()
    gc.collect()  # what was allocated before must not be freed within the profile
    cpu = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=cpu, profile_memory=True) as profiler:
        step()
    found = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]  # type: ignore[union-attr]
    changes = [event.nbytes() for event in sorted(found, key=lambda event: event.start_ns())]
    parts = memory.state_bytes(model.config, "adamw", "32-true")
    return parts["weights"] + parts["optimizer"] + max(accumulate(changes))


@pytest.mark.parametrize("name", ["lfm2", "llama", "nano"])
def test_memory_is_the_measured_peak_and_checkpointing_lowers_it(
    gpt_config: Callable[..., Any], name: str
) -> None:
    config = gpt_config(name, vocab_size=500)
    ids = torch.randint(500, (4, config.context))
    state = sum(memory.state_bytes(config, "adamw", "32-true").values())
    peaks = []
    for every in (0, 2, 1):
        model = GPT(config)
        if every:
            checkpoint_activations(model, every)
        peaks.append(peak(model, ids))
        planned = state + memory.activation_bytes(config, ids.numel() // 2, "32-true", every)
        assert planned == pytest.approx(peaks[-1], rel=0.1)
    assert peaks[0] > peaks[1] > peaks[2]


def test_the_first_layers_are_a_model_of_their_own() -> None:
    config = shape("lfm2_350m")
    parts = [costs.parameters(costs.first_layers(config, n)) for n in (1, 2, 3)]
    assert [part["attention"] for part in parts] == [0, 0, 3 * 1024**2]
    assert costs.first_layers(shape("gpt2_124m"), 2) == dataclasses.replace(shape("gpt2_124m"), n_layer=2)
    only_attention = dataclasses.replace(config, n_layer=2, layers=("attention", "conv"))
    assert costs.first_layers(only_attention, 1).conv_kernel == 0


@pytest.mark.parametrize(
    ("name", "precision"),
    [("llama", "32-true"), ("char", "32-true"), ("micro", "32-true"), ("lfm2", "32-true")],
)
@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_the_states_are_as_large_as_the_optimizers(
    gpt_config: Callable[..., Any], name: str, precision: str, kind: str
) -> None:
    model = GPT(gpt_config(name, bias=name == "char"))
    optimizer = (
        adamw(model, 1e-3, (0.9, 0.99), 1e-8, 0.1)
        if kind == "adamw"
        else muon(model, 0.02, 0.95, 0.0, 1e-3, (0.9, 0.95), 1e-8, 0.0)
    )
    ids = torch.randint(50, (1, 8))
    next_token_loss(model(ids), ids).backward()
    optimizer.step()
    states = [
        t
        for state in optimizer.state.values()
        for t in state.values()
        if torch.is_tensor(t) and t.numel() > 1
    ]
    found = memory.state_bytes(model.config, kind, precision)
    # a position that no token reached has a gradient of zeros, and a state, as well
    assert found["optimizer"] == sum(t.nbytes for t in states)
    assert found["gradients"] == sum(p.grad.nbytes for p in model.parameters() if p.grad is not None)
    assert found["weights"] == sum(p.nbytes for p in model.parameters())


def test_devices_share_the_time_but_not_the_price() -> None:
    one = Hardware("x", 1, "bf16-mixed", {"bf16": 1e14}, 0.5, 80e9, 500, 2.0)
    eight = dataclasses.replace(one, devices=8)
    a, b = costs.bill(1e18, one, "bf16-mixed"), costs.bill(1e18, eight, "bf16-mixed")
    assert a.seconds == pytest.approx(1e18 / 5e13)
    assert (b.seconds, b.dollars, b.kilowatt_hours) == pytest.approx(
        (a.seconds / 8, a.dollars, a.kilowatt_hours)
    )
    assert a.kilowatt_hours == pytest.approx(a.seconds / 3600 * 0.5)
    assert costs.bill(1e18, dataclasses.replace(one, power=None, price=None), "bf16-mixed").dollars is None


def test_unknown_values_are_errors() -> None:
    hardware = Hardware("toy", 1, "32-true", {"fp32": 1e12}, 1.0, None, None, None)
    with pytest.raises(ValueError, match=r"toy has no peak for bf16 \(known: fp32\); set hardware.peak.bf16"):
        costs.speed(hardware, "bf16-mixed")
    with pytest.raises(ValueError, match=r"hardware\.utilization=1\.5: must be at most 1"):
        build(Hardware, dataclasses.asdict(hardware) | {"utilization": 1.5}, "hardware")
    with pytest.raises(
        ValueError, match="precision=transformer-engine: costs are known only for 64-true, 32-true"
    ):
        costs.precision_of("transformer-engine", "32-true")
    assert [costs.precision_of(asked, "32-true") for asked in ("auto", 16, "bf16")] == [
        "32-true",
        "16-mixed",
        "bf16-mixed",
    ]


def test_a_plan_imports_no_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys, foundling.commands.plan as p; "
        "sys.exit('torch' in sys.modules or 'lightning' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_fsdp_holds_all_logits_where_other_strategies_hold_a_chunk(gpt_config):
    config = gpt_config("micro", 50_257, context=1024)
    fsdp, ddp = (
        division.Share(config, strategy, 2).activation_bytes(1024, "32-true", 0)
        for strategy in ("fsdp", "ddp")
    )
    assert fsdp - ddp > 2 * 4 * 1024 * 50_257
