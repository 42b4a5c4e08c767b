"""Which device a process takes, and what its precision means; the GPUs are made up."""

import pytest
import torch

from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec


@pytest.fixture
def made_current(monkeypatch: pytest.MonkeyPatch) -> list[torch.device]:
    """Two GPUs that are not there; the devices that were made the current one."""
    chosen: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    return chosen


@pytest.mark.parametrize(
    ("device", "rank", "expected"),
    [("auto", 0, "cuda:0"), ("auto", 1, "cuda:1"), ("cuda", 1, "cuda:1"), ("cuda:1", 0, "cuda:1")],
)
def test_a_processs_gpu_is_its_current_one(made_current, device, rank, expected):
    assert Compute(ComputeSpec(device), rank).device == torch.device(expected)
    assert made_current == [torch.device(expected)]


def test_a_run_on_the_cpu_leaves_the_gpus_alone(made_current):
    assert Compute(ComputeSpec("cpu"), 1).device == torch.device("cpu")
    assert made_current == []


@pytest.mark.parametrize(
    ("device", "rank", "message"),
    [
        ("auto", 2, r"^train\.devices: 3 or more processes, but there are 2 GPUs; give at most 2"),
        ("cuda:7", 0, r"^compute\.device is 'cuda:7', but there are 2 GPUs"),
    ],
)
def test_a_gpu_that_is_not_there_is_an_error(made_current, device, rank, message):
    with pytest.raises(ValueError, match=message):
        Compute(ComputeSpec(device), rank)
    assert made_current == []


def test_fp32_is_not_rounded_to_fewer_bits(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    Compute(ComputeSpec("cpu", "fp32"))
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize("channels_last", [True, False])
def test_convolutions_run_channels_last_since_images_lie_so(channels_last):
    compute = Compute(ComputeSpec("cpu", "fp32", channels_last, threads=1))
    convolution = compute.place(torch.nn.Conv2d(4, 8, 3))
    assert convolution.weight.is_contiguous(memory_format=compute.layout)
    images = torch.randn(2, 4, 9, 9).contiguous(memory_format=torch.channels_last)
    assert convolution(images).is_contiguous(memory_format=torch.channels_last)
