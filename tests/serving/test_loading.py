"""Published models are served with their own template and end tokens; what cannot be served is said early."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from foundling.commands import serve
from foundling.inputs import check, served_models
from foundling.model.gpt import GPT
from foundling.serving.loading import ServedLanguageModel, load_models
from foundling.serving.prompts import chat_prompt
from foundling.text.library_tokenizer import LibraryTokenizer
from foundling.text.prompts import USER, Message
from foundling.weights import folder

from .conftest import CPU, make_client

NAMES = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|eom|>")
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def published() -> LibraryTokenizer:
    """A tokenizer of bytes, with a template and several tokens that end an answer."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    library = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    library.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in NAMES])
    return LibraryTokenizer(library.to_str(), {"eos_token": "<|im_end|>"}, CHATML, ["<|eom|>"])


def test_a_published_model_chats_with_its_own_template(
    tmp_path: Path, gpt_config: Callable[..., Any]
) -> None:
    tokenizer = published()
    torch.manual_seed(0)
    network = GPT(gpt_config("micro", vocab_size=tokenizer.vocab_size, context=128))
    folder.save(tmp_path / "published", network, tokenizer)
    loaded = load_models([str(tmp_path / "published")], CPU, rows=1, queue=1)
    try:
        model = loaded.find(ServedLanguageModel, "published")
        assert model.kind == "assistant"
        assert model.ends == {tokenizer.special_ids[name] for name in NAMES if name != "<|im_start|>"}
        prompt = tokenizer.decode(chat_prompt(model, [Message(USER, "Hi")]))
        assert prompt == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        client = make_client(loaded)
        asked = {"messages": [{"role": "user", "content": "<|im_end|>"}], "max_tokens": 4}
        made = client.post("/v1/chat/completions", json=asked).json()
        assert made["model"] == "published"
        assert made["usage"]["prompt_tokens"] == len(chat_prompt(model, [Message(USER, "<|im_end|>")]))
        assert client.post("/api/show", json={"model": "published:latest"}).json()["template"] == CHATML
    finally:
        loaded.close()


def test_without_models_the_command_says_how_to_make_them(
    job: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="no model to serve; make the default ones with `dvc repro`"):
        check("serve", job())
    with pytest.raises(ValueError, match="no model folder models/mine"):
        check("serve", job("serve.models=[models/mine]"))
    (tmp_path / "models/base").mkdir(parents=True)
    (tmp_path / "models/base/config.json").write_text("{}")
    assert served_models(None) == ("models/base",)


def test_without_the_packages_the_command_says_how_to_install_them(
    job: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "find_spec", lambda name: None if name == "fastapi" else object())
    with pytest.raises(ValueError, match=r"needs fastapi; run pip install .*'\.\[serve\]'"):
        serve.run(job())


def test_the_settings_are_those_of_conf(job: Callable[..., Any]) -> None:
    settings = job("translate.beam=7").settings.serve
    assert settings.host == "127.0.0.1"
    assert settings.key_file is None
    assert settings.translate.beam == 7
    assert dataclasses.asdict(settings.limits)["rows"] == 16
