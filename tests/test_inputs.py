"""A missing or wrong input is a one-line error that says what makes it, before torch is imported."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from foundling import inputs
from foundling.__main__ import COMMANDS

BY = {  # what is said where nothing is there
    "train_tokenizer": "data/raw/corpus/meta.json is missing; make it with `dvc repro fetch@corpus`",
    "tokenize": "data/raw/corpus/meta.json is missing",
    "pretrain": "data/tokenizer/tokenizer.json is missing; make it with `dvc repro tokenize`",
    "classify": "models/base/provenance.json is missing; make it with `dvc repro pretrain`",
    "instruct": "models/base/provenance.json is missing",
    "train_translator": "meta.json is missing; make it with `dvc repro fetch@train_translator`",
    "evaluate": "models/base/provenance.json is missing",
    "report": "metrics/data.json is missing; make it with `dvc repro tokenize`",
    "generate": "no model folder models/base; make one with `dvc repro pretrain or instruct`",
    "chat": "no model folder models/chat; make one with `dvc repro instruct`",
    "predict": "no model folder models/classifier; make one with `dvc repro classify`",
    "serve": "no model to serve; make the default ones with `dvc repro`",
    "translate": "no model folder models/translator; make one with `dvc repro train_translator`",
    "import_model": "nothing to import; name a file, folder or id, as `foundling import_model model.gguf`",
    "export": "no model folder models/base",
    "compare": "multirun has no sweep",
    "sweep": "multirun has no sweep; run one, such as `foundling pretrain -m seed=1,2,3`",
    "verify": "models/chat",
    "rebuild": "models/chat/model.safetensors is missing",
}
NEED_NOTHING = {"compose", "fetch", "weights", "plan", "clean"}
# runs each command line in one process, each in turn told what it lacks, and lists the heavy modules that
# came
TOLD = """
import json, sys
from foundling.__main__ import main
for line in json.loads(sys.argv[1]):
    sys.argv = ["foundling", *line]
    try:
        main()
    except SystemExit as end:
        print(end.code, file=sys.stderr)
print(sorted({"torch", "lightning", "wandb", "datasets", "transformers"} & set(sys.modules)))
"""


def told(folder: Path, *lines: list[str], stdin: bytes = b"") -> tuple[list[str], str]:
    """What each command line says, and the heavy modules that were imported."""
    command = [sys.executable, "-c", TOLD, json.dumps(lines)]
    done = subprocess.run(command, cwd=folder, capture_output=True, input=stdin)
    said = done.stderr.decode().splitlines()
    assert said[1::2] == ["1"] * len(lines), done.stderr.decode()
    return said[0::2], done.stdout.decode().strip()


@pytest.fixture
def project(root: Path, tmp_path: Path) -> Path:
    (tmp_path / "conf").symlink_to(root / "conf")
    return tmp_path


def model(folder: Path, kind: str) -> None:
    """What a model folder of this kind looks like from outside."""
    values = {"translator": {"n_encoder": 1}, "classifier": {"labels": ["ham", "spam"]}}.get(
        kind, {"n_layer": 1}
    )
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(values))
    (folder / "model.safetensors").write_bytes(b"")
    if kind == "assistant":
        (folder / "chat.json").write_text("{}")


def test_every_command_names_its_missing_inputs_or_needs_none() -> None:
    assert {*BY} | NEED_NOTHING == {*COMMANDS}
    assert not {*BY} & NEED_NOTHING


def test_an_imported_model_with_a_chat_template_is_an_assistant_too(tmp_path: Path) -> None:
    model(tmp_path / "base", "base")
    with pytest.raises(ValueError, match="is a base model, but this command needs an assistant model"):
        inputs.require_model(str(tmp_path / "base"), ("assistant",))
    (tmp_path / "base/tokenizer").mkdir()
    (tmp_path / "base/tokenizer/chat_template.jinja").write_text("{{ messages }}")
    inputs.require_model(str(tmp_path / "base"), ("assistant",))


def test_in_an_empty_project_each_command_names_its_missing_inputs_without_torch(project: Path) -> None:
    lines, heavy = told(project, *([name] for name in BY))
    for (name, says), line in zip(BY.items(), lines, strict=True):
        assert line.startswith("foundling: "), name
        assert says in line
    assert heavy == "[]"


def test_wrong_settings_models_and_texts_are_reported_without_torch(project: Path) -> None:
    for kind in ("base", "assistant", "classifier", "translator"):
        model(project / "models" / kind, kind)
    (project / "models/empty").mkdir()
    (project / "mine").mkdir()
    (project / "rows.csv").write_text("body\nfree entry\n")
    (project / "blank.txt").write_text("a\n\nb\n")
    cases = {
        "predict model=models/base text=x": "models/base is a base model, but this command needs a "
        "classifier model",
        "predict model=models/translator text=x": "or use `foundling translate` with this one",
        "translate model=models/assistant text=x": "models/assistant is an assistant model, .* a translator "
        "model",
        "generate model=models/classifier": "models/classifier is a classifier model, .*a base model or an",
        "chat model=models/base": "models/base is a base model, but this command needs an assistant model",
        "chat model=models/translator": "models/translator is a translator model",
        "predict model=models/empty text=x": "models/empty is not a model folder: models/empty/config.json "
        "is missing",
        "predict model=models/classifier file=none.txt": "none.txt does not exist",
        "predict model=models/classifier file=rows.csv": r"rows.csv:2 has no column 'text' \(columns: body\)",
        "predict model=models/classifier file=blank.txt": "blank.txt:2 is empty",
        "translate model=models/translator file=rows.csv": "rows.csv:2 has no column 'text'",
        "predict model=models/classifier": r"standard input, line 2: byte 0xff is not valid UTF-8",
        "pretrain pretrain.max_steps=-1": "pretrain.max_steps=-1",
        "instruct instruct.method=5 instruct.batch_size=0": "instruct.batch_size=0",
        "export model=models/base precision=bf16 format=gguf": "must be one of f32, f16, q8_0",
        "export model=models/base to=mine": "mine exists and is not an export",
    }
    lines, heavy = told(project, *(case.split() for case in cases), stdin=b"good\n\xff bad\n")
    for (case, says), line in zip(cases.items(), lines, strict=True):
        assert re.search(says, line), f"{case}: {line}"
    assert heavy == "[]"


def test_a_text_that_is_shorter_than_a_window_is_reported_without_torch(project: Path, job: Any) -> None:
    (project / "data/tokenizer").mkdir(parents=True)
    (project / "data/tokenizer/tokenizer.json").write_text("{}")
    (project / "data/tokens").mkdir()
    shards = [{"source": "tales", "split": split, "tokens": 100} for split in ("train", "validation")]
    made_with = {name: job().recipe[name] for name in ("corpus", "tokenizer")}
    (project / "data/tokens/meta.json").write_text(json.dumps({"shards": shards, "made_with": made_with}))
    lines, heavy = told(project, ["pretrain"], ["pretrain", "model.context=99", "pretrain.init_from=none"])
    assert "source 'tales' has 100 training tokens; a window needs 129" in lines[0]
    assert "pretrain.init_from=none: must be a folder" in lines[1]
    assert heavy == "[]"


def test_the_line_of_an_invalid_byte_is_named_by_translate_too(project: Path) -> None:
    model(project / "models/translator", "translator")
    lines, heavy = told(project, ["translate"], stdin="Grüße\n日本\n".encode() + b"\xe9t\xe9\n")
    assert "standard input, line 3: byte 0xe9 is not valid UTF-8" in lines[0]
    assert heavy == "[]"


READING = [name for name in COMMANDS if COMMANDS[name] == "stages" and name not in NEED_NOTHING]


@pytest.mark.parametrize("stage", READING)
def test_the_files_that_are_required_are_dependencies_and_made_by_the_stage_that_is_named(
    root, job, stage
) -> None:
    stages = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]
    required = inputs.files_of(stage, job().settings)
    assert required
    for file, made_by in required.items():
        assert any(dep == file or file.startswith(f"{dep}/") for dep in stages[stage]["deps"]), file
        name, _, key = made_by.partition("@")
        block = stages[name].get("do", stages[name])
        outs = [
            str(out).replace("${key}", key)
            for kind in ("outs", "metrics", "plots")
            for out in block.get(kind, [])
        ]
        assert any(out == file or file.startswith(f"{out}/") for out in outs), file
