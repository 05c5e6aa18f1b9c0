"""The one loss: the surprise at the next token, in nats."""

from torch import Tensor
from torch.nn import functional as F

IGNORE_INDEX = -100  # a target that is not to be learned: padding, or a prompt


def next_token_loss(logits: Tensor, targets: Tensor, reduction: str = "mean", smoothing: float = 0.0) -> Tensor:
    """Cross-entropy -log p(target), in nats, over the targets that are not IGNORE_INDEX.

    logits (B, T, V) and targets (B, T), where targets[b, t] is the token that follows position t. In float32 whatever
    the model computes in. reduction "mean" is per token, "sum" the total, "none" gives (B, T). With `smoothing` ε the
    target has the probability 1 - ε and all tokens share out the rest (Szegedy et al. 2016; Vaswani et al. 2017, 5.4).
    """
    flat = F.cross_entropy(
        logits.flatten(0, 1).float(),
        targets.flatten(),
        ignore_index=IGNORE_INDEX,
        reduction=reduction,
        label_smoothing=smoothing,
    )
    return flat.view_as(targets) if reduction == "none" else flat
