import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from foundling import config
from foundling.artifacts import read_json, sha256
from foundling.commands.import_model import run
from foundling.data.lineage import require_base
from foundling.literals import literal
from foundling.model.gpt import GPT
from foundling.overrides import prepare
from foundling.settings import Job
from foundling.stages import train_tokenizer, weights
from foundling.text.tokenizer import END_OF_TEXT, Tokenizer
from foundling.text.vocabularies import train_bpe
from foundling.weights import folder, gguf, huggingface_export
from foundling.weights.chain import links
from foundling.weights.start import start


@pytest.fixture
def published(
    tmp_path: Path, gpt_config: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, root: Path
) -> Path:
    """A project's folder with a small Llama as a GGUF file, in a wheel, and as a folder."""
    (tmp_path / "conf").mkdir()
    for file in (root / "conf").rglob("*.yaml"):
        place = tmp_path / "conf" / file.relative_to(root / "conf")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.read_bytes())
    monkeypatch.chdir(tmp_path)
    tokenizer = train_bpe(["the fox and the lion"], 262, [END_OF_TEXT])
    torch.manual_seed(0)
    model = GPT(gpt_config("llama", tokenizer.vocab_size + 3, n_layer=1, context=96)).eval()
    gguf.export(Path("out"), model, tokenizer, name="fox")
    Path("out/fox-f32.gguf").rename("fox.gguf")
    with zipfile.ZipFile("fox.whl", "w") as wheel:
        wheel.write("fox.gguf", "package/fox.gguf")
    huggingface_export.export(Path("fox"), model, tokenizer)
    return tmp_path


def import_model(source: str | None, *overrides: str, **values: Any) -> None:
    named = [f"import_model.{key}={literal(value)}" for key, value in {"source": source, **values}.items()]
    run(Job.of(config.compose([*named, *overrides])))


@pytest.mark.parametrize("source", ["fox.gguf", "fox.whl", "fox"])
def test_whatever_holds_a_model_becomes_a_model_folder(
    source: str, published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_model(source)
    # of a folder without the ids that pad the vocabulary, which a GGUF file has as tokens
    vocabulary, parameters = (262, "251,776") if source == "fox" else (265, "252,544")
    assert capsys.readouterr().out.startswith(
        f"{source} -> models/base: llama, {parameters} parameters, a context of 96 tokens, a vocabulary of "
        f"{vocabulary}"
    )
    model, tokenizer = folder.load(Path("models/base"))
    assert (model.config.context, model.config.vocab_size) == (96, vocabulary)
    assert tokenizer.decode(tokenizer.encode("the lion")) == "the lion"
    assert not [link for link in links(Path("models/base")) if link.fault]
    record = read_json(Path("models/base/provenance.json"))
    name = "model.safetensors" if source == "fox" else "fox.gguf"
    assert record["imported"][name] == sha256(published / ("fox" if source == "fox" else "") / name)
    assert "imported by Foundling" in Path("models/base/README.md").read_text()


def test_the_pipeline_makes_the_same_model_of_the_printed_settings(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_model("fox.whl", context=64, experiment_name="fox", to="models/imported")
    lines = Path("conf/experiment/fox.yaml").read_text()
    assert capsys.readouterr().out.endswith(f"conf/experiment/fox.yaml says\n\n{lines}\n")
    composed = prepare(None, ["experiment=fox"]).config
    assert composed is not None
    job = Job.of(composed)
    require_base(Path("models/imported"), job.recipe)  # so that what is tuned on the base accepts it
    weights.run(job)
    train_tokenizer.run(job)
    tokenizer = Tokenizer.load(Path("data/tokenizer"))
    settings: Any = job.settings.model
    from foundling.model.config import GPTConfig

    model = start(
        job.settings.pretrain.init_from, GPTConfig.of(settings, tokenizer.vocab_size), tokenizer, seed=1
    )
    folder.save(Path("models/base"), model, tokenizer)
    for file in (
        "config.json",
        "model.safetensors",
        *(f"tokenizer/{f.name}" for f in Path("data/tokenizer").iterdir()),
    ):
        assert Path("models/base", file).read_bytes() == Path("models/imported", file).read_bytes()


def test_a_selected_choice_of_weights_is_imported_without_a_source(published: Path) -> None:
    shape = {"n_layer": 1, "n_ffn": 352, "context": 32, "norm_eps": 1e-5}
    chosen = [*(f"model.{key}={value}" for key, value in shape.items()), "weights.path=fox.gguf"]
    import_model(None, "weights=local", "model=llama", *chosen)
    assert folder.load_model(Path("models/base")).config.context == 32
    with pytest.raises(
        ValueError, match=r"another shape .* model.n_layer=2 .checkpoint: 1.; import it by its path"
    ):
        import_model(None, "weights=local", "model=llama", "model.n_layer=2", *chosen[1:])


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (
            "nowhere.gguf",
            r"nowhere\.gguf: there is no such file or folder .* and it is not the id of a model",
        ),
        ("conf", r"conf has no config\.json|conf holds no model"),
        ("conf/config.yaml", "holds no model: it must be a GGUF file"),
    ],
)
def test_what_holds_no_model_is_one_line(source: str, says: str, published: Path) -> None:
    with pytest.raises(ValueError, match=says):
        import_model(source)
    assert not Path("models").exists()


def test_nothing_but_an_earlier_import_is_replaced(published: Path) -> None:
    for _ in range(2):
        import_model("fox.gguf", experiment_name="fox")
    for taken in ("conf", "fox"):
        with pytest.raises(
            ValueError, match=f"{taken} exists and is not a model folder of Foundling; an import replace"
        ):
            import_model("fox.gguf", to=taken)
    with pytest.raises(ValueError, match=r"conf/experiment/smollm2\.yaml exists; choose another"):
        import_model("fox.gguf", experiment_name="smollm2")


def test_a_word_without_a_key_is_the_source(published: Path) -> None:
    composed = prepare("import_model", ["a, b=c's.gguf".replace("=", ""), "context=7"]).config
    assert composed is not None
    assert (composed.import_model.source, composed.import_model.context) == ("a, bc's.gguf", 7)


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("path=fox.gguf", r"setting or group path; the usage is `foundling import_model PATH_OR_ID member="),
        ("import_model.contxt=7", r"did you mean import_model\.context"),
    ],
)
def test_an_unknown_setting_shows_the_usage(argument: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        prepare("import_model", [argument])


def test_what_foundling_exported_keeps_its_own_fields(
    published: Path, gpt_config: Callable[..., Any]
) -> None:
    """A model that transformers does not know says how it is initialized and trained."""
    tokenizer = train_bpe(["the fox and the lion"], 262, [END_OF_TEXT])
    chosen = {"convolution": 2, "dropout": 0.1, "init": "copying", "attention": "reference"}
    model = GPT(gpt_config("llama", tokenizer.vocab_size, n_layer=1, **chosen)).eval()
    huggingface_export.export(Path("own"), model, tokenizer)
    import_model("own")
    assert folder.load_model(Path("models/base")).config == model.config
