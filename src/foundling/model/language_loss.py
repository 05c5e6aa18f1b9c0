"""The loss of a language model on a batch, by whichever way takes less memory.

Shapes: B batch, T time, V vocabulary, N targets that count.
"""

from torch import Tensor

from foundling.model.chunked_loss import chunked_loss
from foundling.model.interface import LanguageModel
from foundling.model.logits import are_many
from foundling.model.loss import IGNORE_INDEX, next_token_loss
from foundling.settings.runtime import Logits


def language_loss(
    network: LanguageModel,
    ids: Tensor,
    targets: Tensor,
    reduction: str = "mean",
    *,
    segments: Tensor | None = None,
    masked: bool = False,
    logits: Logits = "auto",
) -> Tensor:
    """Cross-entropy in nats, "mean" or "sum", of targets (B, T) that follow ids (B, T).

    Args:
        network: the model.
        ids: (B, T).
        targets: (B, T); those equal to IGNORE_INDEX do not count.
        reduction: "mean" over the targets that count, or "sum".
        segments: (B, T), numbers of packed texts.
        masked: whether many targets do not count, so that logits are computed for the others alone.
        logits: "chunks" computes the loss without keeping the logits, which changes rounding alone; "auto"
            does so where they are many. A network whose head is not a matrix keeps them.
    """
    options = {} if segments is None else {"segments": segments}
    head = network.head_weight() if logits != "whole" else None
    if head is None or not (logits == "chunks" or are_many(targets.numel(), len(head))):
        if not masked:
            return next_token_loss(network(ids, **options), targets, reduction)
        counted = targets != IGNORE_INDEX
        return next_token_loss(
            network(ids, at=counted, **options).unsqueeze(0), targets[counted].unsqueeze(0), reduction
        )
    counted = targets != IGNORE_INDEX
    chosen = targets[counted]  # (N,)
    total = chunked_loss(network.hidden(ids, **options)[counted], head, chosen)
    return total / len(chosen) if reduction == "mean" else total
