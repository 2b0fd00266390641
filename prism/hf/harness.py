"""lm-evaluation-harness: any model of this project as an ``lm_eval`` model, named ``prism``.

    import prism.hf.harness                       # registers it
    lm_eval.simple_evaluate(model="prism", model_args="checkpoint=runs/model", tasks=[...])

A text is read once whatever its length, a long one in pieces that carry the state: no window cuts
it. Scores are sums of natural logarithms.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from prism.loading import load_with_tokenizer
from prism.model.generation.decode import model_step
from prism.model.generation.sampling import Sampling
from prism.model.generation.text import stream_text

if find_spec("lm_eval") is None:
    raise ImportError("prism.hf.harness needs lm_eval: pip install 'prism-lm[eval]'")
from lm_eval.api.model import TemplateLM
from lm_eval.api.registry import register_model

PIECE = 2048  # tokens of one call


@register_model("prism")
class PrismLM(TemplateLM):
    """A model that scores and continues texts.

    Args:
        checkpoint: a run, one of its checkpoints, an export or a saved model.
        tokenizer: ``"bytes"`` or a tokenizer.json; None = the model's own.
        batch_size: texts read at once.
        device: of the model.

    Raises:
        ValueError: no whole model, or a vocabulary without an end token, which scores need before
            the first token of a text.
    """

    def __init__(
        self,
        checkpoint: str,
        tokenizer: str | None = None,
        batch_size: int | str = 16,
        device: str | None = None,
        **_: Any,
    ) -> None:
        super().__init__()
        model, self.spoken = load_with_tokenizer(checkpoint, tokenizer)
        self.model = model.to(device or "cpu")
        self.batch_size = 16 if batch_size in (None, "auto") else int(batch_size)
        if not self.spoken.end < model.config.vocab_size:
            raise ValueError(f"{checkpoint}: its vocabulary has no end token: must have one")

    @property
    def eot_token_id(self) -> int:
        """Id of the end token."""
        return self.spoken.end

    def tok_encode(self, string: str, *_: Any, **__: Any) -> list[int]:
        """Ids of a text."""
        return self.spoken.encode(string)

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], **_: Any
    ) -> list[tuple[float, bool]]:
        """Log-probability of each continuation after its context, and True where greedy decoding
        would say it."""
        found: list[tuple[float, bool]] = [(0.0, True)] * len(requests)
        lengths = [len(context) + len(rest) for _, context, rest in requests]
        order = sorted(range(len(requests)), key=lengths.__getitem__)
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            texts = [requests[i][1] + requests[i][2] for i in rows]
            for i, text, (scores, greedy) in zip(rows, texts, self.scored(texts), strict=True):
                new = len(text) - len(requests[i][2]) - 1  # no score for the first token
                found[i] = float(scores[new:].sum()), bool(greedy[new:].all())
        return found

    def loglikelihood_rolling(self, requests: Sequence[Any], **_: Any) -> list[float]:
        """Log-probability of each whole text, its first token after the end token."""
        texts = [[self.eot_token_id, *self.spoken.encode(r.args[0])] for r in requests]
        return [float(scores.sum()) for text in texts for scores, _ in self.scored([text])]

    def generate_until(self, requests: Sequence[Any], **_: Any) -> list[str]:
        """Continuation of each context, up to the first of its ``until`` texts."""
        return [self._continued(*request.args) for request in requests]

    def _continued(self, context: str, rules: dict[str, Any]) -> str:
        until = rules.get("until") or []
        stop = [until] if isinstance(until, str) else list(until)
        sampling = Sampling(
            rules.get("temperature", 1.0) if rules.get("do_sample") else 0.0,
            rules.get("top_k"),
            rules.get("top_p"),
        )
        count = rules.get("max_gen_toks", 256)
        step, seed = model_step(self.model), rules.get("seed", 0)
        pieces = stream_text(step, self.spoken, context, count, sampling, seed, stop)
        return "".join(text for text, _, _ in pieces)

    @torch.no_grad()
    def scored(self, texts: Sequence[list[int]]) -> list[tuple[Tensor, Tensor]]:
        """Log-probability of every token of each text but its first, ``[n - 1]`` fp64, and True
        where it is the likeliest."""
        longest = max(map(len, texts))
        device = self.model.embedding.weight.device
        tokens = torch.zeros(len(texts), longest, dtype=torch.int64)
        segments = torch.full_like(tokens, -1)
        for i, text in enumerate(texts):
            tokens[i, : len(text)] = torch.tensor(text)
            segments[i, : len(text)] = 0
        tokens, segments, state = tokens.to(device), segments.to(device), None
        scores, greedy = [], []
        for start in range(0, longest - 1, PIECE):
            end = min(start + PIECE, longest - 1)
            output = self.model(
                tokens[:, start:end], state=state, segment_ids=segments[:, start:end]
            )
            state, target = output.state, tokens[:, start + 1 : end + 1]
            chance = output.logits.double().log_softmax(dim=-1)
            scores.append(chance.gather(-1, target[..., None])[..., 0].cpu())
            greedy.append((chance.argmax(dim=-1) == target).cpu())
        all_scores, all_greedy = torch.cat(scores, dim=1), torch.cat(greedy, dim=1)
        counts = [len(text) - 1 for text in texts]
        return [(all_scores[i, :n], all_greedy[i, :n]) for i, n in enumerate(counts)]
