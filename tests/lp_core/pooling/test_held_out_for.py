"""A data set's images as a search, and the landscape, get them."""

import pytest
import torch

from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.loading import PixelBatches, eval_batches
from lp_core.data.store import Dataset
from lp_core.data.subsets import balanced_slices
from lp_core.models.structure import prunable
from lp_core.pooling import heldout
from lp_core.pooling.batch_norm import calibration_batches
from lp_core.pooling.coefficients import exhaustive, successive_halving
from lp_core.pooling.heldout import SLICES_SEED, HeldOut, held_out_for
from lp_core.pooling.spec import ScoringSpec
from lp_core.tickets import Ticket
from tests.lp_core.strategies import bits
from tests.lp_core.tiny import CLASSES, images, residual_network

AUGMENT = AugmentSpec(crop=1)
SPEC = ScoringSpec(calibration_images=130)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    parts = {name: images(count, count) for name, count in (("train", 600), ("val", 50))}
    classes = [f"class {i}" for i in range(CLASSES)]
    return Dataset("noise", classes, 3, 8, [0.4, 0.5, 0.6], [0.2, 0.3, 0.4], parts)


@pytest.fixture(scope="module")
def compute() -> Compute:
    return Compute(ComputeSpec(device="cpu", precision="bf16", threads=1))


def _averaged() -> Ticket:
    model = residual_network()
    mask = {n: torch.ones_like(model.get_parameter(n), dtype=torch.bool) for n in prunable(model)}
    return Ticket.of(model, mask, {"batch_norm": "averaged"})


def test_held_out_images_kept_as_pixels_are_judged_bit_for_bit_as_normalised_ones(
    dataset, compute, monkeypatch
):
    monkeypatch.setattr(heldout, "EVAL_BATCH", 7)
    held_out = held_out_for(residual_network(), dataset, SPEC, AUGMENT, 0, compute)
    pieces = balanced_slices(dataset.labels("val").numpy(), heldout._SLICES, SLICES_SEED)
    floats = [list(eval_batches(dataset, "val", 7, "cpu", piece)) for piece in pieces]
    plain = HeldOut(residual_network(), floats, held_out.calibration, compute)
    ticket = held_out.calibrate(_averaged())
    assert held_out.slices == plain.slices
    for piece in range(len(pieces)):
        assert held_out.correct_and_loss(ticket, piece) == plain.correct_and_loss(ticket, piece)
        assert held_out.correct_and_loss(ticket, piece) == plain.correct_and_loss(
            ticket, piece
        )  # and once more


def test_pixels_take_a_quarter_of_the_bytes_and_give_the_same_batches_again_and_again(dataset):
    split, how = dataset.split("val"), (dataset.mean, dataset.std, 16, "cpu")
    batches = PixelBatches(split, *how)
    assert vars(batches)["_split"].images.dtype == torch.uint8
    expected = list(eval_batches(dataset, "val", 16, "cpu"))
    for _ in range(2):
        for (found, labels), (wanted, truth) in zip(batches, expected, strict=True):
            assert bits({"images": found}) == bits({"images": wanted})
            assert found.stride() == wanted.stride()
            assert torch.equal(labels, truth)


def test_fewer_calibration_images_are_the_first_of_more(dataset, compute):
    few, many = (calibration_batches(dataset, count, AUGMENT, 5, compute) for count in (130, 300))
    assert [len(batch) for batch in few] == [128, 128]
    assert [len(batch) for batch in many] == [128, 128, 128]
    assert all(torch.equal(a, b) for a, b in zip(few, many, strict=False))
    assert len(calibration_batches(dataset, 10**6, AUGMENT, 5, compute)) == 4  # all of the split


def test_a_score_is_calibrated_on_as_many_images_as_the_settings_say(dataset, compute):
    held_out = held_out_for(residual_network(), dataset, SPEC, AUGMENT, 5, compute)
    images = calibration_batches(dataset, 130, AUGMENT, 5, compute)
    assert len(held_out.calibration) == len(images)
    assert all(torch.equal(a, b) for a, b in zip(held_out.calibration, images, strict=True))


def test_averaged_statistics_need_no_calibration_images(dataset, compute):
    spec = ScoringSpec(batch_norm="average")
    held_out = held_out_for(residual_network(), dataset, spec, AUGMENT, 0, compute)
    ticket = _averaged()
    assert held_out.calibrate(ticket) is ticket


@pytest.mark.parametrize(
    ("search", "expected"), [("halving", successive_halving), ("exact", exhaustive)]
)
def test_the_settings_say_how_a_search_finds_the_best_coefficient(
    dataset, compute, search, expected
):
    spec = ScoringSpec(search=search, batch_norm="average")
    held_out = held_out_for(residual_network(), dataset, spec, AUGMENT, 0, compute)
    assert held_out.best_coefficient is expected
