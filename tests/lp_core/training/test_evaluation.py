import contextlib
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lp_core.analysis.calibration import expected_calibration_error
from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.models.factory import build
from lp_core.training.evaluation import (
    above_chance,
    evaluate,
    float32_logits,
    is_correct,
    predict,
    scores,
)


@st.composite
def predictions(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, classes = draw(st.integers(1, 30)), draw(st.integers(2, 6))
    logits = random.standard_normal((count, classes)) * draw(st.sampled_from([0.1, 1, 10]))
    return torch.tensor(logits).float(), torch.tensor(random.integers(0, classes, count))


@settings(deadline=None, max_examples=60)
@given(predicted=predictions())
def test_scores_are_what_their_definitions_say(predicted):
    logits, labels = predicted
    found = scores(logits, labels)
    rows, truth = logits.double().numpy(), labels.numpy()
    assert found.accuracy == pytest.approx((rows.argmax(1) == truth).mean())
    probs = np.exp(rows) / np.exp(rows).sum(1, keepdims=True)
    assert found.nll == pytest.approx(-np.log(probs[np.arange(len(truth)), truth]).mean(), abs=1e-5)
    assert found.ece == pytest.approx(expected_calibration_error(probs, truth), abs=1e-4)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_prediction_that_is_no_number_is_wrong_and_no_error(value):
    logits = torch.tensor([[3.0, 1.0], [float(value), 1.0]])
    labels = torch.tensor([0, 0])
    assert is_correct(logits, labels).tolist() == [True, False]
    found = scores(logits, labels)
    assert found.accuracy == 0.5
    assert math.isnan(found.ece) == (value != "-inf")  # which is a probability of 0
    diverged = scores(torch.full((4, 3), float(value)), torch.zeros(4, dtype=torch.long))
    assert diverged.accuracy == 0
    assert math.isnan(diverged.nll)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_network_is_evaluated_in_evaluation_mode_batch_by_batch(precision):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.9), nn.Flatten(), nn.Linear(16, 3)
    )
    images, labels = torch.randn(20, 3, 4, 4), torch.randint(0, 3, (20,))
    compute = Compute(ComputeSpec("cpu", precision, channels_last=False, threads=1))
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model.train()
    whole = evaluate(model, [(images, labels)], compute)
    parts = evaluate(model, zip(images.split(7), labels.split(7), strict=True), compute)
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())
    assert whole == evaluate(model, [(images, labels)], compute)
    assert parts.accuracy == whole.accuracy
    assert parts.nll == pytest.approx(whole.nll, rel=1e-2 if precision == "bf16" else 1e-5)


def test_chance_is_the_most_frequent_class_and_three_standard_errors():
    labels = torch.tensor([0] * 60 + [1] * 40)
    assert not above_chance(0.6, labels)
    assert not above_chance(0.74, labels)  # 0.6 + 3 · √(0.24/100) = 0.747
    assert above_chance(0.75, labels)
    assert above_chance(0.31, torch.arange(10).repeat(100))
    assert not above_chance(0.12, torch.arange(10).repeat(100))
    assert not above_chance(0.0, labels)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), classes=st.integers(2, 10))
def test_guessing_is_hardly_ever_above_chance(seed, classes):
    random = np.random.default_rng(seed)
    labels = np.arange(1000) % classes
    guesses = [(random.integers(0, classes, 1000) == labels).mean() for _ in range(20)]
    assert sum(above_chance(guess, torch.tensor(labels)) for guess in guesses) <= 1


KEYS = ("weight", "bias")


def _near_classes() -> nn.Sequential:
    """Ends in a layer whose classes 0 and 1 differ by less than bfloat16 can tell."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    head = model[-1]
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.weight[1] = head.weight[0] * (1 + 2**-12)
        head.bias.copy_(torch.tensor([1.0, 1.0, -9.0]))
    return model


def _batches(count: int = 40) -> list[tuple[torch.Tensor, torch.Tensor]]:
    images = torch.randn(count, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    return [(part, torch.zeros(len(part), dtype=torch.long)) for part in images.split(16)]


def test_in_bf16_the_logits_of_two_nearby_classes_do_not_tie():
    model, compute = _near_classes(), Compute(ComputeSpec("cpu", "bf16", threads=1))
    with torch.no_grad(), compute.autocast():
        rounded = torch.cat([model(images) for images, _ in _batches()])
    assert (rounded[:, 0] == rounded[:, 1]).float().mean() > 0.5
    logits, _ = predict(model, _batches(), compute)
    assert logits.dtype == torch.float32
    assert (logits[:, 0] != logits[:, 1]).all()
    torch.testing.assert_close(logits, rounded.float(), atol=0.05, rtol=0.02)


def test_in_fp32_the_logits_are_those_of_the_network_to_the_bit():
    model, compute = _near_classes(), Compute(ComputeSpec("cpu", "fp32", threads=1))
    with torch.no_grad():
        expected = torch.cat([model(images) for images, _ in _batches()])
    assert torch.equal(predict(model, _batches(), compute)[0], expected)


@pytest.mark.parametrize("error", [None, RuntimeError])
def test_the_network_is_as_it_was_when_float32_logits_are_over(error):
    model, compute = _near_classes(), Compute(ComputeSpec("cpu", "bf16", threads=1))
    (images, _), *_ = _batches()
    with torch.no_grad(), compute.autocast():
        before = model(images)
        with contextlib.suppress(RuntimeError), float32_logits(model), float32_logits(model):
            assert model(images).dtype == torch.float32
            if error:
                raise error
        after = model(images)
    assert after.dtype == torch.bfloat16
    assert torch.equal(before, after)
    assert "forward" not in vars(model[-1])


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Conv2d(3, 3, 6), nn.Flatten()),
        nn.Sequential(nn.Flatten(), nn.Linear(108, 3), nn.BatchNorm1d(3)),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    ],
    ids=["convolution", "batch-norm", "no-weights"],
)
def test_a_network_that_does_not_end_in_a_linear_layer_is_evaluated_as_it_is(model):
    compute = Compute(ComputeSpec("cpu", "bf16", threads=1))
    model.eval()
    with torch.no_grad(), compute.autocast():
        expected = torch.cat([model(images).float() for images, _ in _batches()])
    assert torch.equal(predict(model, _batches(), compute)[0], expected)


@pytest.mark.parametrize("name", ["resnet8", "wrn28_10", "vgg16", "resnet18"])
def test_every_family_of_networks_ends_in_the_layer_that_makes_the_logits(name):
    with torch.device("meta"):
        model = build(name, 5, 3, 32, seed=0)
    last = [m for m in model.modules() if list(m.parameters(recurse=False))][-1]
    assert isinstance(last, nn.Linear)
    assert last.out_features == 5


def test_of_an_own_network_the_layer_counts_whose_output_is_the_logits():
    model = build("tests.lp_core.own_networks:HeadFirst", 3, 3, 6, seed=0)
    head, compute = model.get_submodule("head"), Compute(ComputeSpec("cpu", "bf16", threads=1))
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.weight[1] = head.weight[0] * (1 + 2**-12)
        head.bias.copy_(torch.tensor([1.0, 1.0, -9.0]))
    logits, _ = predict(model, _batches(), compute)
    assert (logits[:, 0] != logits[:, 1]).all()
    assert set(model.state_dict()) == {f"{n}.{k}" for n in ("head", "body", "gate") for k in KEYS}
