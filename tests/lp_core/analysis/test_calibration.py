"""The calibration error is that of Guo et al., computed here a second time, image by image."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lp_core.analysis.calibration import expected_calibration_error


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def by_hand(probs: np.ndarray, labels: np.ndarray, bins: int) -> float:
    total = 0.0
    for m in range(bins):
        low, high = m / bins, (m + 1) / bins
        inside = [i for i, row in enumerate(probs) if low < min(row.max(), 1) <= high]
        if inside:
            accuracy = np.mean([probs[i].argmax() == labels[i] for i in inside])
            confidence = np.mean([probs[i].max() for i in inside])
            total += len(inside) / len(probs) * abs(accuracy - confidence)
    return total


@st.composite
def predictions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    images, classes = draw(st.integers(1, 30)), draw(st.integers(2, 6))
    # Steps of a half make equal confidences, and coarse ones many images to a bin.
    logits = draw(hnp.arrays(np.float64, (images, classes), elements=st.integers(-6, 6).map(float)))
    labels = draw(hnp.arrays(np.int64, images, elements=st.integers(0, classes - 1)))
    return softmax(logits / 2), labels


@settings(deadline=None, max_examples=50)
@given(predictions(), st.integers(1, 20))
def test_error_equals_a_plain_reimplementation(
    prediction: tuple[np.ndarray, np.ndarray], bins: int
) -> None:
    probs, labels = prediction
    expected = by_hand(probs, labels, bins)
    assert expected_calibration_error(probs, labels, bins) == pytest.approx(expected, abs=1e-9)
    as_tensors = expected_calibration_error(torch.from_numpy(probs), torch.from_numpy(labels), bins)
    assert as_tensors == pytest.approx(expected, abs=1e-9)


@settings(max_examples=30)
@given(predictions(), st.integers(0, 99))
def test_order_of_images_does_not_matter(
    prediction: tuple[np.ndarray, np.ndarray], seed: int
) -> None:
    probs, labels = prediction
    order = np.random.default_rng(seed).permutation(len(labels))
    shuffled = expected_calibration_error(probs[order], labels[order])
    assert shuffled == pytest.approx(expected_calibration_error(probs, labels), abs=1e-12)


def test_confident_and_right_is_0_and_confident_and_wrong_is_1() -> None:
    probs = np.eye(4)
    assert expected_calibration_error(probs, np.arange(4)) == 0
    assert expected_calibration_error(probs, np.array([1, 2, 3, 0])) == 1


def test_a_confidence_on_an_edge_belongs_to_the_bin_below() -> None:
    # 0.5 closes the first of two bins: its image stands alone, apart from the one at 0.75.
    probs = np.array([[0.5, 0.25, 0.25], [0.75, 0.25, 0.0]])
    labels = np.array([0, 1])
    assert expected_calibration_error(probs, labels, 2) == pytest.approx((0.5 + 0.75) / 2)
    assert expected_calibration_error(probs, labels, 1) == pytest.approx(abs(1 - 1.25) / 2)


def test_half_precision_probabilities_are_accepted() -> None:
    logits = torch.randn(50, 200, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(50)
    exact = expected_calibration_error(logits.softmax(1), labels)
    rounded = expected_calibration_error(logits.softmax(1).bfloat16(), labels)
    assert rounded == pytest.approx(exact, abs=0.01)


def test_a_network_that_diverged_has_no_calibration_error() -> None:
    probs = torch.full((3, 2), math.nan)
    assert math.isnan(expected_calibration_error(probs, torch.zeros(3, dtype=torch.int64)))


def test_what_is_no_prediction_is_refused() -> None:
    labels = np.zeros(2, dtype=np.int64)
    with pytest.raises(ValueError, match="do not sum to 1; give the softmax"):
        expected_calibration_error(np.array([[3.0, -1.0], [0.5, 0.5]]), labels)
    with pytest.raises(ValueError, match="do not fit"):
        expected_calibration_error(np.full((3, 2), 0.5), labels)
    with pytest.raises(ValueError, match="N at least 1"):
        expected_calibration_error(np.empty((0, 2)), labels[:0])
    with pytest.raises(ValueError, match="bins is 0"):
        expected_calibration_error(np.full((2, 2), 0.5), labels, bins=0)
