import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.analysis.diversity import disagreement, kl_divergence


def _probs(seed: int, images: int = 5, classes: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(images, classes, generator=generator).softmax(1)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_disagreement_is_the_share_of_images_labelled_differently(pairs):
    a, b = torch.tensor(pairs).T
    assert disagreement(a, b) == pytest.approx(sum(x != y for x, y in pairs) / len(pairs))
    assert disagreement(a, b) == disagreement(b, a)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_kl_agrees_with_a_plain_sum(first, second):
    a, b = _probs(first), _probs(second)
    plain = [
        sum(float(p) * math.log(float(p) / float(q)) for p, q in zip(x, y, strict=True))
        for x, y in zip(a.double(), b.double(), strict=True)
    ]
    assert kl_divergence(a, b) == pytest.approx(sum(plain) / len(plain), abs=1e-9)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_kl_is_never_negative_and_zero_for_equal_predictions(first, second):
    assert kl_divergence(_probs(first), _probs(second)) >= 0
    assert kl_divergence(_probs(first), _probs(first)) == 0


def test_what_a_holds_impossible_adds_nothing_and_what_only_b_does_is_infinite():
    sure, unsure = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.5, 0.5]])
    assert kl_divergence(sure, unsure) == pytest.approx(math.log(2))
    assert kl_divergence(unsure, sure) == math.inf
    assert kl_divergence(sure, sure) == 0


def test_a_diverged_network_has_no_divergence():
    assert math.isnan(kl_divergence(torch.full((2, 2), math.nan), torch.full((2, 2), 0.5)))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (torch.zeros(3), torch.zeros(4)),
        (torch.zeros(3, 2), torch.zeros(3, 2)),
        (torch.zeros(0), torch.zeros(0)),
    ],
)
def test_predictions_of_other_shapes_are_an_error_that_shows_them(a, b):
    with pytest.raises(ValueError, match=r"shapes \(\d"):
        disagreement(a, b)


def test_probabilities_of_other_shapes_are_an_error_that_shows_them():
    with pytest.raises(ValueError, match=r"shapes \(5, 4\) and \(4, 4\)"):
        kl_divergence(_probs(0), _probs(0, images=4))
