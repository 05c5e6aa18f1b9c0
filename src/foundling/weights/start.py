"""Where a base model begins: from scratch, from a model folder, or from weights that OpenAI or Hugging Face publish."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from foundling.costs import Shape, parameters, require_room
from foundling.model.gpt import GPT, GPTConfig, meta_gpt
from foundling.text.tokenizer import Tokenizer
from foundling.weights import folder, huggingface, huggingface_config, openai
from foundling.weights.architectures import OWN, differences
from foundling.weights.vocabulary import require_same

SCRATCH = "scratch"


def start(init_from: str, model: dict[str, Any], tokenizer: Tokenizer, seed: int) -> GPT:
    """A GPT to be trained: fresh, of the composed `model` section, or the one in folder `init_from`.

    A model folder brings its own shape; published weights must have the one of the `model` section. Either must share
    the tokenizer. ValueError says what does not fit.
    """
    if init_from == SCRATCH:
        config = GPTConfig(vocab_size=tokenizer.vocab_size, **model)
        require_room(sum(parameters(Shape.of(asdict(config))).values()))
        torch.manual_seed(seed)
        return GPT(config)
    path = Path(init_from)
    if openai.is_checkpoint(path) or huggingface.is_checkpoint(path):
        return _published(path, model, tokenizer).train()
    huggingface.refuse_pickles(path)
    if not (path / folder.CONFIG).is_file():
        raise ValueError(
            f"pretrain.init_from={init_from} is neither {SCRATCH!r} nor a folder with a model (no {folder.CONFIG}); "
            "to fetch one, choose weights=openai_124m or weights=huggingface and run `dvc repro`"
        )
    network, own = folder.load(path)
    if own.fingerprint != tokenizer.fingerprint:
        raise ValueError(
            f"{path} was trained with another tokenizer than data/tokenizer; tokenize with the model's own, "
            f"or begin with pretrain.init_from={SCRATCH}"
        )
    return network.train()


def _published(path: Path, model: dict[str, Any], tokenizer: Tokenizer) -> GPT:
    """Weights of another project, once shape and vocabulary are found to be the ones asked for."""
    own = {name: model[name] for name in OWN}
    if openai.is_checkpoint(path):
        name, config = "openai", openai.read_config(path, own)
    else:
        name, config = huggingface_config.read_config(path, own)
    if unlike := differences(model, config):
        raise ValueError(
            f"{path} has another shape than this run asks for: {folder.listed(unlike, ', ')}; choose the model that it "
            "is (model=gpt2_124m …, docs/models.md) or set these values"
        )
    require_same(path, tokenizer, config.vocab_size)
    if config.position == "rotary":
        config = replace(config, context=model["context"])
    network = openai.load_model(path, config) if name == "openai" else huggingface.load_model(path, name, config)
    return _without_spare_ids(network, tokenizer.vocab_size)


def _without_spare_ids(network: GPT, vocab_size: int) -> GPT:
    """The same model without the ids that no text has, with which some checkpoints round up their vocabulary."""
    if vocab_size == network.config.vocab_size:
        return network
    state = network.state_dict()
    for name in {"token_embedding.weight", "output.weight"} & {*state}:
        state[name] = state[name][:vocab_size].clone()  # (V, C)
    cut = meta_gpt(replace(network.config, vocab_size=vocab_size))
    cut.load_state_dict(state, assign=True)
    cut.make_tables()
    return cut
