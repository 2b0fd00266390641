"""Growing a checkpoint is the same as growing what is in it: weights, moments, lanes, the rest."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from prism import Prism, PrismConfig, grow
from prism.engine.levers.progressive import Stage, grown_checkpoint
from prism.engine.loop.optimizer import Optimizers, Roles
from prism.engine.loop.stream_states import StreamStates
from prism.engine.settings import Settings
from prism.engine.store import checkpoint, folder
from prism.record import write_json
from tests.growth.pairs import pairs
from tests.model.families import perturbed, tokens_of

LANES = 3
few_draws = settings(max_examples=max(1, settings().max_examples // 3))  # files are slow


def trained(config: PrismConfig, s: Settings) -> tuple[Prism, Optimizers, StreamStates]:
    """A model after two steps, its optimizers and what its lanes carry."""
    model = perturbed(config).train()
    optimizers = Optimizers(model, Roles.of(model), s)
    states = StreamStates(range(LANES), LANES, carry=True)
    for seed in range(2):
        tokens = tokens_of(seed, LANES, 12)
        output = model(tokens, states.states[0], torch.zeros_like(tokens))
        states.keep(0, output.state)
        (output.logits.logsumexp(-1) - output.logits[..., seed]).mean().backward()
        optimizers.step()
        optimizers.zero_grad()
    return model, optimizers, states


def written(
    scratch: Path, s: Settings, model: Prism, optimizers: Optimizers, states: StreamStates
) -> Path:
    """A checkpoint of them."""
    temporary = folder.begin(scratch, 2)
    moments = {f"optimizer.{name}": x for name, x in optimizers.tensors().items()}
    tensors = checkpoint.persistent(model) | moments | states.tensors()
    checkpoint.write_tensors(temporary, tensors | {"hardness.mean": torch.arange(4.0)})
    values = {"settings": s.saved(), "config": model.config.to_dict(), "carries": True}
    values |= {"format": checkpoint.FORMAT, "step": 2, "norms": [1.0], "tokens": 7}
    write_json(temporary / checkpoint.RUN, values)
    write_json(temporary / "rank0000.json", {"lanes": {"lane0000": 5}})
    return folder.commit(temporary)


def plain(model: Prism, optimizers: Optimizers) -> torch.optim.Optimizer:
    """An optimizer of torch's that stands where ``optimizers`` stand."""
    optimizer = torch.optim.AdamW(model.parameters())
    named = dict(model.named_parameters())
    for key, value in optimizers.tensors().items():
        name, _, moment = key.rpartition(".")
        optimizer.state[named[name]][moment] = value
    return optimizer


@few_draws
@given(pairs(), st.sampled_from(("adamw", "muon")))
def test_growing_a_checkpoint_is_growing_what_is_in_it(pair, optimizer):
    old, new = pair
    s = Settings(dtype="fp64", optimizer=optimizer, global_batch_size=LANES, lr=1e-3)
    model, optimizers, states = trained(old, s)
    with tempfile.TemporaryDirectory() as scratch:
        start = written(Path(scratch), s, model, optimizers, states)
        target = Path(scratch) / "grown"
        grown_checkpoint(start, target, s, Stage("large", "tiny", (), new, 9))
        found = checkpoint.read_tensors(target)
        run = checkpoint.read_run(target)
        assert checkpoint.read_ranks(target) == [{"lanes": {"lane0000": 5}}]
    wanted = grow(model, new, plain(model, optimizers))
    lanes = StreamStates(range(LANES), LANES, carry=True)
    lanes.states = [wanted.state(states.states[0])]
    expected = checkpoint.persistent(wanted.model) | lanes.tensors()
    expected["hardness.mean"] = torch.arange(4.0)
    for name, parameter in wanted.model.named_parameters():
        moments = wanted.optimizer.state.get(parameter, {})
        for key in [k for k in found if k.rpartition(".")[0] == f"optimizer.{name}"]:
            nothing = torch.zeros_like(found[key])  # wholly new: as before its first step
            expected[key] = moments.get(key.rpartition(".")[2], nothing)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor.view(found[name].shape)), name
    have = {key.removeprefix("optimizer.").rpartition(".")[0] for key in found}
    assert have >= {name for name, _ in wanted.model.named_parameters()}
    assert PrismConfig.from_dict(run["config"]) == new
    assert (run["step"], run["tokens"], run["norms"]) == (2, 7, [])
