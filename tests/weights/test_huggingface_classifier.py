from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from foundling.data.batches import padded
from foundling.data.encoded_texts import encode
from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig
from foundling.model.gpt import GPT
from foundling.text.tokenizer import Tokenizer
from foundling.weights import huggingface_export

transformers = pytest.importorskip("transformers")
LABELS = ("ham", "spam", "news")
TEXTS = ["The fox sleeps.", "WIN a prize, call now!!! 0800", "", "a <|endoftext|> b", "The lion " * 60]


def classifier(trunk: GPT, keep: str, bias: float) -> Classifier:
    made = Classifier(ClassifierConfig(trunk.config, LABELS, keep), trunk).eval()
    torch.nn.init.normal_(made.head.weight, std=0.3)
    torch.nn.init.normal_(made.head.bias, std=bias)
    return made


@pytest.mark.parametrize("keep", ["beginning", "end"])
@pytest.mark.parametrize(
    ("shape", "bias"), [("gpt2", 1.0), ("gpt2_without_bias", 1.0), ("llama", 0.0), ("qwen3", 0.0)]
)
def test_transformers_labels_texts_as_we_do(
    shape: str, bias: float, keep: str, make_model: Callable[[str], GPT], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    model = classifier(make_model(shape), keep, bias)
    huggingface_export.export_classifier(tmp_path / "out", model, tokenizer)
    peer, found = transformers.AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "out", output_loading_info=True
    )
    assert not any(found.values()), found
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    rows, cut = encode(tokenizer, TEXTS, model.config.trunk.context, keep)
    batch = theirs(TEXTS, padding=True, truncation=True, return_tensors="pt")
    assert cut == 1
    for row, ids, mask in zip(rows, batch["input_ids"], batch["attention_mask"], strict=True):
        assert ids[mask.bool()].tolist() == row
    with torch.inference_mode():
        logits = model(*padded(rows)).log_softmax(-1)
        assert (peer.eval()(**batch).logits.log_softmax(-1) - logits).abs().max() < 1e-4
    assert peer.config.id2label == dict(enumerate(LABELS))


def test_a_text_is_labelled_by_the_pipeline_of_transformers(
    make_model: Callable[[str], GPT], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    model = classifier(make_model("gpt2"), "beginning", 1.0)
    huggingface_export.export_classifier(tmp_path / "out", model, tokenizer)
    pipeline = transformers.pipeline("text-classification", str(tmp_path / "out"), truncation=True)
    rows, _ = encode(tokenizer, TEXTS, model.config.trunk.context, "beginning")
    with torch.inference_mode():
        likely = model(*padded(rows)).softmax(-1).max(-1)
    assert [one["label"] for one in pipeline(TEXTS, batch_size=2)] == [LABELS[i] for i in likely.indices]
    assert [one["score"] for one in pipeline(TEXTS)] == pytest.approx(likely.values.tolist(), abs=1e-4)


def test_a_bias_that_two_opposite_rows_hold_is_kept(
    make_model: Callable[[str], GPT], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    trunk = make_model("gpt2")
    model = Classifier(ClassifierConfig(trunk.config, ("ham", "spam"), "end"), trunk).eval()
    with torch.no_grad():  # a head that begins at zero stays antisymmetric through training
        row = torch.randn(64)
        model.head.weight.copy_(torch.stack((row, -row)))
        model.head.bias.copy_(torch.tensor([0.7, -0.7]))
    huggingface_export.export_classifier(tmp_path / "out", model, tokenizer)
    peer = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "out").eval()
    rows, _ = encode(tokenizer, TEXTS[:1], 96, "end")
    with torch.inference_mode():
        torch.testing.assert_close(
            peer(torch.tensor(rows)).logits, model(*padded(rows)), atol=1e-4, rtol=1e-4
        )


@pytest.mark.parametrize("keep", ["beginning", "end"])
@pytest.mark.parametrize("shape", ["nano", "lfm2", "a bias that RMSNorm cannot take", "a mean"])
@pytest.mark.usefixtures("code_cache")
def test_a_classifier_that_transformers_does_not_know_leaves_with_our_code(
    shape: str,
    keep: str,
    make_model: Callable[[str], GPT],
    gpt_config: Callable[..., Any],
    tokenizer: Tokenizer,
    tmp_path: Path,
) -> None:
    nano = GPT(gpt_config("nano", tokenizer.vocab_size, context=96, n_layer=2, n_embd=64)).eval()
    trunk = nano if shape == "nano" else make_model("lfm2" if shape == "lfm2" else "qwen3")
    model = classifier(trunk, keep, 1.0)
    if shape == "a mean":
        model.config = replace(model.config, pooling="mean", template="A text: {text} Its kind?")
        torch.nn.init.zeros_(model.head.bias)
    assert huggingface_export.export_classifier(tmp_path / "out", model, tokenizer).name == "foundling"
    pipeline = transformers.pipeline(
        "text-classification", str(tmp_path / "out"), truncation=True, trust_remote_code=True
    )
    rows, _ = encode(tokenizer, TEXTS, model.config.trunk.context, keep, model.config.template)
    with torch.inference_mode():
        logits = model(*padded(rows))
    likely = logits.softmax(-1).max(-1)
    for batch_size in (1, len(TEXTS)):
        found = pipeline(TEXTS, batch_size=batch_size)
        assert [one["label"] for one in found] == [LABELS[i] for i in likely.indices]
        assert [one["score"] for one in found] == pytest.approx(likely.values.tolist(), abs=1e-4)

    batch = pipeline.tokenizer(TEXTS, padding=True, padding_side="left", truncation=True, return_tensors="pt")
    labels = torch.tensor([0, 1, 2, 0, 1])
    theirs = pipeline.model(**batch, labels=labels)
    torch.testing.assert_close(theirs.logits, logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        theirs.loss, torch.nn.functional.cross_entropy(logits, labels), atol=1e-4, rtol=1e-4
    )
    assert pipeline.model.config.id2label == dict(enumerate(LABELS))
    assert pipeline.model.config.keep == keep
