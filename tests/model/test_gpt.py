from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from foundling.model.gpt import GPT
from foundling.model.kv_cache import KVCache
from foundling.model.meta import meta_model

SHAPES = {
    "micro": {},
    "char": {"context": 64, "n_layer": 2, "n_embd": 32},
    "original": {"n_layer": 2, "n_embd": 32},
    "llama": {"n_layer": 2, "n_embd": 32, "n_ffn": 48},
    "qwen3": {"n_layer": 2, "n_embd": 32, "head_dim": 16, "n_ffn": 48},
    "lfm2": {"n_layer": 3, "n_embd": 32, "n_ffn": 48, "layers": ["conv", "attention", "conv"]},
}


@pytest.fixture(params=SHAPES)
def model(request: pytest.FixtureRequest, gpt_config: Callable[..., Any]) -> GPT:
    torch.manual_seed(1)
    gpt = GPT(gpt_config(request.param, **SHAPES[request.param])).eval()
    for p in gpt.parameters():  # no weight may be idle, whatever the initialisation
        torch.nn.init.normal_(p, std=0.2)
    return gpt


@pytest.mark.parametrize(
    ("name", "vocabulary", "count"),
    [
        ("gpt2_124m", 50257, 124_439_808),
        ("gpt2_355m", 50257, 354_823_168),
        ("gpt2_774m", 50257, 774_030_080),
        ("smollm2_135m", 49152, 134_515_008),
        ("llama3_1b", 128_256, 1_235_814_400),
        ("qwen2_500m", 151_936, 494_032_768),
        ("smollm3_3b", 128_256, 3_075_098_624),
        ("olmo2_1b", 100_352, 1_484_916_736),
        ("gpt2_1558m", 50257, 1_557_611_200),
        ("tinyllama_1b", 32000, 1_100_048_384),
        ("qwen3_600m", 151936, 596_049_920),
        ("lfm2_350m", 65536, 354_483_968),
    ],
)
def test_published_models_have_their_published_number_of_parameters(
    name: str, vocabulary: int, count: int, gpt_config: Callable[..., Any]
) -> None:
    assert meta_model(GPT, gpt_config(name, vocabulary)).parameter_count() == count


def test_no_position_sees_the_future(model: GPT) -> None:
    ids = torch.randint(50, (2, 12), generator=torch.Generator().manual_seed(0))
    changed = ids.clone()
    changed[:, 8:] = (changed[:, 8:] + 1) % 50
    before, after = model(ids), model(changed)
    torch.testing.assert_close(before[:, :8], after[:, :8])
    assert not torch.allclose(before[:, 8], after[:, 8])


@pytest.mark.parametrize("pieces", [[12], [1] * 12, [5, 1, 4, 2], [2, 10]])
def test_reading_through_the_cache_equals_reading_at_once(model: GPT, pieces: list[int]) -> None:
    ids = torch.randint(50, (2, 12), generator=torch.Generator().manual_seed(0))
    cache = KVCache(model.config.n_layer)
    parts = [model(part, cache) for part in ids.split(pieces, dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), model(ids), atol=1e-4, rtol=1e-4)
    assert cache.length == 12


def test_rotary_scores_depend_on_distances_alone(gpt_config: Callable[..., Any]) -> None:
    from foundling.model.rotary import rotary_tables, rotate

    cos, sin = rotary_tables(32, 8, 10_000.0)
    q, k = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)
    near = rotate(q, cos[5:6], sin[5:6]) @ rotate(k, cos[2:3], sin[2:3]).mT
    far = rotate(q, cos[25:26], sin[25:26]) @ rotate(k, cos[22:23], sin[22:23]).mT
    torch.testing.assert_close(near, far)


def test_gpt2_equals_transformers_with_copied_weights(gpt_config: Callable[..., Any]) -> None:
    transformers = pytest.importorskip("transformers")
    config = gpt_config("gpt2_124m", n_layer=2, n_embd=48, n_head=4, context=32)
    torch.manual_seed(0)
    ours = GPT(config).eval()
    peer = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=50, n_positions=32, n_embd=48, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=0
        )
    ).eval()
    state = {
        "transformer.wte.weight": ours.token_embedding.weight,
        "transformer.wpe.weight": ours.position_embedding.weight,
    }
    names = {
        "attention_norm": "ln_1",
        "attention.qkv": "attn.c_attn",
        "attention.out": "attn.c_proj",
        "mlp_norm": "ln_2",
    }
    names |= {"mlp.up": "mlp.c_fc", "mlp.out": "mlp.c_proj"}
    for i, block in enumerate(ours.blocks):
        for name, theirs in names.items():
            part = block.get_submodule(name)
            weight = (
                part.weight.T if isinstance(part, torch.nn.Linear) else part.weight
            )  # GPT-2 stores Conv1D, (in, out)
            state |= {
                f"transformer.h.{i}.{theirs}.weight": weight,
                f"transformer.h.{i}.{theirs}.bias": part.bias,
            }
    state |= {"transformer.ln_f.weight": ours.norm.weight, "transformer.ln_f.bias": ours.norm.bias}
    assert peer.load_state_dict(state, strict=False).missing_keys in ([], ["lm_head.weight"])
    ids = torch.randint(50, (2, 20))
    with torch.no_grad():
        torch.testing.assert_close(ours(ids), peer(ids).logits, atol=1e-5, rtol=1e-4)


def test_a_fresh_model_knows_nothing(gpt_config: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    logits = GPT(gpt_config("micro", vocab_size=500)).eval()(torch.randint(500, (4, 32)))
    entropy = torch.distributions.Categorical(logits=logits).entropy().mean()
    assert entropy > 0.98 * torch.tensor(500.0).log()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"head_dim": None, "n_embd": 770, "n_head": 12},
            "model.head_dim=null: needs n_embd=770 to be divisible by n_head=12; try n_embd=768",
        ),
        ({"n_kv_head": 3, "n_head": 4}, "model.n_kv_head=3: must divide n_head=4"),
        ({"position": "rotari"}, "model.position='rotari': must be one of learned, sinusoidal or rotary"),
        ({"head_dim": 7}, "head_dim=7: must be even"),
        ({"dropout": 1.0}, "dropout=1.0: must be below 1"),
        ({"n_layer": 0}, "n_layer=0: must be at least 1"),
        ({"convolution": -1}, "convolution=-1: must be at least 0"),
        ({"lookup_heads": 3}, "lookup_heads=3: must be at most n_head=2"),
        ({"convolution": 0, "lookup_heads": 1}, "lookup_heads=1: needs a convolution"),
        ({"layers": ["conv"]}, "layers: must name n_layer=2 layers, not 1"),
        ({"layers": ["conv", "mamba"]}, "layers.1='mamba': must be one of attention or conv"),
        ({"layers": ["conv", "attention"]}, "conv_kernel=0: must be from 2 to context=64 with conv layers"),
        ({"conv_kernel": 3}, "conv_kernel=3: must be 0 without conv in layers"),
        (
            {"layers": ["conv", "attention"], "conv_kernel": 3},
            "convolution=3, bias=False: must be 0 and false with conv layers",
        ),
    ],
)
def test_a_shape_that_cannot_be_is_refused_with_the_fix(
    changes: dict[str, Any], says: str, gpt_config: Callable[..., Any]
) -> None:
    with pytest.raises(ValueError, match=says.replace("(", r"\(")):
        gpt_config("micro", **changes)


def test_a_text_longer_than_the_context_is_refused(gpt_config: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="65 tokens exceed the model's context of 64"):
        GPT(gpt_config("micro"))(torch.zeros(1, 65, dtype=torch.long))


@pytest.mark.parametrize("name", ["micro", "char", "llama", "original", "lfm2"])
def test_texts_that_share_a_row_are_read_as_if_each_stood_alone(gpt_config, name: str) -> None:
    torch.manual_seed(0)
    changes = {"layers": ["attention", "conv"]} if name == "lfm2" else {}
    model = GPT(gpt_config(name, context=24, n_layer=2, **changes)).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.3)
    texts = [torch.randint(50, (1, length)) for length in (1, 7, 2, 9)]
    segments = torch.cat([torch.full_like(text, number) for number, text in enumerate(texts)], dim=1)
    packed = model(torch.cat(texts, dim=1), segments=segments)
    alone = torch.cat([model(text) for text in texts], dim=1)
    torch.testing.assert_close(packed, alone, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(model(torch.cat(texts, dim=1)), alone, atol=1e-2)


@pytest.mark.parametrize("skip", [0, 2])
def test_the_upper_blocks_continue_from_the_states_after_the_lower_ones(model: GPT, skip: int) -> None:
    if model.config.position == "rotary":
        model.config = replace(model.config, rope_skip=skip)
    ids = torch.randint(50, (3, 11))
    for blocks in range(len(model.blocks) + 1):
        states = model.hidden_after(ids, blocks)
        assert torch.equal(model.hidden_from(states, blocks), model.hidden(ids))


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_first_blocks_alone_are_a_model_of_that_many_blocks(model: GPT, blocks: int) -> None:
    ids = torch.randint(50, (3, 11))
    expected = model.norm(model.hidden_after(ids, blocks))
    model.keep_first_blocks(blocks)
    assert torch.equal(model.hidden(ids), expected)
    again = GPT(model.config)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.eval().hidden(ids), expected)


@pytest.mark.parametrize(
    ("trained", "frozen"),
    [
        ("norm", 2),
        ("blocks.1.mlp.up", 1),
        ("blocks.0.attention_norm", 0),
        ("token_embedding", 0),
        ("position_embedding", 0),
    ],
)
def test_blocks_are_frozen_below_the_lowest_trained_weight(
    gpt_config: Callable[..., Any], trained: str, frozen: int
) -> None:
    model = GPT(gpt_config("micro", position="learned"))
    model.requires_grad_(False)
    assert model.frozen_blocks == 2
    for module in (model.norm, model.get_submodule(trained)):
        module.requires_grad_(True)
    assert model.frozen_blocks == frozen


@pytest.mark.parametrize("name", SHAPES)
def test_an_extended_context_changes_nothing_within_the_old_one(
    name: str, gpt_config: Callable[..., Any]
) -> None:
    torch.manual_seed(1)
    model = GPT(gpt_config(name, **{**SHAPES[name], "context": 16})).eval()
    ids = torch.randint(0, model.config.vocab_size, (2, 24))
    before = model(ids[:, :16])
    assert model.extend_context(8)
    assert model.config.context == 16
    if model.config.position == "learned":
        assert not model.extend_context(24)
        assert model.config.context == 16
        return
    assert model.extend_context(24)
    assert torch.allclose(model(ids)[:, :16], before, atol=1e-5)
    rebuilt = GPT(model.config).eval()
    rebuilt.load_state_dict(model.state_dict())
    assert torch.equal(rebuilt(ids), model(ids))
