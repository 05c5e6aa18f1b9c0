"""foundling plan as a user runs it: a page of estimates for the composed model and hardware."""

import logging
import re
from pathlib import Path
from typing import Any

import pytest

from foundling import config
from foundling.artifacts import write_json
from foundling.command_line import with_section
from foundling.commands import plan
from foundling.settings import Job


@pytest.fixture(autouse=True)
def workspace(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "conf").symlink_to(root / "conf")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned(capsys: Any, *arguments: str) -> str:
    """What is printed, with single spaces."""
    plan.run(Job.of(config.compose(with_section("plan", list(arguments))), Path()))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= plan.WIDTH
    assert "…" not in out
    return " ".join(out.split())


def test_gpt3s_budget_is_printed(capsys: Any, caplog: Any) -> None:
    with caplog.at_level(logging.WARNING):
        out = planned(capsys, "experiment=gpt3_budget")
    for part in ("all 174,604,259,328", "FLOPs 3.14e+23", "time 355.9 years", "price $4,67"):
        assert part in out
    assert "do not fit into one device of V100; sharded (trainer=fsdp), they need" in caplog.text
    assert "355.9 years is more than runtime.budget_hours=24" in caplog.text


@pytest.mark.parametrize("hardware", ["a100", "h100", "h200", "h100x8", "v100"])
def test_each_hardware_makes_a_plan(capsys: Any, hardware: str) -> None:
    out = planned(capsys, f"hardware={hardware}", "model=small", "pretrain.batch_size=32", "tokens=1e9")
    assert "tokens 1,000,000,000 in 122,071 steps" in out
    assert "kWh" in out
    assert "price $" in out


def test_this_machine_is_measured(capsys: Any) -> None:
    out = planned(capsys, "model=micro", "pretrain.batch_size=2", "calibration_seconds=0")
    assert "measured on the whole model" in out
    assert "energy unknown; set hardware.power" in out


def test_a_large_model_is_timed_on_a_part_of_it(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "LARGEST_STEP", 5e7)
    out = planned(capsys, "model=micro", "model.n_layer=4", "calibration_seconds=0")
    assert "measured on 4 of 4 layers, 4 × 64 tokens" in out or "of 4 layers, 1 × 64 tokens" in out


def test_a_model_that_does_not_fit_here_asks_for_its_hardware(
    capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "free_memory", lambda: 1e6)
    with pytest.raises(ValueError, match="so it cannot be timed; choose the hardware, such as hardware=h100"):
        planned(capsys, "model=nano")


def test_a_warning_says_what_would_fit(capsys: Any, caplog: Any) -> None:
    large = ["hardware=a100", "model=gpt2_1558m", "tokenizer=gpt2", "pretrain.batch_size=32"]
    planned(capsys, *large)
    assert caplog.messages == [
        "plan: this does not fit into memory; multiply pretrain.accumulate by 2 to make it fit"
    ]
    caplog.clear()
    planned(capsys, *large, "pretrain.accumulate=2")
    assert not caplog.messages
    planned(capsys, *large, "hardware.memory=23e9")
    assert "the activations of one window do not fit" in caplog.text


def test_activation_checkpointing_saves_memory_and_costs_a_forward_pass(capsys: Any, caplog: Any) -> None:
    one = ["hardware=a100", "model=gpt2_1558m", "tokenizer=gpt2", "pretrain.batch_size=32", "tokens=1e9"]
    out = planned(capsys, *one)
    checkpointed = planned(capsys, *one, "runtime.activation_checkpointing=1")
    assert "recomputed" in checkpointed
    assert "recomputed" not in out
    assert "multiply pretrain.accumulate by 2" in caplog.text  # without it
    assert caplog.text.count("multiply pretrain.accumulate") == 1
    flops = [float(re.findall(r"FLOPs ([\d.e+]+)", printed)[0]) for printed in (out, checkpointed)]
    assert 1.3 < flops[1] / flops[0] < 4 / 3
    assert "1 in 4 checkpointed" in planned(capsys, *one, "runtime.activation_checkpointing=4")
    caplog.clear()
    planned(capsys, *one, "hardware.memory=24e9")
    assert "the activations of one window do not fit; set runtime.activation_checkpointing=1" in caplog.text


def test_devices_that_divide_the_weights_need_less_memory(capsys: Any, caplog: Any) -> None:
    one = ["hardware=h100x8", "hardware.memory=20e9", "model=gpt2_1558m", "tokenizer=gpt2", "tokens=1e9"]
    needed = {}
    for trainer in ("ddp", "fsdp", "tp"):
        out = planned(capsys, *one, f"trainer={trainer}", "model.n_head=32", "model.head_dim=50")
        needed[trainer] = float(re.findall(r" optimizer ([\d.]+)", out)[0])
        assert ("gathered" in out) == (trainer == "fsdp")
    assert caplog.text.count("sharded (trainer=fsdp), they need at least 2 devices") == 1  # with ddp
    assert needed["fsdp"] == pytest.approx(needed["ddp"] / 8, rel=1e-2)
    assert needed["fsdp"] < needed["tp"] < needed["ddp"] / 4  # embeddings are not divided
    caplog.clear()
    planned(capsys, *one, "trainer=fsdp", "hardware.memory=2e9")
    assert "do not fit into one device of 8 × H100, also divided among 8" in caplog.text


@pytest.mark.parametrize("tokens", ["many", "0", "-1"])
def test_tokens_are_a_number(capsys: Any, tokens: str) -> None:
    with pytest.raises(ValueError, match=r"plan.tokens=.*must be (above 0|a number)"):
        planned(capsys, f"tokens={tokens}", "hardware=a100")


def test_epochs_and_validation_count_where_the_tokens_are_this_configs(capsys: Any) -> None:
    made = Job.of(config.compose([])).recipe
    shards = [{"split": "train", "tokens": 1_024_000}, {"split": "validation", "tokens": 81_920}]
    write_json("data/tokens/meta.json", {"made_with": {"corpus": made["corpus"]}, "shards": shards})
    out = planned(capsys, "hardware=a100", "model=nano", "pretrain.max_steps=1000", "pretrain.batch_size=32")
    assert "epochs 4.00 of the 1,024,000 tokens" in out
    assert "validation 0.0 seconds" in out
    assert "epochs" not in planned(capsys, "hardware=a100", "corpus=the_verdict")


def test_the_vocabulary_is_the_tokenizers(capsys: Any) -> None:
    assert "token embedding 38,597,376" in planned(
        capsys, "tokenizer=gpt2", "model=gpt2_124m", "hardware=a100"
    )
    with pytest.raises(ValueError, match="run `dvc repro train_tokenizer`, or set plan"):
        planned(capsys, "tokenizer=char", "hardware=a100")
    assert "token embedding 8,320" in planned(
        capsys, "tokenizer=char", "hardware=a100", "model=char", "vocab_size=65"
    )
