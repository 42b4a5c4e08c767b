"""What the presets say in numbers is what the paper says in words."""

from pathlib import Path

import pytest

from lp_core.data.spec import DatasetSpec
from tasks.kit.params import Params

PRESETS = Path(__file__).resolve().parents[2] / "presets"


@pytest.mark.parametrize("network", ["resnet18", "resnet34"])
def test_26000_of_imagenets_training_images_are_held_out(network):
    """Lottery Pools, table 3. A split's total does not depend on the classes' sizes."""
    params = Params(path=PRESETS / f"{network}-imagenet.yaml")
    spec = params.section("datasets.imagenet", DatasetSpec)
    assert round(spec.val_fraction * 1_281_167) == 26_000
