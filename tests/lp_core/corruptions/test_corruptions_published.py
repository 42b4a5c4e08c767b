"""On real images our corruptions are as strong as the published procedure, one image at a time."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from benchmarks import corruptions_per_image
from benchmarks.corruption_strength import change, published
from benchmarks.corruptions import load_images
from lp_core.corruptions.apply import corrupt
from lp_core.corruptions.imaging import Images, zoomed
from lp_core.corruptions.kinds.weather import water
from lp_core.corruptions.names import CORRUPTIONS, EXTRA

# The published way takes some milliseconds for an image of these. Chance matters little to them.
SLOW = {"glass_blur": 60, "zoom_blur": 60, "frost": 200, "fog": 250}


@pytest.fixture(scope="module")
def images(real_data: Path) -> Images:
    """Test images of CIFAR-10: so many that chance moves the mean change by a per cent or two."""
    return load_images(500, real_data / "cifar10")


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", [*CORRUPTIONS, *EXTRA])
def test_the_mean_change_is_within_5_per_cent_of_the_published(
    name: str, severity: int, images: Images
) -> None:
    some = images[: SLOW.get(name)]
    theirs = change(published(some, name, severity), some)
    ours = change(corrupt(some, name, severity, seed=0), some)
    assert ours == pytest.approx(theirs, rel=0.05)


def test_the_light_on_drops_is_the_published() -> None:
    noise = np.random.default_rng(0).normal(0.65, 0.3, (20, 32, 32))
    liquid = ndimage.gaussian_filter(noise, (0, 1, 1)).astype(np.float32)
    expected = [corruptions_per_image.water(drops, 0.69) for drops in liquid]
    assert np.allclose(water(liquid, 0.69), expected, atol=1e-6)


@pytest.mark.parametrize("size", [8, 32, 33, 224])
@pytest.mark.parametrize("zoom", [1, 1.01, 1.1, 1.25, 1.75, 2.25])
def test_a_zoom_is_where_scipy_puts_the_pixels_of_the_centre(size: int, zoom: float) -> None:
    positions = np.arange(size, dtype=float)
    image = np.stack(np.meshgrid(positions, positions, indexing="ij"), axis=-1)
    expected = corruptions_per_image.magnified(image, zoom)[:, 0, 0]
    cropped, stride, first = zoomed(size, zoom)
    assert np.allclose((size - cropped) // 2 + first + positions * stride, expected)
