"""A data set as the input of another network."""

import numpy as np
import pytest
import torch
from PIL import Image

from lp_core.data.adapt import adapted
from lp_core.data.build import build_dataset
from lp_core.data.loading import eval_batches, load_images
from lp_core.data.spec import DatasetSpec
from lp_core.data.store import Dataset, Split
from lp_core.errors import InputError


def made(channels: int, height: int, width: int) -> Dataset:
    """Noise, whose channels differ in brightness."""
    generator = torch.Generator().manual_seed(0)
    parts = {}
    for name, count in (("train", 12), ("val", 5), ("test", 7)):
        shape = (count, height, width, channels)
        pixels = torch.randint(0, 150, shape, dtype=torch.uint8, generator=generator)
        pixels += (40 * torch.arange(channels)).to(torch.uint8)
        labels = torch.randint(0, 3, (count,), generator=generator)
        parts[name] = Split(pixels.permute(0, 3, 1, 2), labels)
    size = height if height == width else [height, width]
    return Dataset(
        "noise", ["a", "b", "c"], channels, size, [9.0] * channels, [9.0] * channels, parts
    )


def pixels(dataset: Dataset, split_name: str) -> np.ndarray:
    return dataset.split(split_name).images.permute(0, 2, 3, 1).numpy()


SHAPES = [(1, 12, 12), (3, 12, 12), (1, 8, 8), (3, 20, 20), (3, 9, 14)]


@pytest.mark.parametrize(("channels", "height", "width"), SHAPES)
@pytest.mark.parametrize("before", SHAPES)
def test_every_split_takes_the_networks_shape_and_keeps_its_labels(before, channels, height, width):
    dataset = made(*before)
    result = adapted(dataset, channels, height if height == width else [height, width])
    assert result.input_shape == (channels, height, width)
    assert (result.name, result.classes) == (dataset.name, dataset.classes)
    for name in ("train", "val", "test"):
        assert pixels(result, name).shape[1:] == (height, width, channels)
        assert torch.equal(result.labels(name), dataset.labels(name))


@pytest.mark.parametrize("before", SHAPES[:4])
def test_mean_and_deviation_are_those_of_the_converted_training_images(before):
    result = adapted(made(*before), 3, 10)
    scaled = pixels(result, "train") / 255
    np.testing.assert_allclose(result.mean, scaled.mean((0, 1, 2)))
    np.testing.assert_allclose(result.std, scaled.std((0, 1, 2)))
    batch, _ = next(eval_batches(result, "train", 100, "cpu"))
    assert abs(float(batch.mean())) < 1e-5


def test_a_set_of_that_shape_is_left_as_it_is():
    dataset = made(3, 12, 12)
    assert adapted(dataset, 3, [12, 12]) is dataset


def test_grey_spreads_and_colour_becomes_its_luma():
    grey = made(1, 12, 12)
    spread = pixels(adapted(grey, 3, 12), "test")
    assert np.array_equal(spread, np.repeat(pixels(grey, "test"), 3, axis=3))
    colour = made(3, 12, 12)
    luma = pixels(colour, "test") @ [0.299, 0.587, 0.114]
    assert np.abs(pixels(adapted(colour, 1, 12), "test")[..., 0] - luma).max() <= 1


def test_images_are_resized_as_a_set_of_that_size_is_made():
    """What `build_dataset` does with `size`, and of a longer side the middle."""
    dataset = made(3, 9, 14)
    result = pixels(adapted(dataset, 3, 6), "test")
    for before, after in zip(pixels(dataset, "test"), result, strict=True):
        middle = Image.fromarray(before).resize(
            (6, 6), Image.Resampling.BILINEAR, (2.5, 0, 11.5, 9)
        )
        assert np.array_equal(after, np.asarray(middle))


def test_a_real_set_read_at_another_size_is_that_set_adapted():
    plain = build_dataset("digits", DatasetSpec(source="digits", watch="constraints.txt"))
    resized = build_dataset(
        "digits", DatasetSpec(source="digits", watch="constraints.txt", size=16)
    )
    result = adapted(plain, 1, 16)
    for name in ("train", "val", "test"):
        assert torch.equal(result.split(name).images, resized.split(name).images)
    assert (result.mean, result.std) == (resized.mean, resized.std)


def folder_spec(root: object) -> DatasetSpec:
    return DatasetSpec(
        source="folder", watch="constraints.txt", path=str(root), size=24, stream=True
    )


def test_a_streamed_set_stays_one_where_it_stays_square_and_in_colour(cifar_folder):
    dataset = build_dataset("folder", folder_spec(cifar_folder))
    result = adapted(dataset, 3, 16)
    assert result.streamed
    assert result.input_shape == (3, 16, 16)
    images = load_images(result, "train").images
    scaled = images.permute(0, 2, 3, 1).numpy() / 255
    np.testing.assert_allclose(result.mean, scaled.mean((0, 1, 2)))
    np.testing.assert_allclose(result.std, scaled.std((0, 1, 2)))


def test_of_a_streamed_set_grey_images_are_held_in_memory(cifar_folder):
    dataset = build_dataset("folder", folder_spec(cifar_folder))
    result = adapted(dataset, 1, 24)
    assert not result.streamed
    luma = load_images(dataset, "val").images.permute(0, 2, 3, 1).numpy() @ [0.299, 0.587, 0.114]
    assert np.abs(pixels(result, "val")[..., 0] - luma).max() <= 1


def test_images_have_one_or_three_channels():
    with pytest.raises(InputError, match=r"^channels is 2; images are "):
        adapted(made(3, 12, 12), 2, 8)
