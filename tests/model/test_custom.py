"""An architecture of one's own goes through every stage, and a model folder names none that is not known."""

import importlib
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foundling import __main__ as program
from foundling import config
from foundling.artifacts import read_json, sha256, write_json
from foundling.generation.decode import complete, generate
from foundling.generation.sampling import GREEDY
from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig
from foundling.model.gpt import GPT
from foundling.model.interface import CustomModel
from foundling.plain import read_yaml
from foundling.settings import Job
from foundling.settings.types import CustomComponent
from foundling.stages import compose
from foundling.training.module import TrainingModule
from foundling.validation import build
from foundling.weights import folder, model_types

TINY = """# @package _global_
model: {context: 64, width: 32, layers: 2}
tokenizer: {vocab_size: 400}
corpus:
  sources: [{name: stories, weight: 1.0, generate: {name: stories, seed: 1, megabytes: 0.05}}]
  split: {validation: 0.1}
pretrain: {max_steps: 6, batch_size: 4, validate_every: 3, snapshots: 2, sample: {max_new_tokens: 4}}
classify:
  dataset:
    sources:
      - {name: train, generate: {name: messages, seed: 1, count: 40, split: train}}
      - {name: validation, generate: {name: messages, seed: 1, count: 8, split: validation}}
      - {name: test, generate: {name: messages, seed: 1, count: 8, split: test}}
  train: last
  last: 1
  epochs: 1
  zero_shot: {limit: 2}
  forgetting: {questions: 2, tokens: 100}
instruct:
  dataset:
    sources:
      - {name: train, generate: {name: instructions, seed: 1, count: 60, split: train}}
      - {name: validation, generate: {name: instructions, seed: 1, count: 13, split: validation}}
      - {name: test, generate: {name: instructions, seed: 1, count: 13, split: test}}
  method: lora
  lora: {targets: [enter, leave]}
  max_steps: 2
  validate_every: 2
  test: {max_new_tokens: 2}
  forgetting: {questions: 2, tokens: 100}
evaluate: {limit: 4, samples: {count: 1, max_new_tokens: 4}}
runtime: {progress: false, checkpoint_every: 1, checkpoint_seconds: 0}
"""


@pytest.fixture
def project(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with the example of docs/models.md, and a setting of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    shutil.copytree(root / "conf", "conf")
    page = (root / "docs/models.md").read_text(encoding="utf-8").partition("## Your own architecture")[2]
    for name, language in (("convolution.py", "python"), ("conf/model/convolution.yaml", "yaml")):
        block = re.search(rf"`{name}`.*?```{language}\n(.*?)```", page, re.DOTALL)
        assert block is not None
        Path(name).write_text(block[1], encoding="utf-8")
    Path("conf/experiment/tiny.yaml").write_text(TINY, encoding="utf-8")
    yield tmp_path
    sys.modules.pop("convolution", None)


@pytest.fixture
def example(project: Path) -> CustomModel:
    """The example with random weights."""
    settings = component("convolution.Convolution", context=16, width=8, layers=2, reach=3)
    shape, make = model_types.from_settings(settings, 20)
    torch.manual_seed(0)
    model = make(shape)
    assert isinstance(model, CustomModel)
    return model


def component(target: str, **arguments: Any) -> CustomComponent:
    return build(CustomComponent, {"_target_": target, **arguments}, "model")


@pytest.mark.slow
def test_the_example_has_at_most_sixty_lines_and_goes_through_every_stage(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert len(Path("convolution.py").read_text().splitlines()) <= 60

    def run(stage: str, *overrides: str, out: Path | None = None) -> Any:
        tiny = ("model=convolution", "experiment=tiny", "trainer=cpu", "logger=none")
        return program._load(stage)(Job.of(config.compose([*tiny, *overrides]), out or Path()))

    for stage in ("fetch", "train_tokenizer", "tokenize"):
        run(stage)
    run("pretrain", out=project / "uninterrupted")
    with monkeypatch.context() as patched:
        step = TrainingModule.training_step

        def stop_after_three(self: TrainingModule, batch: Any, batch_idx: int) -> None:
            step(self, batch, batch_idx)
            if self.global_step == 3:
                os.kill(os.getpid(), signal.SIGTERM)

        patched.setattr(TrainingModule, "training_step", stop_after_three)
        with pytest.raises(SystemExit):
            run("pretrain")
    with caplog.at_level(logging.INFO):
        run("pretrain")
    assert "resuming from step 3" in caplog.text
    weights = f"models/base/{folder.WEIGHTS}"
    assert sha256(project / weights) == sha256(project / "uninterrupted" / weights)
    assert read_json(Path("models/base/config.json"))["architecture"] == "convolution"
    assert "A convolution model of " in Path("models/base/README.md").read_text()

    run("evaluate")
    assert read_json(Path("metrics/evaluate.json"))["held_out"]["val/loss"] < 6.5
    run("classify")
    run("predict", "predict.text=win a prize")
    run("instruct")
    command = [
        str(Path(sys.executable).parent / "foundling"),
        "generate",
        "model=models/chat",
        "prompt=the fox",
    ]
    done = subprocess.run([*command, "trainer=cpu"], capture_output=True, text=True)
    assert done.stdout.startswith("the fox"), done.stderr
    with pytest.raises(ValueError, match=r"cannot run model convolution, an architecture of your own"):
        run("export", "export.model=models/chat")
    with pytest.raises(ValueError, match=r"plan computes costs by formulas for GPTs"):
        run("plan")


def test_saving_and_loading_keep_every_logit_and_a_tied_weight_is_stored_once(
    example: CustomModel, tmp_path: Path
) -> None:
    ids = torch.arange(12).view(1, 12)
    folder.save(tmp_path / "m", example)
    back = folder.load_model(tmp_path / "m")
    assert isinstance(back, CustomModel)
    assert back.config == example.config
    assert torch.equal(back(ids), example(ids))
    assert back.network.output.weight is back.network.embedding.weight

    trunk = ClassifierConfig(example.config, ("ham", "spam"), "end")
    folder.save(tmp_path / "c", Classifier(trunk, example))
    assert folder.read_config(tmp_path / "c", ClassifierConfig).trunk == example.config


def test_generation_without_a_cache_gives_the_tokens_of_one_with_a_cache(example: CustomModel) -> None:
    assert example.new_cache() is None

    class Recent:  # all tokens so far: the simplest cache that there is
        ids: Tensor | None = None

    class Cached(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = example.network

        def new_cache(self) -> Recent:
            return Recent()

        def forward(self, ids: Tensor, cache: Recent | None = None) -> Tensor:
            if cache is None:
                return self.inner(ids)
            cache.ids = ids if cache.ids is None else torch.cat((cache.ids, ids), dim=1)
            return self.inner(cache.ids)[:, -ids.size(1) :]

    cached = CustomModel(Cached(), example.config, "cached")
    prompt = [1, 2, 3]
    plain = list(generate(example, prompt, 30, GREEDY))
    assert list(generate(cached, prompt, 30, GREEDY)) == plain
    assert complete(example, [prompt], 30, [99], 2)[0].ids == plain
    assert complete(cached, [prompt], 30, [99], 2)[0].ids == plain


class Bare(nn.Module):
    """Nothing but a map from ids to logits."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.table = nn.Embedding(config.vocab_size, config.vocab_size)

    def forward(self, ids: Tensor) -> Tensor:
        return self.table(ids)


def test_what_a_bare_network_lacks_is_refused_in_one_line(example: CustomModel) -> None:
    bare = CustomModel(Bare(example.config), example.config, "bare")
    ids = torch.arange(6).view(1, 6)
    at = ids > 3
    assert torch.equal(bare(ids, at=at), bare(ids)[at])
    assert bare.flops_per_token() == 6 * 20 * 20
    with pytest.raises(
        ValueError, match=r"bare has no `hidden` and `head`, which a classifier needs; add it"
    ):
        Classifier(ClassifierConfig(bare.config, ("a", "b"), "end"), bare)
    with pytest.raises(ValueError, match=r"no nn\.ModuleList `blocks`, which muon .* choose optimizer=adamw"):
        _ = bare.blocks
    with pytest.raises(
        ValueError, match=r"no argument `segments`, which packing needs.*instruct\.packing=false"
    ):
        bare(ids, segments=torch.zeros_like(ids))


@pytest.mark.parametrize(
    "architecture", ["os.system", "os:system", "../../evil", "nano", "missing", "", None, 3, ["convolution"]]
)
def test_a_model_folder_that_names_anything_but_a_known_architecture_is_refused(
    example: CustomModel, tmp_path: Path, architecture: Any
) -> None:
    Path("evil.yaml").write_text("_target_: os.system\n")
    folder.save(tmp_path / "m", example)
    values = read_json(tmp_path / "m/config.json")
    write_json(tmp_path / "m/config.json", values | {"architecture": architecture})
    with pytest.raises(
        ValueError, match=r"config\.json: architecture=.*must be a file conf/model/NAME\.yaml"
    ):
        folder.load_model(tmp_path / "m")


@pytest.mark.parametrize("trunk", [False, True])
def test_a_target_in_a_model_folder_is_an_unknown_key(
    example: CustomModel, tmp_path: Path, trunk: bool
) -> None:
    folder.save(tmp_path / "m", example)
    attack = {**read_json(tmp_path / "m/config.json"), "_target_": "os.system"}
    write_json(
        tmp_path / "m/config.json",
        {"trunk": attack, "labels": ["a", "b"], "keep": "end"} if trunk else attack,
    )
    with pytest.raises(ValueError, match=r"config\.json: .*_target_: unknown key; remove it"):
        folder.read_config(tmp_path / "m", ClassifierConfig if trunk else model_types.GPTConfig)


def test_an_installed_package_registers_a_name(
    example: CustomModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.save(tmp_path / "m", example)
    Path("conf/model/convolution.yaml").unlink()
    with pytest.raises(ValueError, match="architecture='convolution'"):
        folder.load_model(tmp_path / "m")
    package = tmp_path / "example-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: example\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[foundling.models]\nconvolution = convolution:Convolution\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert isinstance(folder.load_model(tmp_path / "m"), CustomModel)


@pytest.mark.parametrize(
    ("target", "content", "message"),
    [
        ("os.system", None, r"model\._target_='os\.system': must be the _target_ of a file in conf/model"),
        ("broken.Model", "import nothing_at_all", r"broken\.Model: cannot be imported \(.*nothing_at_all"),
        ("broken.Model", "Model = dict", r"must be an nn\.Module whose first argument is annotated"),
        (
            "broken.Model",
            "from torch import nn\nclass Model(nn.Module):\n    pass",
            "is annotated with a dataclass",
        ),
    ],
)
def test_a_target_that_is_no_model_is_one_line(
    project: Path, target: str, content: str | None, message: str
) -> None:
    if content is not None:
        Path("broken.py").write_text(content)
        Path("conf/model/broken.yaml").write_text(f"_target_: {target}\n")
    try:
        with pytest.raises(ValueError, match=message):
            model_types.from_settings(component(target, context=8), 20)
    finally:
        sys.modules.pop("broken", None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reach": 1}, r"model\.reach=1: must be above 1"),
        ({"depth": 3}, r"model\.depth: unknown key; remove it"),
        ({"width": "8"}, r"model\.width='8': must be an integer, not a string"),
    ],
)
def test_the_fields_of_the_config_are_checked(project: Path, changes: dict[str, Any], message: str) -> None:
    fields = {"context": 16, "width": 8, "layers": 2, "reach": 3, **changes}
    with pytest.raises(ValueError, match=message):
        model_types.from_settings(component("convolution.Convolution", **fields), 20)


def test_logits_of_another_shape_are_refused(example: CustomModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(example.network), "head", lambda self, hidden: hidden)
    with pytest.raises(ValueError, match=r"maps ids of shape \(1, 1\) to \(1, 1, 8\); must be logits"):
        model_types.named("convolution").make(example.config)


def test_a_changed_architecture_changes_the_hashes_of_the_stages_that_run_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = ("tokenize", "pretrain", "classify", "instruct", "evaluate", "report")
    monkeypatch.setattr(compose, "stage_hashes", lambda package, recipe: dict.fromkeys(stages, "0"))

    def hashes(model: str = "convolution") -> dict[str, str]:
        importlib.invalidate_caches()
        compose.run(Job.of(config.compose([f"model={model}"]), Path()))
        return read_yaml(Path("code.yaml"))

    before, source = hashes(), Path("convolution.py").read_text()
    Path("convolution.py").write_text(source.replace("# (B, T, C)", "# another comment"))
    assert hashes() == before
    Path("convolution.py").write_text(source.replace("F.silu", "F.relu"))
    changed = {stage for stage, value in hashes().items() if value != before[stage]}
    assert changed == {"pretrain", "classify", "instruct", "evaluate"}
    Path("convolution.py").unlink()
    with pytest.raises(ValueError, match=r"convolution\.Convolution: there is no Python module convolution"):
        hashes()


def test_our_own_models_need_no_name(tmp_path: Path, gpt_config: Callable[..., Any]) -> None:
    folder.save(tmp_path / "m", GPT(gpt_config("micro")))
    assert "architecture" not in read_json(tmp_path / "m/config.json")
    assert isinstance(folder.load_model(tmp_path / "m"), GPT)
