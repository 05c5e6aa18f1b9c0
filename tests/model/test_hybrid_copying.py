"""At the start, a model with conv layers finds what followed the last tokens when they occurred before."""

from collections.abc import Callable
from typing import Any

import torch

from foundling.model.attention_maps import attention_maps
from foundling.model.gpt import GPT
from foundling.model.hybrid_copying import DECAY


def test_the_lookup_heads_attend_to_what_followed(gpt_config: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    model = GPT(gpt_config("lfm2", vocab_size=2048)).eval()
    first = torch.randperm(2048)[:40]
    ids = torch.cat((first, first[:30])).unsqueeze(0)  # (1, 70): a text of 40 tokens, begun again
    maps = attention_maps(model, ids)[:, 0]  # (attention layers, H, T, T)
    followed = torch.arange(5, 30)  # the last token at 40 + i - 1 was at i - 1 before
    looked_up = maps[:, :, 40 + followed - 1].argmax(-1) == followed  # (attention layers, H, 25)
    share = looked_up.float().mean(-1)
    assert share[0, :2].min() > 0.9  # the heads of the first of two key/value heads
    assert share[0, 2:].max() < 0.2


def test_the_first_conv_layers_add_the_previous_tokens(gpt_config: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    model = GPT(gpt_config("lfm2", vocab_size=2048)).eval()
    ids = torch.randperm(2048)[:20].unsqueeze(0)
    states, embeddings = model.hidden_after(ids, 2)[0], model.token_embedding(ids)[0]  # (20, C)
    weights = DECAY ** torch.tensor([1.0, 2.0, 3.0, 4.0])
    for at in range(4, 20):
        torch.testing.assert_close(states[at, :64], embeddings[at, :64])
        previous = (weights.unsqueeze(1) * embeddings[[at - 1, at - 2, at - 3, at - 4], 1:64]).sum(0)
        assert torch.cosine_similarity(states[at, 65:], previous, dim=0) > 0.98


def test_what_is_looked_up_is_among_the_likeliest_of_the_other_tokens(gpt_config: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    model = GPT(gpt_config("lfm2", vocab_size=2048)).eval()
    first = torch.randperm(2048)[:40]
    ids = torch.cat((first, first[:30])).unsqueeze(0)
    logits = model(ids)[0, 44:69]  # (25, V), after the tokens that were followed by first[5:30]
    logits.scatter_(1, ids[0, 44:69].unsqueeze(1), float("-inf"))  # a tied head starts at the token itself
    ranks = (logits > logits.gather(1, first[5:30].unsqueeze(1))).sum(-1)
    assert ranks.float().median() < 10


def test_other_initialisations_know_nothing_of_it(gpt_config: Callable[..., Any]) -> None:
    model = GPT(gpt_config("lfm2", init="gpt2"))
    assert not any((p == 0).any() for name, p in model.named_parameters() if name.endswith("weight"))
