from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from foundling.artifacts import read_json, write_json
from foundling.commands.export import run
from foundling.literals import literal
from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig, TranslatorConfig
from foundling.model.gpt import GPT
from foundling.model.translator import Translator
from foundling.text.tokenizer import END_OF_TEXT
from foundling.text.vocabularies import train_bpe
from foundling.validation import build
from foundling.weights import folder

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ask(job: Any, tmp_path: Path, gpt_config: Callable[..., Any]) -> Callable[..., None]:
    """`foundling export` of a small Llama."""
    tokenizer = train_bpe(["the fox and the lion"], 262, [END_OF_TEXT, "<|user|>"])
    folder.save(
        tmp_path / "models/chat", GPT(gpt_config("llama", tokenizer.vocab_size, n_layer=1)), tokenizer
    )

    def make(**values: Any) -> None:
        values = {"model": str(tmp_path / "models/chat")} | values
        run(job(*(f"export.{key}={literal(value)}" for key, value in values.items()), out=tmp_path))

    return make


def test_each_format_is_a_folder_and_the_output_says_how_to_load_it(
    ask: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(format="huggingface")
    assert "AutoModelForCausalLM.from_pretrained" in capsys.readouterr().out
    written = {file.name for file in (tmp_path / "exports/chat-huggingface").iterdir()}
    assert written == {
        *(
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
        ),
        "README.md",
    }
    ask(format="gguf", precision="q8_0", to="elsewhere")
    assert "ollama create chat" in capsys.readouterr().out
    assert {file.name for file in (tmp_path / "elsewhere").iterdir()} == {"chat-q8_0.gguf", "Modelfile"}


def test_a_model_that_transformers_does_not_know_leaves_with_its_code(
    ask: Callable[..., None],
    tmp_path: Path,
    gpt_config: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    tokenizer = train_bpe(["the fox and the lion"], 262, [END_OF_TEXT])
    model = GPT(gpt_config("micro", tokenizer.vocab_size))
    folder.save(tmp_path / "models/base", model, tokenizer, {"config": {"pretrain": {"max_steps": 7}}})
    ask(model=str(tmp_path / "models/base"))
    assert 'exports/base-huggingface", trust_remote_code=True)' in capsys.readouterr().out
    exported = tmp_path / "exports/base-huggingface"
    assert (exported / "modeling_foundling.py").is_file()
    assert "| max_steps | 7 |" in (exported / "README.md").read_text()
    with pytest.raises(
        ValueError, match=r"llama\.cpp cannot run .*lookup_heads=1 .*choose format=huggingface"
    ):
        ask(model=str(tmp_path / "models/base"), format="gguf")


def test_the_chat_template_is_the_one_that_the_model_was_taught(
    ask: Callable[..., None], tmp_path: Path
) -> None:
    template = tmp_path / "exports/chat-huggingface/chat_template.jinja"
    write_json(tmp_path / "models/chat/chat.json", {"template": "phi3", "system": "You tell of animals."})
    ask()
    assert "<|user|>" in template.read_text()
    assert "You tell of animals." in template.read_text()
    ask(template="alpaca")
    assert "### Instruction" in template.read_text()
    ask(template="none")
    assert not template.exists()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"format": "onnx"}, "export.format='onnx': must be one of huggingface or gguf"),
        ({"format": "gguf", "precision": "bf16"}, "'bf16': must be one of f32, f16, q8_0 for .*gguf"),
        ({"precision": "q8_0"}, "'q8_0': must be one of f32, f16, bf16 for .*huggingface"),
        (
            {"template": "chat"},
            "export.template='chat': must be one of auto, none, alpaca, phi3, chatml or model",
        ),
    ],
)
def test_unknown_choices_are_errors_with_the_allowed_ones(
    ask: Callable[..., None], tmp_path: Path, values: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        ask(**values)
    assert not (tmp_path / "exports").exists()


def test_a_classifier_goes_to_hugging_face_alone(
    ask: Callable[..., None],
    tmp_path: Path,
    gpt_config: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    tokenizer = train_bpe(["the fox and the lion"], 262)
    shape = ClassifierConfig(gpt_config("qwen3", tokenizer.vocab_size, n_layer=1), ("ham", "spam"), "end")
    folder.save(tmp_path / "models/classifier", Classifier(shape), tokenizer)
    ask(model=str(tmp_path / "models/classifier"))
    assert 'pipeline("text-classification"' in capsys.readouterr().out
    config = read_json(tmp_path / "exports/classifier-huggingface/config.json")
    assert config["architectures"] == ["Qwen3ForSequenceClassification"]
    assert config["id2label"] == {"0": "ham", "1": "spam"}
    with pytest.raises(ValueError, match=r"is a classifier, which GGUF does not support"):
        ask(model=str(tmp_path / "models/classifier"), format="gguf")


def test_a_translator_leaves_with_its_code_and_the_settings_of_translate(
    job: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = train_bpe(["the fox and the lion"], 262, [END_OF_TEXT])
    values = yaml.safe_load((ROOT / "conf/transformer/tiny.yaml").read_text())
    config = build(TranslatorConfig, values | {"vocab_size": tokenizer.vocab_size}, "")
    folder.save(tmp_path / "models/translator", Translator(config), tokenizer)
    chosen = f"export.model={literal(str(tmp_path / 'models/translator'))}"
    run(job(chosen, "translate.beam=2", "translate.length_penalty=0.5", out=tmp_path))
    assert 'AutoModelForSeq2SeqLM.from_pretrained("' in (said := capsys.readouterr().out)
    assert "trust_remote_code=True" in said
    exported = tmp_path / "exports/translator-huggingface"
    assert (exported / "modeling_foundling_translator.py").is_file()
    generation = read_json(exported / "generation_config.json")
    assert (generation["num_beams"], generation["length_penalty"]) == (2, 0.5)
    with pytest.raises(ValueError, match=r"is a translator, which llama\.cpp cannot run; use export\.format"):
        run(job(chosen, "export.format=gguf", out=tmp_path))


@pytest.mark.parametrize("to", ["models/chat", "models", ".", "..", "mine"])
def test_a_folder_that_is_no_export_is_never_replaced(
    ask: Callable[..., None], tmp_path: Path, to: str
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("of years")
    before = sorted(path for path in tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=r"exists and is not an export.* set export\.to to a new one"):
        ask(to=to)
    assert sorted(path for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["a\nb", 'a"b', "a\x1bb"])
def test_a_model_name_that_is_unsuitable_for_a_file_is_refused(
    ask: Callable[..., None], tmp_path: Path, name: str
) -> None:
    (tmp_path / "models/chat").rename(tmp_path / "models" / name)
    with pytest.raises(ValueError, match="to name an export"):
        ask(model=str(tmp_path / "models" / name), format="gguf")
    assert not (tmp_path / "exports").exists()


def test_an_export_takes_the_place_of_an_earlier_one(ask: Callable[..., None], tmp_path: Path) -> None:
    ask(format="gguf", to="here")
    ask(format="gguf", to="here", precision="f16")
    assert {file.name for file in (tmp_path / "here").iterdir()} == {"chat-f16.gguf", "Modelfile"}


def test_a_system_text_that_would_end_the_quotes_in_a_modelfile_is_refused(
    ask: Callable[..., None], tmp_path: Path
) -> None:
    system = 'You are kind.""" \nADAPTER ./evil.gguf\nSYSTEM """'
    write_json(tmp_path / "models/chat/chat.json", {"template": "phi3", "system": system})
    with pytest.raises(ValueError, match="which a Modelfile cannot quote"):
        ask(format="gguf")
    assert not list((tmp_path / "exports").iterdir())
