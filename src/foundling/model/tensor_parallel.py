"""How a GPT's layers are divided among processes that compute the same batch (Shoeybi et al. 2019).

In each block, a process computes some of the attention heads and some of the feed-forward network's channels;
the processes' outputs are then added up. Embeddings, norms and output head are not divided.
"""

from typing import Literal

import torch
from torch import Tensor

from foundling.model.attention import Attention

# the linear layers of a block of which each process has some outputs (columns), or some inputs (rows)
PLAN: dict[str, Literal["columns", "rows"]] = {
    "attention.qkv": "columns",
    "attention.out": "rows",
    "mlp.up": "columns",
    "mlp.gate": "columns",
    "mlp.out": "rows",
}
PARTIAL = ("attention.q_norm.weight", "attention.k_norm.weight")  # used by each process on its own heads


def order_of_rows(attention: Attention, count: int) -> Tensor:
    """The order of the rows of `attention.qkv` in which each of `count` equal parts has whole heads.

    The first part then has the first queries, keys and values, and so on.
    """
    sizes = [heads * attention.head_dim for heads in attention.head_counts]
    groups = torch.split(torch.arange(sum(sizes)), sizes)  # rows of queries, keys and values
    return torch.cat([rows.chunk(count)[part] for part in range(count) for rows in groups])
