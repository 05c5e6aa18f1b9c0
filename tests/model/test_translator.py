"""The translator is the 2017 Transformer: equal to torch's, blind to padding and the future."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from foundling.model.attention import Attention, causal_mask
from foundling.model.config import TranslatorConfig
from foundling.model.kv_cache import KVCache
from foundling.model.meta import meta_model
from foundling.model.translator import Residual, Translator, length_mask
from foundling.validation import build

CONF = Path(__file__).parents[2] / "conf/transformer"


def config(name: str = "tiny", vocab_size: int = 50, **changes: Any) -> TranslatorConfig:
    values = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    return build(TranslatorConfig, {"vocab_size": vocab_size, **values, **changes}, "train_translator.model")


def translator(seed: int = 0, **changes: Any) -> Translator:
    torch.manual_seed(seed)
    return Translator(config(**{"init": "xavier", "n_encoder": 2, "n_decoder": 2, **changes})).eval()


LENGTHS = torch.tensor([7, 4, 1])


def sentences(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(50, (3, 7), generator=random), torch.randint(50, (3, 6), generator=random)


@pytest.mark.parametrize(("name", "published"), [("base", 65e6), ("big", 213e6)])
def test_the_papers_models_have_the_published_size(name: str, published: float) -> None:
    model = meta_model(Translator, config(name, vocab_size=37_000))  # "about 37000 tokens"
    width, hidden = model.config.n_embd, model.config.n_ffn
    attention, mlp, norm = 4 * (width**2 + width), 2 * width * hidden + width + hidden, 2 * width
    blocks = 6 * (attention + mlp + 2 * norm) + 6 * (2 * attention + mlp + 3 * norm)
    assert model.parameter_count() == 37_000 * width + blocks
    assert model.parameter_count() == pytest.approx(published, rel=0.03)


def copied(ours: Translator) -> nn.Transformer:
    """torch's own Transformer with our weights."""
    c = ours.config
    options: Any = {
        "dropout": 0.0,
        "batch_first": True,
        "norm_first": c.norm_place == "pre",
        "layer_norm_eps": c.norm_eps,
    }
    sizes = (c.n_embd, c.n_head, c.n_ffn)

    def last() -> Any:
        return nn.LayerNorm(c.n_embd, c.norm_eps) if c.norm_place == "pre" else None

    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(*sizes, **options), c.n_encoder, last(), enable_nested_tensor=False
    )
    decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(*sizes, **options), c.n_decoder, last())
    theirs = nn.Transformer(
        c.n_embd, c.n_head, batch_first=True, custom_encoder=encoder, custom_decoder=decoder
    )

    def attention(own: Attention, peer: Any) -> None:
        peer.in_proj_weight, peer.in_proj_bias = own.qkv.weight, own.qkv.bias
        peer.out_proj.weight, peer.out_proj.bias = own.out.weight, own.out.bias

    def norm(own: Residual | nn.Module, peer: Any) -> None:
        peer.load_state_dict((own.norm if isinstance(own, Residual) else own).state_dict())

    for own, peer in zip([*ours.encoder, *ours.decoder], [*encoder.layers, *decoder.layers], strict=True):
        attention(own.attention, peer.self_attn)
        norms = [own.attention_residual, own.mlp_residual]
        if hasattr(own, "cross"):
            attention(own.cross, peer.multihead_attn)
            norms.insert(1, own.cross_residual)
        for number, each in enumerate(norms, 1):
            norm(each, getattr(peer, f"norm{number}"))
        peer.linear1.load_state_dict(own.mlp.up.state_dict())
        peer.linear2.load_state_dict(own.mlp.out.state_dict())
    if c.norm_place == "pre":
        norm(ours.encoder_norm, encoder.norm)
        norm(ours.decoder_norm, decoder.norm)
    return theirs


@pytest.mark.parametrize("implementation", ["fused", "reference"])
@pytest.mark.parametrize("place", ["pre", "post"])
def test_outputs_and_gradients_equal_torchs_transformer_with_copied_weights(
    place: str, implementation: str
) -> None:
    ours = translator(
        name="base",
        context=16,
        n_embd=32,
        n_head=4,
        n_ffn=48,
        norm_place=place,
        attention=implementation,
        dropout=0.0,
    ).train()
    with torch.no_grad():
        for p in ours.parameters():  # biases begin at zero, norms at one, which would hide a mix-up
            p.add_(0.1 * torch.randn(p.shape))
    source, target = sentences()
    x, y = (ours._embed(ids, ours.target_embedding).detach().requires_grad_() for ids in (source, target))
    theirs = copied(ours)
    hidden = theirs(
        x,
        y,
        tgt_mask=~causal_mask(6, 6, x.device),
        src_key_padding_mask=~length_mask(LENGTHS, 7)[:, 0, 0],
        memory_key_padding_mask=~length_mask(LENGTHS, 7)[:, 0, 0],
    )
    found = ours.decode(target, *ours.encode(source, LENGTHS))
    torch.testing.assert_close(found, hidden, atol=2e-5, rtol=2e-5)
    for outputs in (found, hidden):
        outputs.square().sum().backward()
    for own, peer in (
        (ours.encoder[0], theirs.encoder.layers[0]),
        (ours.decoder[1], theirs.decoder.layers[1]),
    ):
        torch.testing.assert_close(own.mlp.up.weight.grad, peer.linear1.weight.grad, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("shared", ["all", "output", "none"])
def test_tables_are_shared_as_asked_and_loss_reaches_each(shared: str) -> None:
    model = translator(shared=shared)
    tables = {
        name.split(".")[0] for name, _ in model.named_parameters() if "embedding" in name or "output" in name
    }
    assert (
        tables
        == {
            "all": {"target_embedding"},
            "output": {"target_embedding", "source_embedding"},
            "none": {"target_embedding", "source_embedding", "output"},
        }[shared]
    )
    source, target = sentences()
    model(source, LENGTHS, target).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


MODEL = translator()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 5), st.integers(0, 2**16))
def test_padding_changes_nothing_however_long_and_whatever_it_holds(
    lengths: list[int], more: int, seed: int
) -> None:
    random = torch.Generator().manual_seed(seed)
    rows = [torch.randint(50, (n,), generator=random) for n in lengths]
    target = torch.randint(50, (len(rows), 4), generator=random)
    source = torch.randint(50, (len(rows), max(lengths) + more), generator=random)  # noise behind the ends
    for i, row in enumerate(rows):
        source[i, : len(row)] = row
    with torch.no_grad():
        together = MODEL(source, torch.tensor(lengths), target)
        for i, row in enumerate(rows):
            alone = MODEL(row[None], torch.tensor([len(row)]), target[i : i + 1])
            torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=5), st.integers(12, 16))
def test_the_mask_is_true_exactly_in_front_of_each_length(lengths: list[int], longest: int) -> None:
    mask = length_mask(torch.tensor(lengths), longest)
    assert mask.shape == (len(lengths), 1, 1, longest)
    assert mask[:, 0, 0].tolist() == [[place < length for place in range(longest)] for length in lengths]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 5), st.integers(0, 49))
def test_the_decoder_never_sees_the_future_and_the_encoder_sees_all(place: int, token: int) -> None:
    source, target = sentences()
    changed = target.clone()
    changed[:, place] = (target[:, place] + 1 + token % 49) % 50
    with torch.no_grad():
        before, after = MODEL(source, LENGTHS, target), MODEL(source, LENGTHS, changed)
        torch.testing.assert_close(before[:, :place], after[:, :place])
        assert not torch.allclose(before[:, place], after[:, place])
        other = source.clone()
        other[:, 0] = (source[:, 0] + 1) % 50  # each position of the memory has read the first token
        memory, other_memory = (MODEL.encode(ids, LENGTHS)[0] for ids in (source, other))
        assert (memory - other_memory).abs().sum(-1)[0].min() > 0


def test_token_by_token_with_the_cache_equals_all_at_once() -> None:
    model, (source, target) = translator(), sentences()
    with torch.no_grad():
        memory, mask = model.encode(source, LENGTHS)
        whole = model.decode(target, memory, mask)
        cache = KVCache(2, cross=True)
        steps = [model.decode(target[:, t : t + 1], memory, mask, cache) for t in range(6)]
        torch.testing.assert_close(torch.cat(steps, dim=1), whole, atol=1e-5, rtol=1e-4)
        # rows may be dropped, doubled and turned round on the way
        cache = KVCache(2, cross=True)
        model.decode(target[:, :3], memory, mask, cache)
        rows = torch.tensor([2, 0, 0])
        cache.select(rows)
        late = model.decode(target[rows, 3:], memory[rows], mask[rows], cache)
        torch.testing.assert_close(late, whole[rows, 3:], atol=1e-5, rtol=1e-4)


def test_where_it_looks_is_a_distribution_over_the_real_tokens_and_what_the_model_computes_with() -> None:
    model, (source, target) = translator(attention="reference"), sentences()
    seen: list[torch.Tensor] = []
    attend = model.decoder[1].cross.attend

    def spy(q: Any, k: Any, v: Any, mask: Any, dropout: float) -> torch.Tensor:
        seen.append(attend(q, k, torch.eye(k.size(2)).expand(*k.shape[:2], -1, -1), mask, dropout))
        return attend(q, k, v, mask, dropout)

    with torch.no_grad():
        memory, mask = model.encode(source, LENGTHS)
        looks = model.cross_attention_maps(target, memory, mask)
        assert looks.shape == (2, 3, 2, 6, 7)
        torch.testing.assert_close(looks.sum(-1), torch.ones(2, 3, 2, 6))
        assert looks[:, 1, :, :, 4:].abs().max() == 0
        model.decoder[1].cross.attend = spy
        model.decode(target, memory, mask)
    torch.testing.assert_close(looks[1], seen[0])


def test_a_fresh_zero_residual_model_adds_nothing() -> None:
    torch.manual_seed(0)
    model = Translator(replace(config(), init="zero_residual", norm_place="pre"))
    source, target = sentences()
    torch.testing.assert_close(
        model.decode(target, *model.encode(source, LENGTHS)),
        model.decoder_norm(model._embed(target, model.target_embedding)),
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"n_embd": 30, "n_head": 4}, "n_embd=30: must be divisible by n_head=4, and by 2 .* try 32"),
        ({"norm_place": "mid"}, "norm_place='mid': must be one of pre or post"),
        ({"shared": "some"}, "shared='some': must be one of"),
        ({"dropout": 1.0}, r"dropout=1\.0: must be below 1"),
        ({"n_decoder": 0}, "n_decoder=0: must be at least 1"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        config(**change)


def test_too_long_a_sentence_is_named() -> None:
    model = translator(context=6)
    with pytest.raises(ValueError, match="7 tokens exceed the translator's context of 6"):
        model(*sentences()[:1], LENGTHS, sentences()[1])


@pytest.mark.parametrize("name", sorted(file.stem for file in CONF.glob("*.yaml")))
def test_every_shipped_shape_can_be_built(name: str) -> None:
    assert meta_model(Translator, config(name)).parameter_count() > 0
