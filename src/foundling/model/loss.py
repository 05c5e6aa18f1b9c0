"""The loss: cross-entropy of the next token, in nats."""

from torch import Tensor
from torch.nn import functional as F

IGNORE_INDEX = -100  # marks targets that are not learned: padding and prompts


def next_token_loss(
    logits: Tensor, targets: Tensor, reduction: str = "mean", smoothing: float = 0.0
) -> Tensor:
    """Cross-entropy -log p(target), in nats, over the targets other than IGNORE_INDEX, computed in float32.

    Args:
        logits: (B, T, V).
        targets: (B, T); targets[b, t] is the token that follows position t.
        reduction: "mean" per token, "sum", or "none" for (B, T).
        smoothing: label smoothing ε: the target has probability 1 - ε, and ε is spread over all tokens
            (Szegedy et al. 2016; Vaswani et al. 2017, 5.4).
    """
    flat = F.cross_entropy(
        logits.flatten(0, 1).float(),
        targets.flatten(),
        ignore_index=IGNORE_INDEX,
        reduction=reduction,
        label_smoothing=smoothing,
    )
    return flat.view_as(targets) if reduction == "none" else flat
