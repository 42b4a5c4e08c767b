"""On real images our corruptions are as strong as the published procedure, one image at a time."""

from pathlib import Path

import pytest

from benchmarks.corruption_strength import change, published
from benchmarks.corruptions import load_images
from lp_core.corruptions.apply import corrupt
from lp_core.corruptions.imaging import Images
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
