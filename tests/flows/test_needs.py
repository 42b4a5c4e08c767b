from typing import Any

import pytest

from flows.needs import gpus_needed, refuse_numbered_device
from lp_core.errors import InputError

TRAINS = ("dataset", "compute", "train", "variants.wide")
MEASURES = ("dataset", "compute", "train.augment", "variants.wide")


def params(device: str = "auto", devices: int = 1, **variants: int) -> dict[str, Any]:
    return {
        "compute": {"device": device},
        "train": {"devices": devices, "augment": {}},
        "variants": {"base": {}}
        | {name: {"train": {"devices": devices}} for name, devices in variants.items()},
    }


@pytest.mark.parametrize("keys", [(), ("seeds",), ("train",), ("computer",)])
def test_a_stage_that_does_not_compute_asks_for_no_gpu(keys: tuple[str, ...]) -> None:
    assert gpus_needed(keys, params("cuda"), has_gpus=True) == 0


@pytest.mark.parametrize(
    ("device", "has_gpus", "needed"),
    [
        ("cpu", True, 0),
        ("auto", True, 1),
        ("auto", False, 0),
        ("cuda", True, 1),
        ("cuda", False, 1),  # and waits for a worker that has one
    ],
)
def test_a_stage_that_computes_asks_for_a_gpu_by_the_device(
    device: str, has_gpus: bool, needed: int
) -> None:
    assert gpus_needed(("compute",), params(device), has_gpus) == needed
    assert gpus_needed(TRAINS, params(device), has_gpus) == needed


def test_a_stage_that_trains_asks_for_the_devices_of_its_variant() -> None:
    assert gpus_needed(TRAINS, params(devices=2), has_gpus=True) == 2
    assert gpus_needed(TRAINS, params(devices=2, wide=4), has_gpus=True) == 4
    assert gpus_needed(TRAINS, params(devices=2, wide=1), has_gpus=True) == 1
    assert gpus_needed(TRAINS, params(other=4), has_gpus=True) == 1


def test_a_stage_that_only_measures_asks_for_one_gpu() -> None:
    assert gpus_needed(MEASURES, params(devices=2, wide=4), has_gpus=True) == 1


def test_without_params_a_stage_asks_for_what_the_defaults_say() -> None:
    assert gpus_needed(("compute", "train"), {}, has_gpus=True) == 1
    assert gpus_needed(("compute", "train"), {"variants": None, "train": 3}, has_gpus=False) == 0


def test_a_certain_gpu_cannot_be_asked_for() -> None:
    with pytest.raises(InputError, match=r"compute\.device is cuda:1, but .* give cuda or auto"):
        refuse_numbered_device(params("cuda:1"))
    for device in ("auto", "cpu", "cuda"):
        refuse_numbered_device(params(device))
