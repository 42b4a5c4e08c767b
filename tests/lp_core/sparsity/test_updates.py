"""Dynamic sparse training: the density is what it should be at every step, dense gradients are
asked for on update steps alone, and a run may be cut anywhere."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lp_core.analysis.masks import compare_masks
from lp_core.sparsity.dynamic import DynamicMethod
from lp_core.sparsity.method import SparseMethod
from lp_core.sparsity.updates import Updates
from lp_core.training.hooks import Hook, Progress
from tests.lp_core.sparse import DYNAMIC, EPOCHS, SETTINGS, STEPS, hook, method, sparse_run
from tests.lp_core.strategies import bits
from tests.lp_core.tiny import TinyRun, without_time
from tests.lp_core.training.toy_hooks import RunningAverage


class Watch(Hook):
    """At each step: how many weights are kept, in which masks, and whether gradients were dense."""

    def __init__(self) -> None:
        self.kept: list[int] = []
        self.masks: list[dict[str, Tensor]] = []
        self.dense: list[int] = []

    def after_step(self, progress: Progress) -> None:
        masks = {name: mask.clone() for name, mask in progress.masks.items()}
        kept = {name: int(mask.sum()) for name, mask in masks.items()}
        assert kept == progress.masks.kept
        for name, mask in masks.items():
            parameter = progress.model.get_parameter(name)
            assert not parameter[~mask].any()
            assert not progress.optimizer.momenta[parameter][~mask].any()
        self.kept.append(sum(kept.values()))
        self.masks.append(masks)
        if progress.dense_steps > len(self.dense):
            self.dense.append(progress.step)


def watched(sparse: SparseMethod, **changes: Any) -> tuple[TinyRun, Watch]:
    run = sparse_run(sparse, others=lambda: [Watch()], **changes)
    run.train()
    watch = hook(run, "Watch")
    assert isinstance(watch, Watch)
    return run, watch


def weights_of(run: TinyRun) -> int:
    return sum(mask.numel() for mask in run.mask.values())


def cubic(step: int, interval: int, until: int, first: float, last: float) -> float:
    """GraNet's density from its own formula, update by update: the first has not come before step
    `interval`, the last is the last one before epoch `until`."""
    updates = [s for s in range(1, until * STEPS) if s % interval == 0]
    done = sum(s <= step for s in updates)
    return last - (last - first) * (1 - done / len(updates)) ** 3


@settings(deadline=None, max_examples=12)
@given(
    name=st.sampled_from(sorted(SETTINGS)),
    density=st.sampled_from([0.05, 0.1, 0.37]),
    interval=st.integers(1, 5),
    prune_rate=st.sampled_from([0.1, 0.5, 0.9]),
    decay=st.sampled_from(["cosine", "constant"]),
    until=st.integers(2, 4),
    last_update=st.none() | st.integers(4, 6),
)
def test_the_density_is_exact_at_every_step_of_every_method(
    name, density, interval, prune_rate, decay, until, last_update
):
    changes = {}
    if name != "dense":
        changes["density"] = density
    if name in DYNAMIC:
        changes |= {"interval": interval, "prune_rate": prune_rate, "decay": decay}
        changes["last_update"] = last_update
    if name == "granet":
        changes["until"] = until
    run, watch = watched(method(name, **changes))
    share = 1.0 if name == "dense" else density
    expected = [share] * (EPOCHS * STEPS)
    if name == "granet":
        expected = [cubic(step, interval, until, 0.5, density) for step in range(EPOCHS * STEPS)]
        assert set(expected[until * STEPS :]) == {density}
    assert watch.kept == [round(share * weights_of(run)) for share in expected]
    # It is asked for where the mask is updated by gradient, and nowhere else.
    end = EPOCHS * STEPS if last_update is None else last_update * STEPS
    updates = [step for step in range(1, end) if step % interval == 0]
    assert watch.dense == (updates if name in ("rigl", "granet") else [])


@pytest.mark.parametrize("name", DYNAMIC)
def test_masks_change_at_updates_and_at_no_other_step(name):
    _, watch = watched(method(name, interval=4, last_update=5))
    changed = [
        step
        for step in range(1, EPOCHS * STEPS)
        if bits(watch.masks[step]) != bits(watch.masks[step - 1])
    ]
    assert changed == [4, 8, 12]  # 16 is in epoch 5


@pytest.mark.parametrize("name", ["set", "rigl"])
def test_layers_keep_their_numbers_and_exchange_no_more_than_the_prune_rate(name):
    _, watch = watched(method(name, interval=3, prune_rate=0.4, decay="constant"))
    for before, after in zip(watch.masks, watch.masks[1:], strict=False):
        for layer, mask in before.items():
            kept, gone = int(mask.sum()), int((mask & ~after[layer]).sum())
            assert int(after[layer].sum()) == kept
            assert gone <= round(0.4 * kept)


def test_the_prune_rate_falls_along_a_cosine_over_the_whole_training():
    rigl, constant = method("rigl", prune_rate=0.5), method("rigl", decay="constant")
    assert isinstance(rigl, DynamicMethod)
    assert isinstance(constant, DynamicMethod)
    rates = [rigl.prune_rate_at(step, 100) for step in range(101)]
    # PyTorch's own annealing, which the authors' code steps along.
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.5)
    annealing = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 100, eta_min=0.005)
    for step in range(101):
        assert rates[step] == pytest.approx(annealing.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        annealing.step()
    assert math.isclose(rates[100], 0.005)
    assert constant.prune_rate_at(99, 100) == 0.5


class Momentum(Hook):
    """That of every weight that came or went is zero when the optimiser's step begins."""

    def __init__(self) -> None:
        self.came = self.stayed = 0

    def before_step(self, progress: Progress) -> None:
        self.before = {name: mask.clone() for name, mask in progress.masks.items()}

    def after_backward(self, progress: Progress) -> None:
        for name, mask in progress.masks.items():
            parameter = progress.model.get_parameter(name)
            momentum = progress.optimizer.momenta.get(parameter)
            if momentum is None:
                continue
            came, stayed = mask & ~self.before[name], mask & self.before[name]
            assert not momentum[~stayed].any()
            assert not parameter[came].any()
            self.came += int(came.sum())
            self.stayed += int(momentum[stayed].count_nonzero())


@pytest.mark.parametrize("name", DYNAMIC)
def test_a_weight_that_comes_starts_from_zero_with_zero_momentum(name):
    run = sparse_run(method(name), others=lambda: [Momentum()])
    run.train()
    momentum = hook(run, "Momentum")
    assert isinstance(momentum, Momentum)
    assert momentum.came > 100
    assert momentum.stayed > momentum.came


@pytest.mark.parametrize("name", ["uniform", "erk", "snip", "dense"])
def test_a_static_mask_stays(name):
    run, watch = watched(method(name))
    assert all(bits(masks) == bits(watch.masks[0]) for masks in watch.masks)
    assert not any(isinstance(hook, Updates) for hook in run.trainer.hooks)
    assert run.trainer.progress.dense_steps == 0


def test_set_grows_elsewhere_for_another_seed():
    runs = [sparse_run(method("set")) for _ in range(2)]
    updates = method("set").updates(EPOCHS * STEPS, STEPS, seed=1)
    assert updates is not None
    runs[1].hooks = lambda: [updates]
    for run in runs:
        run.train()
    first, second = (dict(run.trainer.progress.masks) for run in runs)
    assert any(change.moved for change in compare_masks(first, second))


def result(run: TinyRun) -> list[object]:
    progress = run.trainer.progress
    momenta = {
        name: progress.optimizer.momenta[parameter]
        for name, parameter in progress.model.named_parameters()
    }
    states = [hook.state_dict() for hook in run.trainer.hooks if not isinstance(hook, Watch)]
    return [
        without_time(progress.curve),
        *map(bits, (run.model.state_dict(), dict(progress.masks), momenta)),
        states,
    ]


@pytest.mark.parametrize("cut", [1, 4])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_prefix_and_its_plain_ending_are_one_uninterrupted_run_bit_for_bit(name, cut, tmp_path):
    whole = sparse_run(method(name, **({"interval": 4} if name in DYNAMIC else {})))
    whole.train()
    prefix = whole.again(stop=cut)
    prefix.train()
    prefix.trainer.save(tmp_path / "prefix")
    ending = whole.again(start=tmp_path / "prefix")
    ending.train()
    assert result(ending) == result(whole)


def test_a_run_that_diverges_keeps_its_density():
    run = sparse_run(method("rigl"), others=lambda: [RunningAverage()])
    run.rate = lambda _: 1e30
    curve = run.train()
    assert not math.isfinite(curve[-1].loss)
    kept = run.trainer.progress.masks.kept
    assert sum(kept.values()) == round(0.1 * weights_of(run))
    for name, mask in run.trainer.progress.masks.items():
        assert not run.model.get_parameter(name)[~mask].any()
