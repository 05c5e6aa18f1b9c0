"""Texts are taken literally, on the command line and in params.yaml; Hydra works; errors are one line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf

from foundling import config, overrides
from foundling.literals import WORDS, is_text, may_be_null, quoted
from foundling.overrides import prepare
from foundling.selection import origin_of

# what a terminal can pass on: no NUL, no half of a surrogate pair
TEXTS = st.text(
    st.sampled_from("aé日🦁 ,=(){}[]'\"\\$:~+-#\n\t|") | st.characters(codec="utf-8", exclude_characters="\0")
)
NASTY = [
    *(
        "日本",
        "Grüße",
        "null",
        "true",
        "123",
        "1e3",
        "costs ${5} now",
        "${oc.env:HOME}",
        "\\${x}",
        "\\\\${x",
        "${",
    ),
    *(
        "ends with \\",
        "Be kind, always.",
        "a (1)",
        "{a: b}",
        "[x",
        "it's",
        '"',
        " both ",
        "two\nlines",
        "k=v",
        "",
        "~/x",
    ),
    *(
        "choice(a,b)",
        "glob(*)",
        "???",
        "'quoted'",
        "\\'",
        "#",
        "-m",
        "--help",
        "~model",
        "nan",
        "\u2028",
        "\ufeff",
    ),
]
SHARED = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
QUICK, COMPOSING = settings(max_examples=300, **SHARED), settings(max_examples=8, **SHARED)


@pytest.fixture
def project(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "conf").symlink_to(root / "conf")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def shipped(root: Path) -> DictConfig:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        return config.compose([])


def composed(command: str | None, *arguments: str) -> DictConfig:
    """As Hydra composes it, from the arguments that it is given."""
    return config.compose(prepare(command, arguments).arguments)


def jobs(*overrides: str) -> list[list[str]]:
    """The overrides of each job of a sweep, as Hydra's own sweeper makes them."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [job for batch in BasicSweeper.split_arguments(parsed, None) for job in batch]


def spread(values: list[str]) -> st.SearchStrategy[str]:
    return st.sampled_from(values) | TEXTS


@QUICK
@given(spread(NASTY))
def test_a_quoted_text_is_read_as_itself_by_hydra_and_omegaconf(text: str) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    value = OverridesParser.create().parse_override(f"key={quoted(text)}").value()
    read = OmegaConf.create({"key": value, "again": "${key}"})
    assert (read.key, read.again) == (text, text)
    (job,) = jobs(f"key={quoted(text)}")  # a sweep writes its jobs' overrides anew
    assert OverridesParser.create().parse_override(job[0]).value() == value


@pytest.mark.parametrize("first", range(0, len(NASTY), 3))
def test_nasty_texts_on_the_command_line_arrive_equal(project: Path, first: int) -> None:
    one, two, three = (NASTY + NASTY)[first : first + 3]
    three = three if three != "null" else "./null"  # null is null for a path, see below
    made = prepare(
        "generate", [f"prompt={one}", f"pretrain.sample.prompt={two}", "corpus=files", f"corpus.path={three}"]
    ).config
    assert made is not None
    assert (made.generate.prompt, made.pretrain.sample.prompt, made.corpus.path) == (one, two, three)


@COMPOSING
@given(TEXTS)
@example("${oc.env:HOME}")
def test_any_text_on_the_command_line_arrives_equal(project: Path, text: str) -> None:
    made = composed(
        "generate", "corpus=files", f"prompt={text}", f"corpus.path={text}x", f"chat.system={text}"
    )
    assert (made.generate.prompt, made.corpus.path, made.chat.system) == (text, f"{text}x", text)
    assert OmegaConf.to_container(made, resolve=True)["corpus"]["sources"][0]["path"] == f"{text}x"


@COMPOSING
@given(TEXTS, TEXTS)
@example("null", "${oc.env:HOME}")
def test_any_text_in_params_yaml_arrives_equal(project: Path, text: str, another: str) -> None:
    values = {"corpus": {"path": text}, "chat": {"system": another}, "pretrain": {"sample": {"prompt": text}}}
    values |= {"train_translator": {"dataset": {"name": another, "sources": [{"name": "x", "path": text}]}}}
    (project / "params.yaml").write_text(
        yaml.safe_dump({"corpus": "files", "set": values}, allow_unicode=True)
    )
    made = OmegaConf.to_container(composed(None), resolve=True)
    assert (made["corpus"]["path"], made["corpus"]["sources"][0]["path"]) == (text, text)
    assert (made["chat"]["system"], made["pretrain"]["sample"]["prompt"]) == (another, text)
    assert made["train_translator"]["dataset"] == {"name": another, "sources": [{"name": "x", "path": text}]}


def test_a_source_in_params_yaml_may_refer_to_a_value_of_the_config(project: Path) -> None:
    source = {
        "name": "s",
        "weight": 1.0,
        "generate": {"name": "stories", "seed": 1, "megabytes": "${corpus.megabytes}"},
    }
    (project / "params.yaml").write_text(
        yaml.safe_dump({"set": {"corpus": {"megabytes": 0.5, "sources": [source]}}})
    )
    assert composed(None).corpus.sources[0].generate.megabytes == 0.5


def test_null_is_null_in_settings_that_may_be_null_but_a_word_among_words(project: Path) -> None:
    made = composed("chat", "system=null", "corpus=files", "corpus.path=null", "instruct.system=null")
    assert (made.chat.system, made.corpus.path, made.instruct.system) == ("null", None, None)
    assert composed("export", "to=null").export.to is None
    assert composed("chat", "system=").chat.system == ""  # the model's own


def test_under_m_paths_are_swept_and_words_are_not(project: Path) -> None:
    def swept(*arguments: str) -> list[list[str]]:
        overrides = prepare("generate", ["-m", "corpus=files", *arguments]).arguments[1:]
        return [
            [str(config.compose(job).corpus.path), config.compose(job).generate.prompt]
            for job in jobs(*overrides)
        ]

    assert swept("corpus.path=a.txt,b.txt", "prompt=a, b") == [["a.txt", "a, b"], ["b.txt", "a, b"]]
    assert swept("corpus.path=Müller (1).txt, 日本.txt") == [["Müller (1).txt", ""], ["日本.txt", ""]]
    assert swept("corpus.path='a,b.txt'") == [["a,b.txt", ""]]
    assert swept(r"corpus.path=a\,b.txt,${x}") == [["a,b.txt", ""], ["${x}", ""]]
    assert swept("corpus.path=choice(a,b)") == [["a", ""], ["b", ""]]
    assert swept("corpus.path=null,x") == [["None", ""], ["x", ""]]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["seed=1,2"], "seed=1,2 is a sweep; add -m .*'seed=\\[1,2\\]'"),
        (["model=nano,micro"], "model=nano,micro is a sweep; add -m"),
        (
            ["hydra/launcher=rq"],
            "hydra/launcher=rq is not installed; choose one of .*basic.*, or .*hydra-rq-launcher",
        ),
        (
            ["hydra/sweeper=ax"],
            "hydra/sweeper=ax is not installed; choose one of .*basic.*optuna, or .*hydra-ax-sweeper",
        ),
        (["hydra/job_logging=loud"], "hydra/job_logging=loud is not installed; choose one of .*plain"),
        (["hydra.swep.dir=x"], "unknown setting or group hydra.swep.dir; .*hydra.sweep.dir"),
        (["-m", "model=glob(zz*)"], r"model=glob\(zz\*\) matches none of .*micro"),
        (["-m", "model=interval(1,2)"], r"model=interval\(1,2\) matches none of .*micro"),
        (["--cfg", "nothing"], "invalid choice: 'nothing'"),
        (["--bad"], "unrecognized arguments: --bad"),
        (["words"], "'words' cannot be read .*write key=value"),
        (["--config-dir", "nowhere", "seed=1"], "--config-dir: no folder nowhere"),
        (
            ["+pretrain.note=日本"],
            "'\\+pretrain.note=日本' cannot be read .*quote a text: '\\+pretrain.note=",
        ),
        (["generate.prompt=\udcff"], "is not valid UTF-8"),
        (["+model=micro"], "cannot be composed: Multiple values for model"),
        (["~pretrain.nothing"], "unknown setting or group pretrain.nothing"),
        (["+model.n_layer=3"], "cannot be composed: Could not append"),
        (["+sweep=wandb"], "for W&B alone; start it with `wandb sweep conf/sweep/wandb.yaml`"),
    ],
)
def test_unsupported_hydra_syntax_is_a_one_line_error(project: Path, arguments: list[str], says: str) -> None:
    with pytest.raises(ValueError, match=says) as refusal:
        prepare(None, arguments)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "model=glob(mic*)"],
        ["-m", "model=choice(nano,micro)", "seed=range(1,3)", "pretrain.optimizer.lr=interval(0,1)"],
        ["-m", "hydra/launcher=basic", "hydra/sweeper=basic", "hydra.sweep.dir=x", "hydra.job.num=3"],
        ["hydra/job_logging=disabled", "hydra.verbose=true", "hydra.job.chdir=true"],
        ["~pretrain.sample", "++pretrain.new.key=3", "+pretrain.note=x"],
        ["hydra.mode=MULTIRUN", "seed=1,2"],
        ["hydra.sweep.dir=multirun/${now:%Y}"],
    ],
)
def test_what_hydra_supports_passes(project: Path, arguments: list[str]) -> None:
    assert prepare(None, arguments).arguments[-1] == arguments[-1]


def test_a_choice_of_conf_sweep_is_a_sweep_that_replaces_the_selection(project: Path) -> None:
    (project / "params.yaml").write_text(
        "corpus: fables\nmodel: nano\nset: {pretrain: {optimizer: {lr: 0.5}, sample: {prompt: Hm}}}\n"
    )
    for choice in ("+sweep=shakespeare_lr", "sweep=shakespeare_lr"):
        made = prepare(None, [choice])
        assert made.config is None
        assert made.sweep is not None
        first = made.sweep.first
        assert (first.corpus.name, first.tokenizer.kind) == ("tiny_shakespeare", "char")
        assert (first.pretrain.optimizer.lr, first.pretrain.sample.prompt) == (0.001, "Hm")
        assert len(made.sweep.jobs) == 12
        assert made.sweep.jobs[-1][0] == "pretrain.optimizer.lr=0.02"
        assert config.compose(made.arguments, with_hydra=True).hydra.mode.name == "MULTIRUN"
    fewer = prepare(None, ["+sweep=shakespeare_lr", "pretrain.seed=7", "pretrain.optimizer.lr=0.3,0.4"]).sweep
    assert fewer is not None
    assert len(fewer.jobs) == 4
    assert (fewer.first.pretrain.seed, fewer.first.pretrain.optimizer.lr) == (7, 0.3)
    single = prepare(None, ["+sweep=shakespeare_lr", "hydra.mode=RUN", "pretrain.optimizer.lr=0.3"])
    assert single.config is not None
    assert single.config.pretrain.max_steps == 150


def test_what_the_extra_sweeps_installs_is_named_where_it_is_missing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = ["+sweep=shakespeare_optuna", "hydra.job.name=pretrain"]
    with pytest.raises(ValueError, match=r"searches the settings of pretrain, .*not of evaluate; use -m"):
        prepare(None, [*search, "hydra.job.name=evaluate"])
    made = prepare(None, search).sweep
    assert made is not None
    assert made.jobs == 12 * ((),)
    assert "pretrain.optimizer.lr=tag(log,interval(0.0005,0.05))" in made.swept
    monkeypatch.setattr(overrides, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"hydra/sweeper=optuna needs the package optuna; .*\[sweeps\]"):
        prepare(None, search)
    for launcher in ("joblib", "submitit_local"):
        line = overrides._unknown_choice(f"hydra/launcher/{launcher}", ["basic"])
        assert f"hydra/launcher={launcher} is not installed; choose one of basic, or install" in line


def test_slurm_needs_its_programs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="the extra `sweeps` is not installed")
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ValueError, match=r"no program srun, .* use hydra/launcher=submitit_local here"):
        prepare(None, ["-m", "hydra/launcher=submitit_slurm", "seed=1,2"])


def test_choices_of_a_config_dir_are_known(project: Path) -> None:
    (project / "mine/model").mkdir(parents=True)
    (project / "mine/model/tall.yaml").write_text("defaults: [micro, _self_]\nn_layer: 9\n")
    (project / "mine/experiment").mkdir()
    (project / "mine/experiment/own.yaml").write_text(
        "# @package _global_\ndefaults: [{override /model: tall}]\n"
    )
    (project / "params.yaml").write_text("model: small\n")
    for chosen in ("model=tall", "experiment=own"):
        made = prepare(None, ["--config-dir", "mine", chosen])
        assert made.config is not None
        assert made.config.model.n_layer == 9
    assert prepare(None, ["--config-dir", "mine", "-m", "model=glob(ta*)"]).config is None
    made = prepare(None, [f"hydra.searchpath=[file://{project / 'mine'}]", "model=tall"])
    assert config.compose(made.arguments).model.n_layer == 9
    with pytest.raises(ValueError, match="model=tal is not one of conf/model; did you mean tall"):
        prepare(None, ["--config-dir", "mine", "model=tal"])


def test_the_checked_config_is_what_hydra_composes(project: Path) -> None:
    (project / "params.yaml").write_text(
        "model: micro\nset: {pretrain: {max_steps: 7}, corpus: {name: 'a ${b}'}}\n"
    )
    made = prepare(
        None, ["optimizer=adamw", "pretrain.optimizer.lr=0.5", "~pretrain.sample", "+pretrain.note=x"]
    )
    assert made.config == config.compose(made.arguments)


def test_an_error_names_params_yaml_if_the_value_comes_from_it(project: Path) -> None:
    for text, says in {
        "model: smal\n": r"model=smal is not one of conf/model; did you mean small\? \(model=smal: from "
        r"params.yaml\)",
        "set: {pretrain: {max_step: 3}}\n": r"pretrain.max_step; .* \(pretrain.max_step: from params.yaml\)",
    }.items():
        (project / "params.yaml").write_text(text)
        with pytest.raises(ValueError, match="did you mean") as error:
            prepare(None, [])
        assert re.search(says, f"{error.value}{origin_of(str(error.value), [])}")
    (project / "params.yaml").write_text("set: {pretrain: {max_steps: 3, seed: 1}}\n")
    message = "pretrain.max_steps=-1: must be at least 0"
    assert origin_of(message, []) == " (pretrain.max_steps: from params.yaml)"
    assert origin_of(message, ["pretrain.max_steps=-1"]) == ""
    assert origin_of("pretrain.max_steps_more=1", []) == ""
    (project / "params.yaml").write_text("model: micro\n")
    assert origin_of("models/base was made with model.n_layer=2; no model=microscope", []) == ""


def foundling(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(project / "plugins"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "foundling", *arguments]
    return subprocess.run(
        command, cwd=project, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )


LAUNCHER = """
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.config_store import ConfigStore


class Loud(BasicLauncher):
    def launch(self, job_overrides, initial_job_idx):
        print("LOUD", len(job_overrides))
        return super().launch(job_overrides, initial_job_idx)


node = {"_target_": f"{__name__}.Loud"}
ConfigStore.instance().store(group="hydra/launcher", name="loud", node=node, provider="loud")
"""


def test_a_launcher_that_is_installed_runs_a_sweep(project: Path) -> None:
    (project / "plugins/hydra_plugins").mkdir(parents=True)
    (project / "plugins/hydra_plugins/loud.py").write_text(LAUNCHER)
    done = foundling(project, "compose", "-m", "hydra/launcher=loud", "seed=1,2")
    assert done.returncode == 0, done.stderr
    assert "LOUD 2" in done.stdout
    assert len(list(project.glob("multirun/compose/*/*/composed.yaml"))) == 2


@pytest.mark.parametrize(
    ("arguments", "shows"),
    [
        (["--cfg", "job", "-p", "pretrain.sample", "pretrain.sample.prompt=日, (b)"], "prompt: 日, (b)"),
        (["--cfg", "job", "--resolve", "--package", "generate"], "seed: 1"),
        (["--cfg", "hydra"], "output_subdir: null"),
        (["--info", "searchpath"], "command-line"),
        (["--multirun", "seed=5"], "Launching 1 jobs"),
    ],
)
def test_hydras_own_flags_work(project: Path, arguments: list[str], shows: str) -> None:
    (project / "mine").mkdir()
    done = foundling(project, "compose", "--config-dir", "mine", *arguments)
    assert done.returncode == 0, done.stderr
    assert shows in done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments", [["~model"], ["~pretrain.optimizer"], ["~corpus.split"], ["hydra.mode=NEVER"]]
)
def test_deletions_and_hydras_refusals_are_one_line(project: Path, arguments: list[str]) -> None:
    done = foundling(project, "train_tokenizer", *arguments)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("foundling: ")


def test_words_are_texts_that_are_empty_by_default(shipped: DictConfig) -> None:
    assert all(OmegaConf.select(shipped, key, throw_on_missing=True) in ("", None) for key in WORDS)
    assert all(is_text(key) and not may_be_null(key) for key in WORDS)


@pytest.mark.parametrize(
    ("key", "text", "null"),
    [
        ("corpus.path", True, True),
        ("corpus.sources.0.path", True, True),
        ("evaluate.benchmarks.mine.template", True, False),
        ("classify.label_names.0", True, False),
        ("pretrain.optimizer.lr", False, False),
        ("pretrain.precision", False, False),  # a text or a number
        ("runtime.progress", False, False),
        ("model.n_kv_head", False, False),
        ("pretrain.nothing", False, False),
    ],
)
def test_types_say_which_settings_are_texts_and_which_may_be_null(key: str, text: bool, null: bool) -> None:
    assert (is_text(key), may_be_null(key)) == (text, null)
