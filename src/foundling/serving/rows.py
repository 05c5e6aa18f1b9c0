"""The streams that are being generated: each step computes one more token for each of them.

Shapes: B streams, T time, V vocabulary.
"""

import torch
from torch import Tensor

from foundling.generation.sampling import sample
from foundling.model.interface import LanguageModel
from foundling.serving.stream import Stream, Token


class Row:
    """The state of one stream: the ids that the model sees, their cache, and the random generator."""

    def __init__(self, stream: Stream, model: LanguageModel, device: torch.device) -> None:
        self.stream = stream
        self.window = list(stream.request.prompt[-model.config.context :])
        self.new = self.window  # the ids that are not in the cache
        self.cache = model.new_cache()
        self.generator = torch.Generator(device).manual_seed(stream.request.seed)
        self.written = 0  # tokens of the answer so far

    def choose(self, logits: Tensor) -> Token:
        """Sample the next token from logits (1, V), and append it to the window."""
        request = self.stream.request
        token = int(sample(logits, request.sampling, self.generator))
        self.new = [token]
        self.window.append(token)
        if request.top_logprobs is None:
            return Token(token)
        logprobs = logits[0].float().log_softmax(-1)  # (V,)
        values, ids = logprobs.topk(min(request.top_logprobs, len(logprobs)))
        top = tuple(zip(ids.tolist(), values.tolist(), strict=True))
        return Token(token, float(logprobs[token]), top)


class Rows:
    """All rows; generates as `generation.decode.generate` does."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.device = next(model.parameters()).device
        self.active: list[Row] = []
        self.prompt_computed = self.prompt_reused = 0

    def join(self, stream: Stream) -> None:
        """Add a stream, which gets its first token in the next steps."""
        self.active.append(Row(stream, self.model, self.device))

    def leave(self, row: Row) -> None:
        """Remove a row, whose answer has ended."""
        self.active.remove(row)

    @torch.inference_mode()
    def step(self) -> list[tuple[Row, Token]]:
        """The next token of each row."""
        return [(row, self._next(row)) for row in self.active]

    def _next(self, row: Row) -> Token:
        context = self.model.config.context
        if row.new is row.window:
            self.prompt_computed += len(row.window)
        if len(row.window) > context:
            row.window = row.window[-max(1, context // 2) :]
            row.new, row.cache = row.window, self.model.new_cache()
        ids = row.window if row.cache is None else row.new
        hidden = self.model.hidden(torch.tensor([ids], device=self.device), row.cache)  # (1, T, C)
        return row.choose(self.model.head(hidden[:, -1]))
