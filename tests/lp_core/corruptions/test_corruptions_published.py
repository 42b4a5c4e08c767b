"""On real images our corruptions are as strong as the published procedure, one image at a time."""

from pathlib import Path

import pytest

from benchmarks.corruption_strength import compared
from benchmarks.corruptions import load_images
from lp_core.corruptions.imaging import Images
from lp_core.corruptions.names import CORRUPTIONS, EXTRA


@pytest.fixture(scope="module")
def images(real_data: Path) -> Images:
    """Test images of CIFAR-10: so many that chance moves the mean change by a per cent."""
    return load_images(500, real_data / "cifar10")


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", [*CORRUPTIONS, *EXTRA])
def test_the_mean_change_is_within_5_per_cent_of_the_published(
    name: str, severity: int, images: Images
) -> None:
    published, excess = compared(images, name, severity)
    assert abs(excess) < 0.05, f"{published:.2f} grey levels, ours {100 * excess:+.1f}%"
