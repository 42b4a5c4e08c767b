import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.data.augment import AugmentSpec, crop_and_flip, draw
from lp_core.data.normalise import Normaliser


def _one_by_one(images, draws, spec):
    """The same in NumPy, an image at a time."""
    out = []
    for image, (top, left), flip in zip(images.numpy(), draws.corners, draws.flips, strict=True):
        height, width, _ = image.shape
        padded = np.pad(image, ((spec.crop, spec.crop), (spec.crop, spec.crop), (0, 0)))
        image = padded[top : top + height, left : left + width]
        out.append(image[:, ::-1] if flip else image)
    return np.stack(out)


@settings(deadline=None, max_examples=40)
@given(
    shape=st.tuples(*[st.integers(1, 7)] * 3, st.sampled_from([1, 3])),
    crop=st.integers(0, 5),
    flip=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_batch_is_augmented_as_its_images_one_by_one(shape, crop, flip, seed):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    spec = AugmentSpec(crop=crop, flip=flip)
    draws = draw(len(images), spec, generator)
    assert np.array_equal(crop_and_flip(images, draws, spec), _one_by_one(images, draws, spec))


def test_every_offset_comes_up_equally_often_and_half_the_images_are_flipped():
    draws = draw(81_000, AugmentSpec(crop=4, flip=True), torch.Generator().manual_seed(0))
    places, counts = torch.unique(draws.corners, dim=0, return_counts=True)
    assert len(places) == 81
    assert counts.min() > 850
    assert counts.max() < 1150
    assert abs(draws.flips.float().mean() - 0.5) < 0.01


def test_no_augmentation_leaves_the_images_alone():
    images = torch.randint(0, 256, (5, 4, 4, 3), dtype=torch.uint8)
    spec = AugmentSpec(crop=0, flip=False)
    assert torch.equal(crop_and_flip(images, draw(5, spec, torch.Generator()), spec), images)


def test_negative_padding_is_refused():
    with pytest.raises(ValueError, match="crop is -1"):
        AugmentSpec(crop=-1)


@pytest.mark.parametrize("channels", [1, 3])
def test_normalising_subtracts_the_mean_and_divides_by_the_deviation(channels):
    images = torch.randint(0, 256, (6, 5, 4, channels), dtype=torch.uint8)
    mean, std = [0.2, 0.5, 0.7][:channels], [0.25, 0.5, 0.125][:channels]
    result = Normaliser(mean, std, "cpu")(images)
    expected = (images.double() / 255 - torch.tensor(mean)) / torch.tensor(std)
    assert result.dtype == torch.float32
    assert result.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(result.double(), expected.permute(0, 3, 1, 2), atol=2e-6, rtol=0)


def test_a_channel_without_deviation_cannot_be_normalised():
    with pytest.raises(ValueError, match="positive deviation"):
        Normaliser([0.5], [0.0], "cpu")
