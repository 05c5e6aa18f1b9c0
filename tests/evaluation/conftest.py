"""Models and a tokenizer small enough to check by hand: networks of a user's own, which are no GPTs."""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from foundling.model.interface import CustomModel


class TinyCausal(nn.Module):
    """A causal model that is no GPT: a recurrent net, so that every earlier token counts."""

    def __init__(self, vocab_size: int = 128, context: int = 12) -> None:
        super().__init__()
        self.config = SimpleNamespace(context=context, vocab_size=vocab_size)
        self.embedding = nn.Embedding(vocab_size, 16)
        self.gru = nn.GRU(16, 16, batch_first=True)
        self.out = nn.Linear(16, vocab_size)

    def forward(self, ids: Tensor) -> Tensor:
        assert ids.size(1) <= self.config.context, "evaluation fed more than the context"
        return 3 * self.out(self.gru(self.embedding(ids))[0])


class TinyApart(TinyCausal):
    """The same, offering the state in front of the head, as the GPT does."""

    def hidden(self, ids: Tensor) -> Tensor:
        return self.gru(self.embedding(ids))[0]

    def head(self, hidden: Tensor) -> Tensor:
        return 3 * self.out(hidden)


class Uniform(nn.Module):
    """Knows nothing: each token is as likely as any other."""

    def __init__(self, vocab_size: int = 128, context: int = 400) -> None:
        super().__init__()
        self.config = SimpleNamespace(context=context, vocab_size=vocab_size)

    def forward(self, ids: Tensor) -> Tensor:
        return torch.zeros(*ids.shape, self.config.vocab_size)


class Parrot(Uniform):
    """Expects what followed this token last time; knows how to copy and nothing else."""

    def forward(self, ids: Tensor) -> Tensor:
        logits = super().forward(ids)
        for b, row in enumerate(ids.tolist()):
            for t, token in enumerate(row):
                earlier = [i for i in range(t) if row[i] == token]
                if earlier:
                    logits[b, t, row[earlier[-1] + 1]] = 5.0
        return logits


class Words:
    """A tokenizer of whole words with their space, so that a one-word choice is one token."""

    end_of_text = start_of_text = 0

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}

    def encode(self, text: str) -> list[int]:
        return [self.ids.setdefault(word, len(self.ids) + 1) for word in text.split()]


def model_of(network: TinyCausal | Uniform) -> CustomModel:
    return CustomModel(network, network.config, "mine").eval()


@pytest.fixture
def model() -> CustomModel:
    torch.manual_seed(0)
    return model_of(TinyCausal())


@pytest.fixture
def apart() -> CustomModel:
    torch.manual_seed(0)
    return model_of(TinyApart())


@pytest.fixture
def words() -> Words:
    return Words()


@pytest.fixture
def uniform() -> CustomModel:
    return model_of(Uniform())


@pytest.fixture
def parrot() -> CustomModel:
    return model_of(Parrot())
