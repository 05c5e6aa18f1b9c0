"""Settings of the wrong type or range, and a damaged selection, are refused on entry in one line."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from foundling import config, overrides
from foundling.__main__ import main
from foundling.plain import MOST_VALUES, read_yaml
from foundling.settings import Settings
from foundling.validation import build

NAN, INF = float("nan"), float("inf")
# for each kind of value, what it may not be
COUNTS = ["16", -4, 0, 2.5, NAN, INF, 10**30, [1, 2], None, True, {"a": 1}]
OR_ZERO = ["16", -4, 2.5, NAN, [1, 2], True]
REALS = ["0.1", -1e-3, NAN, INF, -INF, [0.1], {}, True]
SHARES = [*REALS, 2.0]
SWITCHES = ["true", 1, 0, None, [True]]
TEXTS = [5, 0.5, None, ["a"], True]
HARMS = {
    "pretrain.batch_size": COUNTS,
    "pretrain.accumulate": COUNTS,
    "pretrain.max_steps": [*OR_ZERO, None],
    "pretrain.validate_every": COUNTS,
    "pretrain.snapshots": OR_ZERO,
    "pretrain.gradient_clip": REALS,
    "pretrain.seed": OR_ZERO,
    "pretrain.align": SWITCHES,
    "pretrain.compile": SWITCHES,
    "pretrain.init_from": TEXTS,
    "pretrain.optimizer.lr": REALS,
    "pretrain.optimizer.momentum": SHARES,
    "pretrain.optimizer.adamw_betas": [0.9, [0.9, 2.0], [0.9, NAN], [], ["a", "b"], None],
    "pretrain.schedule.warmup": OR_ZERO,
    "pretrain.schedule.decay": SHARES,
    "pretrain.sample.temperature": REALS,
    "pretrain.sample.top_p": [0, 2, NAN, "0.9"],
    "pretrain.sample.max_new_tokens": COUNTS,
    "model.n_layer": COUNTS,
    "model.n_embd": COUNTS,
    "model.context": COUNTS,
    "model.dropout": SHARES,
    "model.n_kv_head": [0, -1, "2", 1.5],
    "model.bias": SWITCHES,
    "tokenizer.vocab_size": ["600", 0, -5, 1.5, NAN, [600]],
    "tokenizer.train_megabytes": [0, *REALS],
    "corpus.split.validation": SHARES,
    "corpus.clean.min_characters": OR_ZERO,
    "corpus.clean.deduplicate": SWITCHES,
    "classify.batch_size": COUNTS,
    "classify.bucket": COUNTS,
    "classify.epochs": REALS,
    "classify.head_rate": REALS,
    "classify.label_smoothing": SHARES,
    "classify.lora.rank": COUNTS,
    "classify.patience": ["4", 0, -1, 1.5],
    "classify.keep": TEXTS,
    "classify.train": TEXTS,
    "instruct.batch_size": COUNTS,
    "instruct.validate_every": COUNTS,
    "instruct.turns": COUNTS,
    "instruct.packing": SWITCHES,
    "instruct.learn_end": SWITCHES,
    "instruct.template": TEXTS,
    "instruct.test.max_new_tokens": COUNTS,
    "instruct.forgetting.questions": OR_ZERO,
    "train_translator.batch_tokens": COUNTS,
    "train_translator.vocab_size": ["600", 0, -5, 1.5],
    "train_translator.model.n_encoder": COUNTS,
    "train_translator.model.dropout": SHARES,
    "train_translator.test.beam": COUNTS,
    "train_translator.test.length_penalty": REALS,
    "evaluate.batch_tokens": COUNTS,
    "evaluate.limit": OR_ZERO,
    "generate.count": COUNTS,
    "generate.temperature": REALS,
    "chat.top_k": [0, -1, "5", 1.5],
    "predict.top": COUNTS,
    "runtime.workers": [*OR_ZERO, 10**6],
    "runtime.threads": [0, -1, "2", 10**6],
    "runtime.log_every": COUNTS,
    "runtime.deterministic": SWITCHES,
    "runtime.budget_hours": ["24", -1, NAN, [1]],
    "runtime.trainer.devices": ["all", -2, 1.5, None, ["cuda:0"], [-2]],
    "seed": ["1", -1, 2**40, 1.5, NAN, None],
}
CASES = [(key, value) for key, values in HARMS.items() for value in values]


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    """The shipped values, resolved."""
    values = OmegaConf.to_container(config.compose(["model=micro"]), resolve=True)
    assert isinstance(values, dict)
    return values  # type: ignore[return-value]


@contextmanager
def changed(values: dict[str, Any], key: str, value: Any) -> Iterator[dict[str, Any]]:
    *sections, name = key.split(".")
    inner = values
    for section in sections:
        inner = inner[section]
    before = inner[name]
    inner[name] = value
    yield values
    inner[name] = before


@pytest.mark.parametrize(("key", "value"), CASES, ids=lambda value: repr(value)[:30])
def test_a_value_that_cannot_be(composed: dict[str, Any], refuses, key: str, value: Any) -> None:
    with changed(composed, key, value):
        refuses(
            lambda: build(Settings, composed, ""), re.escape(key) + r"\b.*(must be|is missing|unknown key)"
        )


def test_the_shipped_values_pass(composed: dict[str, Any]) -> None:
    build(Settings, composed, "")


ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", min_size=1), inner, max_size=2),
)


@given(st.sampled_from(list(HARMS)), ANY_VALUE)
def test_any_value_is_accepted_or_refused_by_name(
    composed: dict[str, Any], read_or_refused, key: str, value: Any
) -> None:
    with changed(composed, key, value), read_or_refused(key):
        build(Settings, composed, "")


@pytest.fixture
def project(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "conf").symlink_to(root / "conf")
    monkeypatch.chdir(tmp_path)
    return tmp_path


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
SELECTIONS = {
    "a bomb of aliases": (LAUGHS, f"expand to more than {MOST_VALUES:,} values"),
    "an alias of itself": ("set: &a [*a]", "found unknown|expand to more|nested values|cannot be read"),
    "an alias of itself in a mapping": (
        "set: &a {pretrain: *a}",
        "found unknown|expand to more|cannot be read",
    ),
    "a tab": ("model:\tnano\n\tpretrain: x\n", "line 1 cannot be read"),
    "a key twice": (
        "model: nano\nmodel: small\n",
        "line 2 cannot be read as plain YAML .duplicate key 'model'",
    ),
    "a value twice": ("set: {pretrain: {max_steps: 1, max_steps: 2}}", "duplicate key 'max_steps'"),
    "an object of Python": ("model: !!python/object/apply:os.mkdir [called]", "cannot be read"),
    "a module of Python": ("model: !!python/name:os.system", "cannot be read"),
    "a tag of nobody": ("model: !evil nano", "cannot be read"),
    "a list": ("- model\n", "is of type list"),
    "a text": ("model", "is of type str"),
    "a number": ("5", "is of type int"),
    "two documents": ("model: nano\n---\nmodel: small\n", "cannot be read"),
    "a cut mapping": ("set: {pretrain: {", "cannot be read"),
    "a quote that does not end": ("model: 'nano\n", "cannot be read"),
    "bytes that are no UTF-8": (b"model: \xff\xfe", "cannot be read"),
    "zeros": (b"model: na\0no\n", "cannot be read"),
    "too much": (b"# " + b"x" * (1 << 20) + b"\nmodel: nano\n", "has more than 1,048,576 bytes"),
    "depth without end": ("set: " + "[" * 5000 + "]" * 5000, "cannot be read"),
    "a choice that is a list": ("model: [nano, small]", "model is .*it must be a choice of conf/model"),
    "a choice that is a mapping": ("model: {_target_: os.system}", "it must be a choice of conf/model"),
    "a choice that is a date": ("model: 2020-01-01", "it must be a choice of conf/model"),
    "values that are a text": ("set: pretrain", "`set` is 'pretrain'"),
    "a value that is a date": (
        "set: {pretrain: {max_steps: 2020-01-01}}",
        "must be a text or a number; quote it",
    ),
    "a value of bytes": ("set: {pretrain: {max_steps: !!binary aGk=}}", "must be a text or a number"),
    "a set of values": ("set: {pretrain: {max_steps: !!set {a, b}}}", "pretrain.max_steps|must be a text"),
}


@pytest.mark.parametrize("what", SELECTIONS)
def test_a_selection_that_is_damaged(project: Path, refuses, what: str) -> None:
    text, says = SELECTIONS[what]
    (project / "params.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    refuses(lambda: overrides.prepare(None, []), says)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("ab:-&*!{}[]'\",#|>%@\t\n 019.~<"), max_size=60))
def test_any_text_is_yaml_or_one_clear_error(tmp_path: Path, read_or_refused, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8", newline="")
    with read_or_refused("a.yaml"):
        read_yaml(tmp_path / "a.yaml")


COMMANDS = [
    (["pretrain", "pretrain.batch_size=null"], "pretrain.batch_size=null: must be an integer"),
    (["chat", "temperature=-1"], "chat.temperature=-1: must be at least 0"),
    (["pretrain", "model=../../etc/passwd"], "is not one of conf/model|cannot be read"),
    (["pretrain", "pretrain.seed=${oc.env:HOME"], "cannot be read"),
    (["pretrain", "pretrain.seed=${nothing.there}"], "cannot be resolved"),
    (["../../bin/sh"], "unknown command"),
    (["pretrain", "experiment=../x"], "is not one of conf/experiment|cannot be read"),
]


@pytest.mark.parametrize(("arguments", "says"), COMMANDS, ids=lambda value: str(value)[:40])
def test_a_command_that_cannot_be(
    project: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.setattr("sys.argv", ["foundling", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    told = [line for line in capfd.readouterr().err.splitlines() if line]
    assert end.value.code == 1
    assert len(told) == 1, told
    assert re.search(says, told[0]), told[0]
    assert [path.name for path in project.iterdir()] == ["conf"]
