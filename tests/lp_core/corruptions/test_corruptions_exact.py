"""The corruptions without chance against independent re-implementations, and motion's kernel."""

import colorsys
import io
import math

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy import ndimage, signal

from lp_core.corruptions.apply import corrupt
from lp_core.corruptions.imaging import motion_kernel

Images = npt.NDArray[np.uint8]

SEVERITIES = [1, 2, 3, 4, 5]


@pytest.fixture(scope="module")
def images() -> Images:
    """Three colour images with both soft and hard edges, not square."""
    noise = np.random.default_rng(0).normal(0, 1, (3, 32, 40, 3))
    soft = ndimage.gaussian_filter(noise, (0, 2, 2, 0)) * 500 + 128
    soft[:, 5:12, 10:25] = [250, 20, 90]
    return np.clip(soft, 0, 255).astype(np.uint8)


def assert_cut_off(out: Images, expected: npt.ArrayLike) -> None:
    """`expected`, 0–1, as levels whose decimals are cut off, not rounded.

    On a level itself, the last digit of the arithmetic decides between it and the one below.
    """
    exact = np.clip(expected, 0, 1) * 255
    on_a_level = np.abs(exact - np.rint(exact)) < 1e-3
    assert np.array_equal(out[~on_a_level], np.floor(exact[~on_a_level]))
    assert np.abs(out - exact).max() < 1 + 1e-3


@pytest.mark.parametrize("severity", SEVERITIES)
def test_contrast_pulls_each_channel_towards_its_mean(images: Images, severity: int) -> None:
    c = [0.75, 0.5, 0.4, 0.3, 0.15][severity - 1]
    mean = (images / 255).mean(axis=(1, 2), keepdims=True)
    assert_cut_off(corrupt(images, "contrast", severity, 0), mean + c * (images / 255 - mean))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_brightness_and_saturate_work_on_hsv(images: Images, severity: int) -> None:
    lift = [0.05, 0.1, 0.15, 0.2, 0.3][severity - 1]
    a, b = [(0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)][severity - 1]
    grey = np.full((1, 4, 40, 3), 77, np.uint8)
    pixels = np.concatenate([images[:1, ::4], grey], axis=1)
    bright, rich = [], []
    for rgb in pixels.reshape(-1, 3) / 255:
        h, s, v = colorsys.rgb_to_hsv(*rgb)
        bright.append(colorsys.hsv_to_rgb(h, s, min(v + lift, 1)))
        rich.append(colorsys.hsv_to_rgb(h, min(max(s * a + b, 0), 1), v))
    shape = pixels.shape
    for name, expected in (("brightness", bright), ("saturate", rich)):
        assert_cut_off(corrupt(pixels, name, severity, 0), np.reshape(expected, shape))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_gaussian_blur_is_scipys(images: Images, severity: int) -> None:
    sigma = [0.4, 0.6, 0.7, 0.8, 1.0][severity - 1]
    expected = ndimage.gaussian_filter(images / 255, (0, sigma, sigma, 0), mode="nearest")
    assert_cut_off(corrupt(images, "gaussian_blur", severity, 0), expected)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_defocus_blur_is_convolution_with_a_softened_disk(images: Images, severity: int) -> None:
    radius, alias = [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)][severity - 1]
    grid = np.arange(-4, 5)
    disk = (np.hypot(*np.meshgrid(grid, grid)) <= radius).astype(float)
    bell = np.exp(-(np.arange(-1, 2) ** 2) / (2 * alias**2))
    soft = signal.convolve2d(disk / disk.sum(), np.outer(bell, bell) / bell.sum() ** 2, "same")
    expected = ndimage.correlate(images / 255, soft[None, ..., None], mode="mirror")
    assert_cut_off(corrupt(images, "defocus_blur", severity, 0), expected)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_zoom_blur_counts_the_image_twice_and_each_of_its_centres_enlarged_by_scipy(
    images: Images, severity: int
) -> None:
    end, count = [(1.06, 7), (1.11, 12), (1.16, 16), (1.21, 21), (1.26, 26)][severity - 1]
    zooms = np.arange(1, end, 0.01)
    assert len(zooms) == count
    image = images[0] / 255
    layers = [image]
    for zoom in zooms:
        crop = [math.ceil(side / zoom) for side in (32, 40)]
        top, left = ((side - part) // 2 for side, part in zip((32, 40), crop, strict=True))
        centre = image[top : top + crop[0], left : left + crop[1]]
        large = ndimage.zoom(centre, (zoom, zoom, 1), order=1)
        top, left = (large.shape[0] - 32) // 2, (large.shape[1] - 40) // 2
        layers.append(large[top : top + 32, left : left + 40])
    assert_cut_off(corrupt(images[:1], "zoom_blur", severity, 0)[0], np.mean(layers, axis=0))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_pixelate_and_jpeg_are_pillows(images: Images, severity: int) -> None:
    share = [0.95, 0.9, 0.85, 0.75, 0.65][severity - 1]
    quality = [80, 65, 58, 50, 40][severity - 1]
    for channels in (3, 1):
        some = images[..., :channels]
        small = corrupt(some, "pixelate", severity, 0)
        lossy = corrupt(some, "jpeg_compression", severity, 0)
        for image, pixelated, compressed in zip(some, small, lossy, strict=True):
            picture = Image.fromarray(image.squeeze())
            box = picture.resize((int(40 * share), int(32 * share)), Image.Resampling.BOX)
            box = box.resize((40, 32), Image.Resampling.BOX)
            assert np.array_equal(pixelated.squeeze(), np.asarray(box))
            file = io.BytesIO()
            picture.save(file, "JPEG", quality=quality)
            decoded = np.asarray(Image.open(file)).astype(int)
            assert np.abs(compressed.squeeze() - decoded).mean() < 0.5


@pytest.mark.parametrize("degrees", [-135, -80, -45, 0, 10, 45])
def test_motion_kernel_is_half_a_gaussian_along_its_angle(degrees: float) -> None:
    kernel, origin = motion_kernel(6, 2, degrees)
    assert kernel.sum() == pytest.approx(1)
    rows, columns = np.nonzero(kernel)
    weights = kernel[rows, columns]
    along = np.hypot(rows - origin[1], columns - origin[0])
    angles = np.arctan2(rows - origin[1], columns - origin[0])[along > 3]
    assert np.abs(angles - math.radians(degrees)).max() < 0.25
    # Steps that round to one pixel add up there; the mean step is that of the half Gaussian.
    steps = np.arange(13)
    bell = np.exp(-(steps**2) / 8)
    assert weights @ along == pytest.approx((steps * bell).sum() / bell.sum(), abs=0.35)
    assert along.max() <= steps.max()
