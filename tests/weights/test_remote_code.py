"""transformers runs our modelling files as we do: logits, tokens, gradients, cached or not."""

import ast
import runpy
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from foundling.artifacts import read_json, write_json
from foundling.model.config import GPTConfig
from foundling.model.gpt import GPT
from foundling.model.interface import CustomModel
from foundling.model.loss import next_token_loss
from foundling.text.prompts import TEMPLATES, Message, render_prompt
from foundling.text.tokenizer import Tokenizer
from foundling.weights import huggingface, huggingface_export
from foundling.weights.architectures import known
from foundling.weights.huggingface_code import FILES, TRANSLATOR_FILES
from foundling.weights.huggingface_config import read_config

transformers = pytest.importorskip("transformers")
MODELS = Path(__file__).parents[2] / "conf/model"
CODE = Path(huggingface.__file__).with_name("remote_code")
SIZES = {"context": 64, "n_layer": 2, "n_head": 4, "n_embd": 32, "n_ffn": 64}
LLAMA3 = {
    "kind": "llama3",
    "factor": 4.0,
    "original_context": 16,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
}
YARN = {"kind": "yarn", "factor": 4.0, "original_context": 16}
LONGROPE = {"kind": "longrope", "original_context": 16, "attention_factor": 1.2}
LONGROPE |= {"short_factors": [1.0, 1.2, 1.5, 2.0], "long_factors": [1.0, 2.0, 4.0, 8.0]}
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "nano": ("nano", SIZES),
    "a convolution without lookup heads": ("mini", SIZES),
    "lookup heads alone": ("nano", SIZES | {"lookup_heads": 4, "qk_norm": False, "convolution": 1}),
    "learned positions": ("nano", SIZES | {"position": "learned", "mlp": "relu"}),
    "sinusoids": ("nano", SIZES | {"position": "sinusoidal", "mlp": "gelu", "norm": "layernorm"}),
    "biases of queries, keys and values, blocks without positions": (
        "nano",
        SIZES | {"bias": "qkv", "rope_skip": 2},
    ),
    "a context stretched by YaRN": ("nano", SIZES | {"rope_scaling": YARN}),
    "a context stretched as Llama 3's": ("nano", SIZES | {"rope_scaling": LLAMA3}),
    "output norms, all heads normed at once, some channels rotated": (
        "nano",
        SIZES | {"norm_place": "output", "qk_norm": "all", "rotary_dim": 4, "lookup_heads": 1},
    ),
    "windows in some blocks": ("nano", SIZES | {"n_layer": 3, "window": 12, "window_blocks": [0, 2]}),
    "windows without convolutions": (
        "llama",
        SIZES | {"n_kv_head": 2, "window": 5, "mlp": "relu2", "convolution": 0},
    ),
    "a context stretched by LongRoPE": ("nano", SIZES | {"rope_scaling": LONGROPE}),
    "grouped heads, untied, biases": (
        "mini",
        SIZES
        | {"n_kv_head": 2, "head_dim": 16, "tied": False, "bias": True, "norm": "layernorm", "mlp": "swiglu"},
    ),
    "gated convolutions": ("lfm2", SIZES | {"layers": ["conv", "attention"], "n_kv_head": 2, "mlp": "relu2"}),
}
FREE = {"dropout": 0.0, "init": "gpt2", "attention": "fused"}
PROMPTS = [[1, 2, 3], [9, 8, 7, 6, 5, 4, 3, 2, 1]]
PADDED = torch.tensor([[0] * 6 + PROMPTS[0], PROMPTS[1]])
MASK = torch.tensor([[0] * 6 + [1] * 3, [1] * 9])


pytestmark = pytest.mark.usefixtures("code_cache")


@pytest.fixture(scope="module")
def make(gpt_config: Callable[..., Any], tokenizer: Tokenizer) -> Callable[..., GPT]:
    """A maker of small models with random weights, none of them idle, whatever the initialisation."""

    def make(shape: str, **changes: Any) -> GPT:
        name, sizes = SHAPES[shape]
        torch.manual_seed(0)
        model = GPT(gpt_config(name, tokenizer.vocab_size, **sizes | changes)).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += torch.randn_like(parameter) * (0.15 if parameter.dim() > 1 else 0.3)
        return model

    return make


@pytest.fixture
def load(tokenizer: Tokenizer, tmp_path: Path) -> Callable[..., Any]:
    """Export a model and load it with transformers."""

    def load(model: GPT, **options: Any) -> Any:
        huggingface_export.export(tmp_path / "out", model, tokenizer)
        peer, found = transformers.AutoModelForCausalLM.from_pretrained(
            tmp_path / "out", trust_remote_code=True, output_loading_info=True, **options
        )
        assert not any(found.values()), found
        peer.generation_config.eos_token_id = None
        return peer.eval()

    return load


def ids_of(count: int, length: int = 60) -> torch.Tensor:
    return torch.randint(500, (count, length), generator=torch.Generator().manual_seed(0))


def generate(peer: Any, count: int = 16, **options: Any) -> list[list[int]]:
    """What transformers writes after the two prompts, padded on the left."""
    options = {"do_sample": False, "pad_token_id": 0, "max_new_tokens": count} | options
    return peer.generate(PADDED, attention_mask=MASK, **options)[:, PADDED.size(1) :].tolist()


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_and_greedy_tokens_are_ours_with_and_without_cache(
    shape: str, make: Callable[..., GPT], load: Callable[..., Any], greedy: Callable[..., list[int]]
) -> None:
    model = make(shape)
    peer, ids = load(model), ids_of(2)
    with torch.inference_mode():
        assert (peer(ids).logits - model(ids)).abs().max() < 1e-4
        padded = peer(PADDED, attention_mask=MASK).logits[0, -3:]
        assert (padded - model(torch.tensor(PROMPTS[:1]))[0]).abs().max() < 1e-4
    ours = [greedy(model, prompt, 32) for prompt in PROMPTS]
    # LongRoPE gives a text that grows beyond its original context other positions, but not what is cached
    for use_cache in (True,) if "LongRoPE" in shape else (True, False):
        alone = peer.generate(
            torch.tensor(PROMPTS[:1]), do_sample=False, max_new_tokens=32, use_cache=use_cache
        )
        assert alone[0, 3:].tolist() == ours[0]
        assert generate(peer, 32, use_cache=use_cache) == ours


@pytest.mark.parametrize("file", sorted(MODELS.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_gpt_of_conf_can_leave(
    file: Path, gpt_config: Callable[..., Any], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    changes = {
        "context": 16,
        "n_layer": 1,
        "n_head": 2,
        "n_kv_head": 2,
        "n_embd": 16,
        "n_ffn": 8,
        "head_dim": None,
    }
    if file.stem.startswith("lfm2"):
        changes |= {"n_layer": 2, "layers": ["conv", "attention"]}
    model = GPT(gpt_config(file.stem, tokenizer.vocab_size, **changes)).eval()
    architecture = huggingface_export.export(tmp_path / "out", model, tokenizer)
    assert (architecture.name == "foundling") == (file.stem in ("micro", "mini", "nano", "small"))
    peer = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out", trust_remote_code=True).eval()
    ids = ids_of(1, 16)
    with torch.inference_mode():
        assert (peer(ids).logits - model(ids)).abs().max() < 1e-4


@pytest.mark.parametrize(
    "shape", ["nano", "sinusoids", "grouped heads, untied, biases", "gated convolutions"]
)
def test_other_ways_to_generate_agree_with_each_other(
    shape: str, make: Callable[..., GPT], load: Callable[..., Any]
) -> None:
    peer = load(make(shape))
    for options in ({"num_beams": 3}, {"do_sample": True, "top_k": 20}):
        written = []
        for use_cache in (True, False):
            torch.manual_seed(0)
            written.append(generate(peer, use_cache=use_cache, **options))
        assert written[0] == written[1], options
    static = generate(peer, cache_implementation="static", disable_compile=True)
    assert static == generate(peer)
    prompt = torch.tensor(PROMPTS[1:])
    looked_up = peer.generate(prompt, do_sample=False, max_new_tokens=16, prompt_lookup_num_tokens=3)
    assert looked_up[0, 9:].tolist() == generate(peer)[1]


# LongRoPE gives a short text, and so the first piece, other positions than a long one
@pytest.mark.parametrize("cut", [1, 2, 20])
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if "LongRoPE" not in shape])
def test_a_text_can_be_read_in_pieces(
    shape: str, cut: int, make: Callable[..., GPT], load: Callable[..., Any]
) -> None:
    model = make(shape)
    peer, ids = load(model), ids_of(2)
    with torch.inference_mode():
        first = peer(ids[:, :cut], use_cache=True)
        rest = [peer(part, cache=first.cache).logits for part in ids[:, cut:].split(17, dim=1)]
        torch.testing.assert_close(torch.cat((first.logits, *rest), dim=1), model(ids), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_packed_texts_are_read_as_if_each_were_alone(
    shape: str, make: Callable[..., GPT], load: Callable[..., Any]
) -> None:
    model = make(shape)
    peer, ids = load(model), ids_of(1)
    lengths = (1, 3, 26, 30)
    positions = torch.cat([torch.arange(length) for length in lengths]).unsqueeze(0)
    segments = torch.repeat_interleave(torch.arange(4), torch.tensor(lengths)).unsqueeze(0)
    with torch.inference_mode():
        logits = peer(ids, position_ids=positions, use_cache=False).logits
        torch.testing.assert_close(logits, model(ids, segments=segments), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("llama", {"rope_scaling": {"kind": "linear", "factor": 2.0}}),
        ("llama", {"rope_scaling": LLAMA3}),
        ("llama", {"rope_scaling": YARN}),
        ("smollm3", {"rope_skip": 3, "n_layer": 4}),
    ],
)
def test_positions_that_transformers_knows_need_no_code(
    name: str, changes: dict[str, Any], gpt_config: Callable[..., Any], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    sizes = SIZES | {"n_kv_head": 2} | changes
    model = GPT(gpt_config("llama", tokenizer.vocab_size, **sizes)).eval()
    if name == "smollm3":
        with pytest.raises(ValueError, match=r"llama\.cpp cannot run this model: model\.rope_s"):
            known(model)
    assert huggingface_export.export(tmp_path / "out", model, tokenizer).name == name
    peer, ids = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval(), ids_of(2)
    with torch.inference_mode():
        assert (peer(ids).logits - model(ids)).abs().max() < 1e-4
    back = huggingface.load_model(tmp_path / "out", *read_config(tmp_path / "out", FREE))
    assert back.config == model.config


@pytest.mark.parametrize(("shape", "attending"), [("nano", 2), ("gated convolutions", 1)])
def test_hidden_states_and_attention_are_returned(
    shape: str, attending: int, make: Callable[..., GPT], load: Callable[..., Any]
) -> None:
    model = make(shape)
    peer, ids = load(model, attn_implementation="eager"), ids_of(1, 12)
    with torch.inference_mode():
        seen = peer(ids, output_hidden_states=True, output_attentions=True)
        assert (seen.logits - model(ids)).abs().max() < 1e-4
        torch.testing.assert_close(seen.hidden_states[-1], model.hidden(ids), atol=1e-4, rtol=1e-4)
    assert [state.shape for state in seen.hidden_states] == [(1, 12, 32)] * 3
    assert [weights.shape for weights in seen.attentions] == [(1, 4, 12, 12)] * attending
    torch.testing.assert_close(seen.attentions[0].sum(-1), torch.ones(1, 4, 12))


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_loss_and_gradients_are_ours(
    shape: str, checkpointing: bool, make: Callable[..., GPT], load: Callable[..., Any]
) -> None:
    model = make(shape).train()
    peer, ids = load(model).train(), ids_of(2)
    if checkpointing:
        peer.activation_checkpointing_enable()
    ours, theirs = next_token_loss(model(ids[:, :-1]), ids[:, 1:]), peer(ids, labels=ids).loss
    torch.testing.assert_close(theirs, ours)
    ours.backward()
    theirs.backward()
    gradients = dict(peer.named_parameters())
    for name, parameter in model.named_parameters():
        peers = gradients["lm_head.weight" if name == "output.weight" else f"model.{name}"]
        torch.testing.assert_close(peers.grad, parameter.grad, atol=1e-5, rtol=1e-4)


def test_dropout_is_active_in_training_alone(make: Callable[..., GPT], load: Callable[..., Any]) -> None:
    model = make("nano", dropout=0.5)
    peer, ids = load(model), ids_of(1)
    with torch.inference_mode():
        assert (peer(ids).logits - model(ids)).abs().max() < 1e-4
        torch.manual_seed(0)
        ours = model.train()(ids)
        torch.manual_seed(0)
        torch.testing.assert_close(peer.train()(ids).logits, ours, atol=1e-4, rtol=1e-4)


def test_the_trainer_of_transformers_trains_saves_and_loads(
    make: Callable[..., GPT], load: Callable[..., Any], tmp_path: Path
) -> None:
    pytest.importorskip("accelerate")
    peer = load(make("nano", dropout=0.1))
    rows = [{"input_ids": row, "labels": row} for row in ids_of(8, 32)]
    arguments = transformers.TrainingArguments(
        tmp_path / "training",
        max_steps=6,
        per_device_train_batch_size=8,
        learning_rate=3e-3,
        logging_steps=1,
        save_steps=6,
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        dataloader_pin_memory=False,
    )
    trainer = transformers.Trainer(peer, arguments, train_dataset=rows)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[-1] < losses[0] - 0.5
    saved = tmp_path / "training/checkpoint-6"
    assert {*FILES} <= {file.name for file in saved.iterdir()}
    again = transformers.AutoModelForCausalLM.from_pretrained(saved, trust_remote_code=True).eval()
    back = huggingface.load_model(saved, *read_config(saved, {}))
    with torch.inference_mode():
        ids = ids_of(2)
        assert torch.equal(again(ids).logits, peer.eval()(ids).logits)
        assert (back(ids) - again(ids).logits).abs().max() < 1e-4


def test_the_pipeline_of_transformers_chats(
    make: Callable[..., GPT], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    model = make("nano")
    huggingface_export.export(tmp_path / "out", model, tokenizer, TEMPLATES["phi3"])
    pipeline = transformers.pipeline("text-generation", str(tmp_path / "out"), trust_remote_code=True)
    said = [{"role": "user", "content": "Who sleeps?"}]
    answer = pipeline(said, do_sample=False, return_full_text=False)[0]["generated_text"]
    prompt = render_prompt([Message("user", "Who sleeps?")], TEMPLATES["phi3"], tokenizer)
    with torch.inference_mode():
        ids = list(prompt)
        while len(ids) < model.config.context:
            ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
            if ids[-1] == tokenizer.end_of_text:
                break
    assert answer == pipeline.tokenizer.decode(ids[len(prompt) :], skip_special_tokens=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_left_comes_back_bit_for_bit(
    shape: str, make: Callable[..., GPT], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    model = make(shape, dropout=0.25)
    huggingface_export.export(tmp_path / "out", model, tokenizer)
    back = huggingface.load_model(tmp_path / "out", *read_config(tmp_path / "out", {}))
    assert back.config == model.config
    state = back.state_dict()
    assert {*state} == {*model.state_dict()}
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    assert read_config(tmp_path / "out", {"dropout": 0.5})[1].dropout == 0.5


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"experts": 8}, "has unknown fields: experts; it was written by another version of Foundling"),
        ({"mlp": "maxout"}, "mlp='maxout': must be one of"),
        ({"n_layer": None}, "n_layer"),
    ],
)
def test_a_config_of_another_version_is_refused(
    make: Callable[..., GPT], tokenizer: Tokenizer, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    huggingface_export.export(tmp_path / "out", make("nano"), tokenizer)
    path = tmp_path / "out/config.json"
    write_json(path, read_json(path) | changes)
    with pytest.raises(ValueError, match=says):
        read_config(tmp_path / "out", {})


def test_a_text_may_exceed_the_context_unless_positions_are_learned(
    make: Callable[..., GPT], load: Callable[..., Any]
) -> None:
    assert load(make("nano"))(ids_of(1, 70)).logits.shape == (1, 70, 500)
    with pytest.raises(ValueError, match="the model has 64 positions; pass a shorter text"):
        load(make("learned positions"))(ids_of(1, 70))


def test_half_precision_leaves_too(make: Callable[..., GPT], tokenizer: Tokenizer, tmp_path: Path) -> None:
    model = make("nano")
    huggingface_export.export(tmp_path / "out", model, tokenizer, precision="bf16")
    peer = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out", trust_remote_code=True).eval()
    assert peer.dtype == torch.bfloat16
    assert len(generate(peer)[0]) == 16
    with torch.inference_mode():
        ids = ids_of(2)
        likely = model(ids).log_softmax(-1)
        assert (peer(ids).logits.float().log_softmax(-1) - likely).abs().mean() < 0.1


def test_the_modelling_file_knows_every_field_and_imports_transformers_and_torch_alone() -> None:
    imported = set()
    assert {file.name for file in CODE.glob("*_foundling*.py")} == {*FILES, *TRANSLATOR_FILES}
    for file in CODE.glob("*_foundling*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            if isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(str(node.module).partition(".")[0])
    assert imported == {"collections", "math", "torch", "transformers"}
    config = runpy.run_path(str(CODE / "configuration_foundling.py"))["FoundlingConfig"]
    assert {field.name for field in fields(GPTConfig)} <= {*config.__annotations__}


def test_an_older_transformers_is_told_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "5.23.0")
    with pytest.raises(
        ImportError, match=r"transformers>=5\.24 is required .* found .*5\.23\.0(.|\n)*pip install -U"
    ):
        runpy.run_path(str(CODE / "configuration_foundling.py"))


def test_the_card_says_how_to_load_the_model_and_what_code_runs(
    make: Callable[..., GPT], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    made = {"config": {"pretrain": {"max_steps": 7}}, "metrics": {"val/loss": 4.25}}
    huggingface_export.export(tmp_path / "out", make("nano"), tokenizer, provenance=made)
    text = (tmp_path / "out/README.md").read_text()
    for part in (
        "library_name: transformers\npipeline_tag: text-generation\n",
        'AutoModelForCausalLM.from_pretrained("THIS_FOLDER", trust_remote_code=True)',
        "runs the Python files of this folder",
        "| max_steps | 7 |",
        "| val/loss | 4.2500 |",
    ):
        assert part in text
    with pytest.raises(ValueError, match=r"provenance\.json is malformed"):
        huggingface_export.export(tmp_path / "out", make("nano"), tokenizer, provenance={"config": ["a"]})


def test_an_architecture_of_your_own_is_refused_with_the_way_out(
    make: Callable[..., GPT], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    network = make("nano")
    model = CustomModel(network, network.config, "mine")
    with pytest.raises(
        ValueError, match=r"model mine, an architecture of your own; .* write a modelling file for"
    ):
        huggingface_export.export(tmp_path / "out", model, tokenizer)
    assert not (tmp_path / "out").exists()


def test_exporting_imports_nothing_that_is_exported(
    make: Callable[..., GPT], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    before = {*sys.modules}
    huggingface_export.export(tmp_path / "out", make("nano"), tokenizer)
    assert not [name for name in {*sys.modules} - before if "foundling" in name and "remote" in name]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Without transformers' progress bars and advice."""
    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    yield
    transformers.logging.set_verbosity(level)
