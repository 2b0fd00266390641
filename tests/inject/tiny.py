"""Small random models that read bytes, and a calibration that tells their sentences apart.

A random model knows no relation. But the state after a sentence depends on the sentence, so with a
threshold above everything in ``QUIET`` only a sentence that was bound can pass. That is all the
attachment needs to show what it promises.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prism import Prism, PrismConfig
from prism.data.tokens import ByteTokenizer
from prism.inject import AttachedLM, attach
from prism.inject.addresses import AnswerAccumulator
from prism.inject.calibration import Calibration
from prism.inject.reading import heads_of, watch
from prism.inject.relation_space import Prototypes, Whitening, score
from prism.pretrained.llama import Llama, LlamaConfig

WORDING = "The capital of {} is"
QUIET = (
    "It rained all day and the river rose slowly. Nobody went out, and the shop stayed closed.",
    "A letter came from Freedonia this morning, and another one from the old harbour of Elbonia.",
)


def llama(seed: int = 0, **sizes: int) -> Llama:
    """Two blocks, two heads; weights large enough that states differ."""
    torch.manual_seed(seed)
    sizes = {"d_model": 32, "num_layers": 2, "num_heads": 2, "num_kv_heads": 1} | sizes
    model = Llama(LlamaConfig(vocab_size=256, hidden=64, **sizes))
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=1.5 * parameter.shape[1] ** -0.5)
    return model.eval()


def prism(seed: int = 0) -> Prism:
    """This project's own model, moved away from its start."""
    model = Prism(PrismConfig(vocab_size=256, d_model=32, num_layers=2, seed=seed)).eval()
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


class Strict(Calibration):
    """A threshold that none of the known text reaches."""

    def threshold(self, bound: Prototypes, competitors: Tensor) -> float:
        return float(score(self.text, bound, competitors).max()) + 1e-4


def calibration(model: nn.Module) -> Calibration:
    """States as they are, no competitors, a threshold above all of ``QUIET``."""
    rows = [watch(model, torch.tensor([ByteTokenizer().encode(t)]), [1])[0][1][0] for t in QUIET]
    states = torch.cat(rows).float()
    space = Whitening(states.mean(dim=0)[None], torch.eye(states.shape[1])[None])
    return Strict(
        layers=[1],
        space=space,
        competitors=states[:0],
        text=space(states[:, None]),
        named=states[:0],
        named_relation=torch.zeros(0, dtype=torch.long),
        floor=-1.0,
        spoken=1.0,
        heads=heads_of(model)[-1:],
        share=0.0,
    )


def attached(model: nn.Module) -> AttachedLM:
    """A model with an empty tape and the one relation "capital"."""
    lm = attach(model, ByteTokenizer(), AnswerAccumulator(dim=4096, vocab_size=256))
    lm.knowledge.calibration = calibration(model)
    lm.relation("capital", [WORDING])
    return lm
