"""Which device a process takes, and what its precision comes to; the GPUs are made up."""

import re
from pathlib import Path

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
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))
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


@pytest.mark.parametrize(
    ("capability", "precision"), [((7, 5), "fp32"), ((8, 0), "bf16"), ((9, 0), "bf16")]
)
def test_auto_is_bf16_on_gpus_that_multiply_it(monkeypatch, made_current, capability, precision):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert Compute(ComputeSpec()).precision == precision
    assert made_current


CPUS = [
    ({"avx2", "fma"}, "fp32"),
    ({"avx2", "avx512_f", "avx512_vnni"}, "fp32"),
    ({"avx2", "avx512_f", "avx512_bf16"}, "bf16"),
    ({"avx2", "amx_tile", "amx_bf16"}, "bf16"),
]


@pytest.mark.parametrize(("instructions", "precision"), CPUS)
@pytest.mark.parametrize("told_by", ["torch", "linux", "nobody"])
def test_auto_is_bf16_on_cpus_that_multiply_it(monkeypatch, instructions, precision, told_by):
    known = {name: name in instructions for name in ["avx512_bf16", "amx_bf16", "avx2"]}
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: known | {"l2_cache_size": 1}, raising=False
    )
    if told_by != "torch":
        monkeypatch.delattr(torch.cpu, "get_capabilities")
        text = f"processor\t: 0\nflags\t\t: {' '.join(sorted(instructions))}\nbugs\t: amx_bf16\n"
        monkeypatch.setattr(Path, "read_text", lambda _: text)
    if told_by == "nobody":

        def missing(_: Path) -> str:
            raise FileNotFoundError

        monkeypatch.setattr(Path, "read_text", missing)
        precision = "fp32"
    assert Compute(ComputeSpec("cpu")).precision == precision


def test_this_machines_answer_is_what_linux_says():
    file = Path("/proc/cpuinfo")
    flags = re.findall(r"^flags.*", file.read_text() if file.exists() else "", re.MULTILINE)
    if not flags:
        pytest.skip("no /proc/cpuinfo with the flags of an x86 processor")
    multiplies = bool({"avx512_bf16", "amx_bf16"} & set(flags[0].split()))
    assert Compute(ComputeSpec("cpu")).precision == ("bf16" if multiplies else "fp32")


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_a_precision_that_is_typed_in_is_taken_whatever_the_machine(monkeypatch, precision):
    for known in ({}, {"avx512_bf16": True}):
        monkeypatch.setattr(torch.cpu, "get_capabilities", known.copy, raising=False)
        compute = Compute(ComputeSpec("cpu", precision, threads=1))
        assert compute.precision == precision
        with compute.autocast():
            product = torch.ones(2, 2) @ torch.ones(2, 2)
        assert product.dtype == (torch.bfloat16 if precision == "bf16" else torch.float32)


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cuda:1:2", ""])
def test_a_device_that_there_cannot_be_is_refused_before_pytorch_is_there(device):
    with pytest.raises(ValueError, match=r"^device is '.*'; give auto, cpu, cuda, or cuda:1$"):
        ComputeSpec(device)


def test_fp32_is_not_rounded_to_fewer_bits(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    Compute(ComputeSpec("cpu", "fp32"))
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize("channels_last", [True, False])
def test_convolutions_run_channels_last_since_images_lie_so(channels_last):
    compute = Compute(ComputeSpec("cpu", "fp32", channels_last, threads=1))
    convolution = compute.to_device(torch.nn.Conv2d(4, 8, 3))
    assert convolution.get_parameter("weight").is_contiguous(memory_format=compute.layout)
    images = torch.randn(2, 4, 9, 9).contiguous(memory_format=torch.channels_last)
    assert convolution(images).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("channels_last", [True, False])
def test_layers_of_other_dimensions_are_placed_as_they_are(channels_last):
    compute = Compute(ComputeSpec("cpu", "fp32", channels_last, threads=1))
    network = torch.nn.Sequential(torch.nn.Conv3d(1, 2, 3), torch.nn.Conv1d(2, 3, 1))
    for weight in compute.to_device(network).parameters():
        assert weight.is_contiguous()
