from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foundling.data.language import TrainingWindows, ValidationWindows, drawn_documents
from foundling.data.shards import Source
from foundling.model.loss import IGNORE_INDEX


def source(length: int, name: str = "a", weight: float = 1.0, first: int = 0) -> Source:
    return Source(name, weight, np.arange(first, first + length, dtype=np.uint16), bytes=length)


def batches(steps: int = 6, seed: int = 3) -> list[tuple[torch.Tensor, torch.Tensor]]:
    windows = TrainingWindows([source(500), source(300, "b", 3.0, 1000)], 8, 12, steps, seed)
    return [windows[i] for i in range(len(windows))]


def test_targets_are_the_ids_that_follow() -> None:
    for ids, targets in batches():
        assert ids.shape == targets.shape == (12, 8)
        assert torch.equal(ids[:, 1:], targets[:, :-1])
        assert torch.equal(targets - ids, torch.ones_like(ids))  # the source counts up by one


def test_a_batch_follows_from_seed_and_step_alone() -> None:
    windows = TrainingWindows([source(500)], 8, 12, 100, 3)
    late = windows[57]
    again = TrainingWindows([source(500)], 8, 12, 100, 3)
    for i in range(10):
        again[i]
    assert torch.equal(again[57][0], late[0])
    assert not torch.equal(windows[58][0], late[0])
    assert not torch.equal(TrainingWindows([source(500)], 8, 12, 100, 4)[57][0], late[0])


def test_aligned_windows_begin_with_the_end_of_the_document_before() -> None:
    ids = np.arange(1, 501, dtype=np.uint16)
    ids[6::6] = 0  # documents of five tokens, behind ends of text; from 300 on a long one
    ids[300:] = 7
    windows = TrainingWindows([Source("a", 1.0, ids, bytes=500)], 8, 64, 3, 0, end_of_text=0)
    rows = [row.tolist() for i in range(3) for row in windows[i][0]]
    begins = {row[0] for row in rows}
    # an end of text, inside of the long one, or in the very first
    assert {0, 7} <= begins <= {0, 7, *range(1, 7)}
    assert all(row == [7] * 8 for row in rows if row[0] == 7)
    plain = TrainingWindows([Source("a", 1.0, ids, bytes=500)], 8, 64, 3, 0)
    assert len({row[0].item() for row in plain[0][0]}) > 3


def test_documents_are_drawn_by_weight_whole_or_to_the_end_of_the_context() -> None:
    ids = np.tile(np.array([0, 1, 2, 3, 4], dtype=np.uint16), 40)  # documents of four tokens
    long = Source("b", 3.0, np.arange(100, 400, dtype=np.uint16), bytes=1, first=0.5)
    drawn = [one.tolist() for one in drawn_documents([Source("a", 1.0, ids, bytes=1), long], 200, 8, 0, 1)]
    short = [one for one in drawn if one[0] == 0]
    assert 30 < len(short) < 70
    assert all(one == [0, 1, 2, 3, 4, 0] for one in short)
    assert all(len(one) == 9 for one in drawn if one[0] >= 100)


def test_sources_are_drawn_by_their_weights_not_their_sizes() -> None:
    drawn = torch.cat([ids[:, 0] for ids, _ in batches(steps=200)])
    assert abs((drawn >= 1000).float().mean().item() - 0.75) < 0.03


def test_a_first_source_is_used_exclusively_for_its_share_of_the_steps() -> None:
    low, high = source(50), source(50, "b", first=1000)
    windows = TrainingWindows([low, replace(high, first=0.25)], 8, 64, 8, 0)
    drawn = [(windows[step][0] >= 1000).float().mean().item() for step in range(8)]
    assert drawn[:2] == [1.0, 1.0]
    assert all(0.25 < share < 0.75 for share in drawn[2:])  # then by weight


def test_every_place_can_be_drawn() -> None:
    windows = TrainingWindows([source(12)], 8, 64, 10, 0)
    assert {int(i) for n in range(10) for i in windows[n][0][:, 0]} == {0, 1, 2, 3}


@settings(max_examples=50, deadline=None)
@given(
    lengths=st.lists(st.integers(2, 60), min_size=1, max_size=3),
    context=st.integers(1, 20),
    batch=st.integers(1, 5),
)
def test_validation_targets_each_token_once(lengths: list[int], context: int, batch: int) -> None:
    sources = [source(n, str(i), first=100 * i) for i, n in enumerate(lengths)]
    windows = ValidationWindows(sources, context, batch)
    seen = [t for i in range(len(windows)) for t in windows[i][1].flatten().tolist() if t != IGNORE_INDEX]
    assert sorted(seen) == sorted(int(t) for s in sources for t in s.ids[1:])
    for i in range(len(windows)):
        ids, targets = windows[i]
        assert torch.equal((targets - ids)[targets != IGNORE_INDEX].unique(), torch.tensor([1]))


def test_a_corpus_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(
        ValueError, match="source 'a' has 8 training tokens; a window needs 9; give it more text or set"
    ):
        TrainingWindows([source(8)], 8, 4, 1, 0)


def test_an_empty_validation_split_is_refused() -> None:
    with pytest.raises(ValueError, match="validation split has no token"):
        ValidationWindows([source(1)], 8, 4)
