"""transformers runs our translator's modelling files as we do: logits, greedy and beam search, gradients."""

import runpy
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch.nn import functional as F

from foundling.artifacts import read_json
from foundling.generation.beam import beam_search, translate
from foundling.model.config import TranslatorConfig
from foundling.model.translator import Translator
from foundling.settings.generation import BeamSearch
from foundling.text.tokenizer import Tokenizer
from foundling.text.vocabularies import characters
from foundling.validation import build
from foundling.weights import huggingface
from foundling.weights.huggingface_code import TRANSLATOR_FILES
from foundling.weights.huggingface_translator import export_translator

transformers = pytest.importorskip("transformers")
CONF = Path(__file__).parents[2] / "conf/transformer"
CODE = Path(huggingface.__file__).with_name("remote_code")
SIZES = {"context": 40, "n_encoder": 2, "n_decoder": 3, "n_head": 4, "n_embd": 32, "n_ffn": 48}
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "the default": ("small", {}),
    "the original of 2017": ("base", {"dropout": 0.0}),
    "target and output share": ("small", {"shared": "output", "mlp": "swiglu", "bias": True}),
    "nothing shared": ("small", {"shared": "none", "norm": "layernorm", "mlp": "gelu", "n_encoder": 1}),
}
SENTENCES = ["a cab", "bead  face\n", "  dab", "a faded cabbage be", "f"]
BEAM = BeamSearch(beam=4, length_penalty=0.6, extra=100, batch_tokens=1000)

pytestmark = pytest.mark.usefixtures("code_cache")


@pytest.fixture(scope="module")
def alphabet() -> Tokenizer:
    """So few tokens that random weights end many translations."""
    return characters(["abcdefg "])


@pytest.fixture(scope="module")
def make(alphabet: Tokenizer) -> Callable[..., Translator]:
    """A maker of small translators with random weights, of which none is zero or one."""

    def make(shape: str, **changes: Any) -> Translator:
        name, own = SHAPES[shape]
        values = yaml.safe_load((CONF / f"{name}.yaml").read_text())
        values |= SIZES | {"vocab_size": alphabet.vocab_size, "init": "xavier"} | own | changes
        torch.manual_seed(4)  # many translations end
        model = Translator(build(TranslatorConfig, values, "")).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += torch.randn_like(parameter) * 0.1
        return model

    return make


@pytest.fixture
def load(alphabet: Tokenizer, tmp_path: Path) -> Callable[..., Any]:
    """Export a translator and load it with transformers."""

    def load(model: Translator, search: BeamSearch = BEAM, **options: Any) -> Any:
        export_translator(tmp_path / "out", model, alphabet, search)
        peer, found = transformers.AutoModelForSeq2SeqLM.from_pretrained(
            tmp_path / "out", trust_remote_code=True, output_loading_info=True, **options
        )
        assert not any(found.values()), found
        return peer.eval()

    return load


@pytest.fixture
def library(load: Callable[..., Any], tmp_path: Path) -> Callable[[], Any]:
    return lambda: transformers.AutoTokenizer.from_pretrained(tmp_path / "out", trust_remote_code=True)


def rows_of(tokenizer: Tokenizer) -> list[list[int]]:
    """The sentences as our translator reads them."""
    return [[*tokenizer.encode(" ".join(text.split())), tokenizer.end_of_text] for text in SENTENCES]


def padded(rows: list[list[int]], left: bool = False) -> dict[str, torch.Tensor]:
    """A batch for transformers; padding is a token that must not be read."""
    longest = max(map(len, rows))
    ids, mask = [], []
    for row in rows:
        padding, ones = [0] * (longest - len(row)), [1] * len(row)
        ids.append(padding + row if left else row + padding)
        mask.append(padding + ones if left else ones + padding)
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}


def written(ids: torch.Tensor, end: int) -> list[list[int]]:
    """What `generate` wrote, without start token, end token and padding."""
    texts = []
    for row in ids[:, 1:].tolist():
        texts.append(row[: row.index(end)] if end in row else row)
    return texts


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("shape", SHAPES)
def test_logits_are_ours_whatever_the_padding(
    shape: str,
    attention: str,
    make: Callable[..., Translator],
    load: Callable[..., Any],
    alphabet: Tokenizer,
) -> None:
    model = make(shape)
    peer = load(model, attn_implementation=attention)
    rows, end = rows_of(alphabet), alphabet.end_of_text
    lengths = torch.tensor([len(row) for row in rows])
    target = torch.randint(8, (len(rows), 9), generator=torch.Generator().manual_seed(0))
    target[:, 0] = end
    batch = padded(rows)
    with torch.inference_mode():
        ours = model(batch["input_ids"], lengths, target)
        for left in (False, True):
            theirs = peer(**padded(rows, left), decoder_input_ids=target).logits
            torch.testing.assert_close(theirs, ours, atol=1e-4, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_generate_translates_as_we_do_greedily_and_by_beam_search(
    shape: str, make: Callable[..., Translator], load: Callable[..., Any], alphabet: Tokenizer
) -> None:
    model = make(shape)
    peer, end, rows = load(model), alphabet.end_of_text, rows_of(alphabet)
    for beam, penalty in ((1, 0.0), (4, 0.6), (3, 0.3)):
        search = BeamSearch(beam=beam, length_penalty=penalty, extra=100, batch_tokens=1000)
        ours = beam_search(model, rows, end, search)
        options: dict[str, Any] = {"num_beams": beam}
        if beam > 1:
            options |= {"length_penalty": penalty, "early_stopping": True}
        for use_cache in (True, False):
            theirs = written(peer.generate(**padded(rows), use_cache=use_cache, **options), end)
            equal = [one.ids == other for one, other in zip(ours, theirs, strict=True)]
            # ours prefers a worse translation that ends to a better one that is cut at the context's end
            cut = [beam > 1 and len(other) == SIZES["context"] for other in theirs]
            assert all(map(max, equal, cut)), (beam, use_cache)
            assert any(equal)


def test_texts_in_are_texts_out_with_the_settings_of_the_export(
    make: Callable[..., Translator],
    load: Callable[..., Any],
    library: Callable[[], Any],
    alphabet: Tokenizer,
) -> None:
    model = make("the default")
    peer, tokenizer = load(model), library()
    batch = tokenizer(SENTENCES, padding=True, truncation=True, return_tensors="pt")
    rows = rows_of(alphabet)
    found = [ids[mask.bool()].tolist() for ids, mask in zip(*batch.values(), strict=True)]
    assert found == rows
    assert len(tokenizer("ab" * 50, truncation=True).input_ids) == model.config.context
    theirs = tokenizer.batch_decode(peer.generate(**batch), skip_special_tokens=True)
    ours, _ = translate(model, alphabet, SENTENCES, BEAM)
    cut = [len(other) == model.config.context for other in theirs]
    assert not all(cut)
    for one, other, is_cut in zip(ours, theirs, cut, strict=True):
        assert is_cut or one == other.strip()


def test_a_translation_can_be_read_in_pieces(
    make: Callable[..., Translator], load: Callable[..., Any], alphabet: Tokenizer
) -> None:
    peer, batch = load(make("the default")), padded(rows_of(alphabet))
    target = torch.randint(8, (len(SENTENCES), 12), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole = peer(**batch, decoder_input_ids=target)
        encoded = (whole.encoder_last_hidden_state,)
        mask, cache, pieces = batch["attention_mask"], None, []
        for part in target.split([1, 4, 7], dim=1):
            out = peer(encoder_outputs=encoded, attention_mask=mask, decoder_input_ids=part, cache=cache)
            cache = out.cache
            pieces.append(out.logits)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole.logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_loss_and_gradients_are_ours(
    shape: str,
    checkpointing: bool,
    make: Callable[..., Translator],
    load: Callable[..., Any],
    alphabet: Tokenizer,
) -> None:
    model = make(shape).train()
    peer, rows, end = load(model).train(), rows_of(alphabet), alphabet.end_of_text
    if checkpointing:
        peer.activation_checkpointing_enable()
    batch = padded(rows)
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    target = F.pad(batch["input_ids"][:, :-1], (1, 0), value=end)
    logits = model(batch["input_ids"], torch.tensor([len(row) for row in rows]), target)
    ours = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
    theirs = peer(**batch, labels=labels).loss
    torch.testing.assert_close(theirs, ours)
    ours.backward()
    theirs.backward()
    gradients = {name: parameter.grad for name, parameter in peer.named_parameters()}
    embedding = peer.get_input_embeddings().weight.grad
    torch.testing.assert_close(embedding, model.target_embedding.weight.grad, atol=1e-5, rtol=1e-4)
    fused = model.decoder[1].cross.qkv.weight.grad  # type: ignore[union-attr, index]
    parts = [gradients[f"model.decoder.blocks.1.cross.{part}.weight"] for part in ("query", "key", "value")]
    torch.testing.assert_close(torch.cat(parts), fused, atol=1e-5, rtol=1e-4)


def test_hidden_states_and_attention_are_returned(
    make: Callable[..., Translator], load: Callable[..., Any], alphabet: Tokenizer
) -> None:
    model = make("the default")
    peer, rows = load(model, attn_implementation="eager"), rows_of(alphabet)
    batch, target = padded(rows), torch.full((len(rows), 3), alphabet.end_of_text)
    with torch.inference_mode():
        seen = peer(**batch, decoder_input_ids=target, output_hidden_states=True, output_attentions=True)
        memory, mask = model.encode(batch["input_ids"], torch.tensor([len(row) for row in rows]))
        maps = model.cross_attention_maps(target, memory, mask)
    torch.testing.assert_close(torch.stack(seen.cross_attentions), maps, atol=1e-4, rtol=0)
    torch.testing.assert_close(seen.encoder_last_hidden_state[0, :6], memory[0, :6], atol=1e-4, rtol=0)
    assert (len(seen.encoder_hidden_states), len(seen.decoder_hidden_states)) == (3, 4)
    assert (len(seen.encoder_attentions), len(seen.decoder_attentions)) == (2, 3)


@pytest.mark.parametrize("file", sorted(CONF.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_translator_of_conf_can_leave(file: Path, alphabet: Tokenizer, tmp_path: Path) -> None:
    values = yaml.safe_load(file.read_text()) | SIZES | {"vocab_size": alphabet.vocab_size}
    model = Translator(build(TranslatorConfig, values, "")).eval()
    export_translator(tmp_path / "out", model, alphabet, BEAM)
    peer = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "out", trust_remote_code=True)
    assert sum(parameter.numel() for parameter in peer.parameters()) == model.parameter_count()


def test_what_was_loaded_can_be_saved_and_loaded_again(
    make: Callable[..., Translator], load: Callable[..., Any], alphabet: Tokenizer, tmp_path: Path
) -> None:
    peer, batch = load(make("nothing shared"), dtype=torch.bfloat16), padded(rows_of(alphabet))
    peer.save_pretrained(tmp_path / "again")
    assert {*TRANSLATOR_FILES} <= {file.name for file in (tmp_path / "again").iterdir()}
    again = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "again", trust_remote_code=True)
    assert again.dtype == torch.bfloat16
    assert torch.equal(again.eval().generate(**batch), peer.generate(**batch))


def test_the_config_and_the_card_say_what_it_is(
    make: Callable[..., Translator], alphabet: Tokenizer, tmp_path: Path
) -> None:
    made = {"config": {"train_translator": {"max_steps": 7}}, "metrics": {"val/loss": 4.25}}
    greedy = BeamSearch(beam=1, length_penalty=0.6, extra=100, batch_tokens=1000)
    export_translator(tmp_path / "out", make("the default"), alphabet, greedy, "f16", made)
    generation = read_json(tmp_path / "out/generation_config.json")
    assert (generation["num_beams"], generation["max_length"]) == (1, 41)
    assert "early_stopping" not in generation
    text = (tmp_path / "out/README.md").read_text()
    for part in (
        "pipeline_tag: translation\n",
        "A sentence translator",
        'AutoModelForSeq2SeqLM.from_pretrained("THIS_FOLDER", trust_remote_code=True)',
        "batch_decode(model.generate(**batch)",
        "| max_steps | 7 |",
    ):
        assert part in text
    config = runpy.run_path(str(CODE / "configuration_foundling_translator.py"))["FoundlingTranslatorConfig"]
    assert {field.name for field in fields(TranslatorConfig)} <= {*config.__annotations__}
    with pytest.raises(ValueError, match="model_type='foundling_translator'"):
        huggingface.load_model(tmp_path / "out", *huggingface_config(tmp_path / "out"))


def huggingface_config(folder: Path) -> Any:
    from foundling.weights.huggingface_config import read_config

    return read_config(folder, {})


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Without transformers' progress bars and advice."""
    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    yield
    transformers.logging.set_verbosity(level)
