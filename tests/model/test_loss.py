import torch

from foundling.model.loss import IGNORE_INDEX, next_token_loss


def test_the_loss_is_the_mean_surprise_over_the_targets_that_count() -> None:
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[1, 2, IGNORE_INDEX], [4, IGNORE_INDEX, 0]])
    by_hand = (
        -sum(logits[b, t].softmax(0)[targets[b, t]].log() for b, t in ((0, 0), (0, 1), (1, 0), (1, 2))) / 4
    )
    torch.testing.assert_close(next_token_loss(logits, targets), by_hand)
    each = next_token_loss(logits, targets, reduction="none")
    assert each.shape == (2, 3)
    assert each[0, 2] == 0
    torch.testing.assert_close(next_token_loss(logits, targets, reduction="sum"), each.sum())


def test_smoothing_shares_out_a_part_of_the_target_among_all_tokens() -> None:
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[1, 2, IGNORE_INDEX], [4, IGNORE_INDEX, 0]])
    by_hand = torch.zeros(())
    for b, t in ((0, 0), (0, 1), (1, 0), (1, 2)):
        wanted = torch.full((5,), 0.1 / 5)
        wanted[targets[b, t]] += 0.9
        by_hand = by_hand - (wanted * logits[b, t].log_softmax(0)).sum() / 4
    torch.testing.assert_close(next_token_loss(logits, targets, smoothing=0.1), by_hand)
