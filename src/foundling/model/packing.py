"""Several texts packed into one row: segment numbers (B, T) in, positions and an attention mask out."""

import torch
from torch import Tensor
from torch.nn import functional as F

from foundling.model.attention import causal_mask


def packed_positions_and_mask(segments: Tensor) -> tuple[Tensor, Tensor]:
    """Positions and mask with which each text is read as if it were alone in its row.

    Args:
        segments: (B, T), the number of the text that each token belongs to; texts are contiguous.

    Returns:
        Positions (B, T), counted from 0 in each text, and a mask (B, 1, T, T) that is causal within each
        text.
    """
    t = segments.size(1)
    index = torch.arange(t, device=segments.device)
    is_first = F.pad(segments[:, 1:] != segments[:, :-1], (1, 0), value=True)  # (B, T)
    start = torch.where(is_first, index, 0).cummax(dim=1).values  # (B, T)
    same_text = segments[:, None, :, None] == segments[:, None, None, :]  # (B, 1, T, T)
    return index - start, same_text & causal_mask(t, t, segments.device)
