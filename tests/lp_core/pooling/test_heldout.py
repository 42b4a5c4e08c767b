import math
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.models.factory import build
from lp_core.models.structure import prunable
from lp_core.pooling.batch_norm import re_estimate
from lp_core.pooling.coefficients import exhaustive, successive_halving
from lp_core.pooling.greedy import search
from lp_core.pooling.heldout import HeldOut
from lp_core.pooling.interpolation import interpolate
from lp_core.sparsity.magnitude import magnitude_mask
from lp_core.tickets import Ticket
from tests.lp_core.strategies import bits, state


def _images(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, 8, 8, generator=generator) * 2 + 1


def _labels(count: int, seed: int) -> Tensor:
    return torch.randint(0, 4, (count,), generator=torch.Generator().manual_seed(seed))


def _compute(channels_last: bool = True, precision: Literal["bf16", "fp32"] = "fp32") -> Compute:
    spec = ComputeSpec(device="cpu", precision=precision, channels_last=channels_last, threads=1)
    return Compute(spec)


def _ticket(seed: int) -> Ticket:
    """Half of a ResNet-8's convolution weights, with statistics that are not the initial ones."""
    model = build("resnet8", 4, 3, 8, seed=seed)
    model.train()
    model(_images(16, seed))
    weights = {n: model.get_parameter(n) for n in prunable(model)}
    mask = magnitude_mask(weights, sum(w.numel() for w in weights.values()) // 2)
    ticket = Ticket.of(model, mask, {"ticket": seed})
    ticket.weights |= {n: ticket.weights[n] * m for n, m in mask.items()}
    return ticket


SLICES = [
    [(_images(10, 1), _labels(10, 1))],
    [(_images(9, 2), _labels(9, 2)), (_images(2, 3), _labels(2, 3))],
]


@pytest.fixture(scope="module")
def held_out() -> HeldOut:
    model = build("resnet8", 4, 3, 8, seed=9)
    return HeldOut(model, SLICES, [_images(16, 4), _images(8, 5)], _compute())


@pytest.fixture(scope="module")
def mixed() -> Ticket:
    a = _ticket(0)
    return interpolate(a, _ticket(1), 0.5, a.kept)


def test_the_score_is_the_fraction_that_the_network_gets_right(held_out):
    ticket = _ticket(0)
    model = build("resnet8", 4, 3, 8, seed=5).eval()
    ticket.load_into(model)
    correct, losses = [], []
    for piece in SLICES:
        correct.append(0)
        losses.append(0.0)
        for images, labels in piece:
            for logits, label in zip(model(images).tolist(), labels.tolist(), strict=True):
                correct[-1] += max(range(4), key=logits.__getitem__) == label
                losses[-1] += math.log(sum(map(math.exp, logits))) - logits[label]
    as_trained = HeldOut(held_out.model, SLICES, [], _compute())
    assert as_trained(ticket) == sum(correct) / 21
    judged = [held_out.correct_and_loss(ticket, piece) for piece in range(2)]
    assert [count for count, _ in judged] == correct
    assert [loss for _, loss in judged] == pytest.approx(losses, rel=1e-4)
    assert [len(piece) for piece in held_out.slices] == [10, 11]


@pytest.mark.parametrize("sizes", [[24], [8, 8, 8], [20, 4]])
def test_re_estimated_statistics_are_those_of_the_activations(sizes):
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 4),
    )
    mask = {"0.weight": torch.ones(4, 3, 3, 3, dtype=torch.bool)}
    ticket = Ticket.of(model, mask, {"batch_norm": "averaged"})
    calibration = _images(24, 0).split(sizes)
    one = HeldOut(model, SLICES, calibration, _compute()).calibrate(ticket)
    weight, bias = ticket.weights["0.weight"].double(), ticket.weights["0.bias"].double()
    activations = [nn.functional.conv2d(images.double(), weight, bias) for images in calibration]
    mean = torch.cat(activations).mean((0, 2, 3))
    # Every image counts alike, in however small a batch it comes.
    variance = sum(len(a) / 24 * a.transpose(0, 1).flatten(1).var(1) for a in activations)
    torch.testing.assert_close(one.buffers["1.running_mean"].double(), mean, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        one.buffers["1.running_var"].double(), variance, atol=1e-5, rtol=1e-5
    )
    assert one.meta["batch_norm"] == "re-estimated"


def test_calibration_is_deterministic_whatever_was_scored_before(held_out, mixed):
    first = held_out.calibrate(mixed)
    held_out(_ticket(3))
    held_out.calibrate(interpolate(mixed, _ticket(2), 0.3, 50))
    assert state(held_out.calibrate(mixed)) == state(first)
    fresh = HeldOut(build("resnet8", 4, 3, 8, seed=1), SLICES, held_out.calibration, _compute())
    assert state(fresh.calibrate(mixed)) == state(first)


def test_calibration_changes_the_statistics_alone(held_out, mixed):
    before = state(mixed)
    calibrated = held_out.calibrate(mixed)
    assert bits(calibrated.weights) == bits(mixed.weights)
    assert bits(calibrated.mask) == bits(mixed.mask)
    assert bits(calibrated.buffers) != bits(mixed.buffers)
    assert state(mixed) == before
    assert held_out.calibrate(calibrated) is calibrated


def _predicted(ticket: Ticket) -> list[Tensor]:
    """The classes that the ticket gives the images of each slice, with its own statistics."""
    model = build("resnet8", 4, 3, 8, seed=5).eval()
    ticket.load_into(model)
    with torch.no_grad():
        return [torch.cat([model(images) for images, _ in piece]).argmax(1) for piece in SLICES]


def _labelled(labels: list[Tensor], held_out: HeldOut) -> HeldOut:
    """The same images with other labels."""
    sizes = [[len(truth) for _, truth in piece] for piece in SLICES]
    cut = [of_piece.split(size) for of_piece, size in zip(labels, sizes, strict=True)]
    slices = [
        [(images, truth) for (images, _), truth in zip(piece, labels, strict=True)]
        for piece, labels in zip(SLICES, cut, strict=True)
    ]
    return HeldOut(held_out.model, slices, held_out.calibration, _compute())


def test_a_trained_ticket_is_judged_with_the_better_of_its_own_and_re_estimated_statistics(
    held_out,
):
    ticket = _ticket(0)
    anew = re_estimate(ticket, held_out.model, held_out.calibration, _compute())
    own, other = _predicted(ticket), _predicted(anew)
    alike = sum(int((a == b).sum()) for a, b in zip(own, other, strict=True)) / 21
    assert alike < 1
    kept, taken = _labelled(own, held_out), _labelled(other, held_out)
    assert kept(ticket) == taken(ticket) == 1
    assert kept.calibrate(ticket) is ticket
    assert state(taken.calibrate(ticket)) == state(anew)
    assert anew.meta["batch_norm"] == "re-estimated"
    assert kept(anew) == alike  # one that was re-estimated is judged as it is
    # Where both get as many right, it keeps its own.
    neither = [
        torch.tensor([({0, 1, 2} - {x, y}).pop() for x, y in zip(*both, strict=True)])
        for both in zip((p.tolist() for p in own), (p.tolist() for p in other), strict=True)
    ]
    tied = _labelled(neither, held_out)
    assert tied(ticket) == 0
    assert tied.calibrate(ticket) is ticket


def test_an_interpolation_is_not_accepted_for_its_statistics_alone(held_out):
    """A sibling with the target's own weights has nothing to add."""
    target = _ticket(0)
    anew = re_estimate(target, held_out.model, held_out.calibration, _compute())
    score = _labelled(_predicted(anew), held_out)
    [step] = search(target, [_ticket(0)], [0.5], score).trace
    assert step.val_accuracy == score(target) == 1


def test_without_calibration_images_the_averaged_statistics_stay(mixed):
    scorer = HeldOut(build("resnet8", 4, 3, 8, seed=9), SLICES, [], _compute())
    assert scorer.calibrate(mixed) is mixed


@pytest.mark.parametrize("channels_last", [True, False])
def test_scoring_leaves_the_ticket_and_the_network_alone(channels_last, mixed):
    model = build("resnet8", 4, 3, 8, seed=9)
    own = bits(dict(model.named_parameters()))
    momenta = [m.momentum for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    compute = _compute(channels_last)
    scorer = HeldOut(model, SLICES, [_images(16, 4)], compute)
    ticket = mixed.to(compute.device, compute.layout)
    before = state(ticket)
    scorer(ticket)
    assert bits(dict(model.named_parameters())) == own
    assert [m.momentum for m in model.modules() if isinstance(m, nn.BatchNorm2d)] == momenta
    _ticket(2).load_into(model)  # whoever owns the network uses it for something else
    assert state(ticket) == before


def test_only_the_images_given_are_looked_at(mixed):
    """So what selects can touch the test split only if somebody hands it over."""
    seen = set()
    model = build("resnet8", 4, 3, 8, seed=9)
    model.register_forward_pre_hook(lambda _, inputs: seen.add(inputs[0].data_ptr()))
    calibration = [_images(16, 4)]
    scorer = HeldOut(model, SLICES, calibration, _compute())
    scorer.calibrate(mixed)
    assert seen == {images.data_ptr() for images in calibration}
    scorer(mixed)
    assert seen == {t.data_ptr() for t in (*calibration, *(i for s in SLICES for i, _ in s))}


def test_labels_decide_on_right_and_wrong_but_not_on_statistics(held_out, mixed):
    shifted = [[(images, (labels + 1) % 4) for images, labels in piece] for piece in SLICES]
    other = HeldOut(held_out.model, shifted, held_out.calibration, _compute())
    assert state(other.calibrate(mixed)) == state(held_out.calibrate(mixed))


def test_a_diverged_ticket_gets_nothing_right(held_out):
    ticket = _ticket(0)
    ticket.weights["head.2.weight"] = torch.full((4, 64), float("nan"))
    assert held_out(ticket) == 0
    # …so that a diverged sibling is never taken in, not even by a target that stayed at chance.
    assert search(_ticket(1), [ticket], [0.3, 0.7], held_out).members == [1]


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 20), choose=st.sampled_from([exhaustive, successive_halving]))
def test_a_search_tells_the_accuracy_that_its_ticket_then_has(held_out, seed, choose):
    target, *siblings = (_ticket(seed + i) for i in range(3))
    before = [state(t) for t in (target, *siblings)]
    result = search(target, siblings, [0.1, 0.5, 0.9], held_out, best_coefficient=choose)
    accuracies = [held_out(target), *(s.val_accuracy for s in result.trace if s.accepted)]
    assert held_out(result.ticket) == accuracies[-1]
    assert result.ticket.kept == target.kept
    assert [state(t) for t in (target, *siblings)] == before


def test_over_one_slice_halving_and_the_exact_search_agree():
    whole = [[batch for piece in SLICES for batch in piece]]
    scorer = HeldOut(build("resnet8", 4, 3, 8, seed=9), whole, [_images(16, 4)], _compute())
    results = [
        search(_ticket(0), [_ticket(1)], [0.9, 0.5, 0.1], scorer, best_coefficient=choose)
        for choose in (exhaustive, successive_halving)
    ]
    assert results[0].trace == results[1].trace
    assert state(results[0].ticket) == state(results[1].ticket)


def test_in_bf16_two_classes_that_differ_by_little_are_told_apart():
    """In bfloat16 the two would tie, and every image would count as of the first."""
    ticket = _ticket(0)
    last = list(ticket.weights)[-2:]
    assert [ticket.weights[name].shape[0] for name in last] == [4, 4]
    for name in last:
        ticket.weights[name][0] = ticket.weights[name][1] * (1 + 2**-12)
        ticket.weights[name][2:] = 0
    ticket.weights[last[1]][:2] = torch.tensor([9.0, 9.0 + 2**-10])
    images, model = _images(40, 3), build("resnet8", 4, 3, 8, seed=0)
    ticket.load_into(model)
    with torch.no_grad():
        labels = model.eval()(images).argmax(1)
    assert labels.bincount(minlength=4)[1] > 10
    held_out = HeldOut(model, [[(images, labels)]], [], _compute(precision="bf16"))
    correct, _ = held_out.correct_and_loss(ticket, 0)
    assert correct >= 38
