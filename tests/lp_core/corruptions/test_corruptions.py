"""What holds for every corruption: shapes, randomness, batching, errors, growth with severity."""

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lp_core.corruptions.apply import CHUNK_VALUES, corrupt
from lp_core.corruptions.names import CORRUPTIONS, EXTRA, FAMILIES

Images = npt.NDArray[np.uint8]
ALL = (*CORRUPTIONS, *EXTRA)

names = st.sampled_from(ALL)
severities = st.integers(1, 5)
sizes = st.sampled_from([(8, 8), (28, 28), (32, 32), (64, 48), (17, 40), (5, 33)])


def random_images(count: int, height: int, width: int, channels: int, seed: int = 0) -> Images:
    """Smooth enough to be blurred and shifted, with noise and both ends of the range."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, -(-height // 4), -(-width // 4), channels))
    smooth = coarse.repeat(4, axis=1).repeat(4, axis=2)[:, :height, :width]
    return np.clip(smooth + rng.normal(0, 10, smooth.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def cifar(real_data: Path) -> Images:
    """32 test images of CIFAR-10."""
    table = pq.read_table(next((real_data / "cifar10").glob("test-*.parquet")))
    cells = table["img"][:32].to_pylist()
    return np.stack([np.asarray(Image.open(io.BytesIO(c["bytes"])).convert("RGB")) for c in cells])


def distance(a: Images, b: Images) -> float:
    """Mean absolute difference in grey levels."""
    return float(np.abs(a.astype(int) - b).mean())


def test_the_benchmark_has_fifteen_corruptions_and_four_extra_in_four_families() -> None:
    assert len(CORRUPTIONS) == 15
    assert CORRUPTIONS[0] == "gaussian_noise"
    assert CORRUPTIONS[-1] == "jpeg_compression"
    assert EXTRA == ("speckle_noise", "gaussian_blur", "spatter", "saturate")
    assert set(FAMILIES) == set(ALL)
    assert set(FAMILIES.values()) == {"noise", "blur", "weather", "digital"}


@settings(max_examples=60, deadline=None)
@given(names, severities, sizes, st.sampled_from([1, 3]))
def test_any_size_grey_or_colour_keeps_its_shape_and_the_input_its_values(
    name: str, severity: int, size: tuple[int, int], channels: int
) -> None:
    images = random_images(2, *size, channels)
    before = images.copy()
    out = corrupt(images, name, severity, seed=1)
    assert out.dtype == np.uint8
    assert out.shape == images.shape
    assert np.array_equal(images, before)
    assert not np.shares_memory(out, images)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (0, 32, 32, 3), (1, 2, 3, 1), (1, 3, 40, 3)])
def test_degenerate_shapes_are_no_exception(name: str, shape: tuple[int, ...]) -> None:
    images = np.full(shape, 100, np.uint8)
    assert corrupt(images, name, 4, seed=0).shape == shape


@settings(max_examples=40, deadline=None)
@given(names, severities, st.integers(0, 2**63), st.integers(0, 6), st.integers(0, 6))
def test_a_piece_corrupted_by_itself_equals_the_piece_of_the_whole(
    name: str, severity: int, seed: int, start: int, stop: int
) -> None:
    images = random_images(6, 24, 20, 3)
    whole = corrupt(images, name, severity, seed)
    piece = corrupt(images[start:stop], name, severity, seed, first=start)
    assert np.array_equal(whole[start:stop], piece)


@pytest.mark.parametrize("name", ALL)
def test_sets_larger_than_a_chunk_equal_their_images_corrupted_one_by_one(name: str) -> None:
    images = random_images(5, 160, 150, 3)
    assert images.size > CHUNK_VALUES
    whole = corrupt(images, name, 3, seed=5)
    singles = [corrupt(images[i : i + 1], name, 3, seed=5, first=i)[0] for i in range(5)]
    assert np.array_equal(whole, np.stack(singles))


DETERMINISTIC = {
    *("defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate"),
    *("jpeg_compression", "gaussian_blur", "saturate"),
}


@pytest.mark.parametrize("name", ALL)
def test_randomness_comes_from_seed_and_index_and_nothing_else(name: str) -> None:
    images = np.repeat(random_images(1, 32, 32, 3), 2, axis=0)
    out = corrupt(images, name, 3, seed=7)
    assert np.array_equal(out, corrupt(images, name, 3, seed=7))
    other_seed = corrupt(images, name, 3, seed=8)
    assert np.array_equal(out, other_seed) == (name in DETERMINISTIC)
    assert np.array_equal(out[0], out[1]) == (name in DETERMINISTIC)


def test_strided_and_read_only_inputs_give_the_same() -> None:
    images = random_images(4, 32, 32, 3)
    mirrored = images[::2, :, ::-1]
    mirrored.flags.writeable = False
    for name in ALL:
        expected = corrupt(np.ascontiguousarray(mirrored), name, 2, seed=0)
        assert np.array_equal(corrupt(mirrored, name, 2, seed=0), expected)


@pytest.mark.parametrize("name", ALL)
def test_every_severity_changes_real_images(name: str, cifar: Images) -> None:
    for severity in range(1, 6):
        out = corrupt(cifar, name, severity, seed=0)
        changed = (out != cifar).reshape(len(cifar), -1).any(axis=1)
        assert changed.all(), f"severity {severity}"


# The others' constants do not grow in one direction: glass trades blur for repetitions, elastic
# bends less as it crumples more, spatter turns from water to mud, saturate from less to more, and
# frost's share of ice grows while the image's falls, so that brightness cancels out.
NOT_GROWING = {"glass_blur", "elastic_transform", "spatter", "saturate", "frost"}
GROWING = [name for name in ALL if name not in NOT_GROWING]


@pytest.mark.parametrize("name", GROWING)
def test_a_higher_severity_is_farther_from_the_clean_image(name: str, cifar: Images) -> None:
    far = [distance(corrupt(cifar, name, s, seed=0), cifar) for s in range(1, 6)]
    assert all(a < b for a, b in pairwise(far)), far


LENGTHS = ("defocus_blur", "motion_blur", "zoom_blur", "snow", "frost", "fog", "spatter")


# The mildest blurs (σ of 0.4 pixels) are too narrow for a 32-pixel grid to show them in full.
@pytest.mark.parametrize("severity", [3, 5])
@pytest.mark.parametrize("name", [*LENGTHS, "elastic_transform", "gaussian_blur", "glass_blur"])
def test_images_of_twice_the_size_are_corrupted_alike(
    name: str, severity: int, cifar: Images
) -> None:
    """Seen at 32 pixels again, the change is about as large as that of the small image."""
    large = cifar.repeat(2, axis=1).repeat(2, axis=2)
    out = corrupt(large, name, severity, seed=0).astype(float)
    small_again = out.reshape(len(cifar), 32, 2, 32, 2, 3).mean(axis=(2, 4))
    change = np.abs(small_again - cifar).mean()
    expected = distance(corrupt(cifar, name, severity, seed=0), cifar)
    assert 0.6 < change / expected < 1.6


def test_grey_images_are_corrupted_as_the_same_images_in_colour(cifar: Images) -> None:
    grey = cifar[..., 1:2]
    alike = {"defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "gaussian_blur", "fog"}
    for name in alike | {"snow", "contrast", "brightness", "pixelate", "elastic_transform"}:
        colour = corrupt(grey.repeat(3, axis=3), name, 4, seed=3).astype(int)
        assert np.abs(corrupt(grey, name, 4, seed=3) - colour).max() <= 1, name
    assert np.array_equal(corrupt(grey, "saturate", 5, seed=0), grey)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": "gaussian"}, "unknown corruption 'gaussian'; known are .*, gaussian_noise, .*"),
        ({"severity": 0}, "severity must be a whole number from 1 to 5, not 0"),
        ({"severity": 6}, "not 6"),
        ({"severity": 2.0}, "not 2.0"),
        ({"seed": -1}, "seed must be a whole number, 0 or more, not -1"),
        ({"first": -3}, "first must be a whole number, 0 or more, not -3"),
        ({"images": np.zeros((1, 4, 4, 3), np.float32)}, "must be uint8 .* not float32"),
        ({"images": np.zeros((4, 4, 3), np.uint8)}, r"not of shape \(4, 4, 3\)"),
        ({"images": np.zeros((1, 4, 4, 4), np.uint8)}, r"C = 1 or 3, not of shape"),
        ({"images": [[0]]}, "must be a NumPy array, not list"),
    ],
)
def test_errors_name_what_is_wrong(change: dict[str, object], complaint: str) -> None:
    arguments: dict[str, object] = {
        "images": np.zeros((1, 4, 4, 3), np.uint8),
        "name": "fog",
        "severity": 1,
        "seed": 0,
    }
    with pytest.raises(ValueError, match=complaint):
        corrupt(**(arguments | change))  # type: ignore[arg-type]
