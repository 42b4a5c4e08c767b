import math
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from lp_core.compute_spec import ComputeSpec
from lp_core.data.epoch import Batch
from lp_core.data.memory import MemoryLoader
from lp_core.seeds import noise_seed
from lp_core.training.curve import Epoch
from lp_core.training.schedules import Schedule, learning_rate
from tests.lp_core.strategies import bits, state
from tests.lp_core.tiny import TinyRun, plain_network, without_time

COMPUTE = {
    f"{precision}-{'channels_last' if last else 'contiguous'}": ComputeSpec(
        "cpu", precision, last, 1
    )
    for precision in ("fp32", "bf16")
    for last in (True, False)
}


def _outside_the_mask(run: TinyRun) -> torch.Tensor:
    parameters = dict(run.model.named_parameters())
    return torch.cat([parameters[name].detach()[~mask] for name, mask in run.mask.items()])


@pytest.mark.parametrize("compute", COMPUTE.values(), ids=COMPUTE)
def test_masked_weights_are_zero_in_every_step(compute):
    run = TinyRun(compute=compute)
    counts = []

    def look(*_: object) -> None:
        counts.append(int(_outside_the_mask(run).count_nonzero()))

    run.model.register_forward_pre_hook(look)
    run.train()
    look()
    assert len(counts) == 3 * (3 + 1) + 1  # three batches and a validation in each epoch
    assert set(counts) == {0}
    inside = torch.cat([p[run.mask[n]] for n, p in run.model.named_parameters() if n in run.mask])
    assert inside.count_nonzero() == len(inside)


@pytest.mark.parametrize("compute", COMPUTE.values(), ids=COMPUTE)
def test_the_same_seeds_give_the_same_bytes(compute):
    first = TinyRun(compute=compute)
    curve = first.train()
    torch.manual_seed(12345)  # the global generator has no say
    second = first.again()
    assert without_time(second.train()) == without_time(curve)
    assert state(second.ticket()) == state(first.ticket())


def test_another_noise_seed_gives_another_ticket_from_the_same_weights():
    one, other = TinyRun(noise=0), TinyRun(noise=1)
    assert bits(one.model.state_dict()) == bits(other.model.state_dict())
    one.train(), other.train()
    assert bits(one.model.state_dict()) != bits(other.model.state_dict())


def test_every_epoch_has_its_own_seed(monkeypatch):
    asked = []
    original = MemoryLoader.epoch

    def epoch(self: MemoryLoader, seed: int) -> Iterator[Batch]:
        asked.append(seed)
        return original(self, seed)

    monkeypatch.setattr(MemoryLoader, "epoch", epoch)
    TinyRun(noise=5).train()
    # Between them, the held-out images are read.
    assert [seed for seed in asked if seed] == [noise_seed(5, 1, epoch) for epoch in range(3)]
    assert len({noise_seed(5, ticket, e) for ticket in (None, 0, 1) for e in range(3)}) == 9


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    run = TinyRun()
    run.train()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_run_learns_and_its_curve_tells():
    told: list[Epoch] = []
    run = TinyRun(epochs=8, lr=0.05, density=1.0, on_epoch=told.append)
    curve = run.train()
    assert told == curve
    assert [epoch.epoch for epoch in curve] == list(range(8))
    assert curve[-1].loss < curve[0].loss
    assert curve[-1].val_accuracy > 0.6
    assert all(epoch.seconds > 0 for epoch in curve)
    # The rate of an epoch's last step: step 2 of 3, after a warm-up of half an epoch.
    assert [epoch.lr for epoch in curve] == pytest.approx([0.05] * 7 + [0.005])


def test_one_step_is_sgd_with_momentum_and_weight_decay_on_what_the_mask_keeps():
    """Recomputed from the definition, for one epoch of three steps."""
    run = TinyRun(network=plain_network, epochs=1)
    batches: list[torch.Tensor] = []
    run.model.register_forward_pre_hook(
        lambda module, inputs: batches.append(inputs[0]) if module.training else None
    )
    labels: list[torch.Tensor] = []
    entropy = nn.functional.cross_entropy

    def noted(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        labels.append(y)
        return entropy(x, y)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.functional, "cross_entropy", noted)
        run.train()
    by_hand = run.again()
    weights = dict(by_hand.model.named_parameters())
    velocity = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    masks = {name: run.mask.get(name, torch.ones_like(w)) for name, w in weights.items()}
    for weight, mask in zip(weights.values(), masks.values(), strict=True):
        weight.data *= mask
    schedule = Schedule(lr=0.1, kind="step", drops=[1], warmup=0.5)
    for step, (images, truth) in enumerate(zip(batches, labels, strict=False)):
        gradients = torch.autograd.grad(
            entropy(by_hand.model(images), truth), list(weights.values())
        )
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
            velocity[name] = 0.9 * velocity[name] + gradient + 5e-4 * weight.data
            weight.data -= learning_rate(schedule, step / 3, 1) * velocity[name]
            weight.data *= masks[name]
    assert len(batches) == 3
    for name, trained in run.model.named_parameters():
        torch.testing.assert_close(trained.data, weights[name].data, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("lr", [1e4, 1e30])
@pytest.mark.parametrize("compute", COMPUTE.values(), ids=COMPUTE)
def test_a_run_that_diverges_is_a_result(lr, compute, tmp_path):
    told: list[Epoch] = []
    run = TinyRun(network=plain_network, lr=lr, epochs=40, compute=compute)
    run.on_epoch, run.state = told.append, tmp_path / "state"
    curve = run.train()
    assert told == curve
    assert 1 <= len(curve) < 40
    assert not math.isfinite(curve[-1].loss)
    assert all(math.isfinite(epoch.loss) for epoch in curve[:-1])
    ticket = run.ticket()
    assert ticket.density == pytest.approx(0.5, abs=0.01)
    assert not _outside_the_mask(run).any()
    ticket.save(tmp_path / "ticket")
    assert state(type(ticket).load(tmp_path / "ticket")) == state(ticket)
    # Started again, it does not train on.
    resumed = run.again()
    assert len(resumed.train()) == len(curve)


def test_a_dense_run_needs_no_mask():
    run = TinyRun(density=1.0)
    run.train()
    free = run.again()
    free.mask = {}
    free.train()
    assert bits(free.model.state_dict()) == bits(run.model.state_dict())
