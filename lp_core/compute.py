"""What a network runs on: device, precision, memory layout, and the switches for determinism."""

import os
from contextlib import AbstractContextManager
from pathlib import Path

import torch
from torch import nn

from lp_core.compute_spec import ComputeSpec, Precision
from lp_core.errors import InputError

_BF16_INSTRUCTIONS = {"avx512_bf16", "amx_bf16"}


class Compute:
    """A device made ready: deterministic kernels, autocast, layout.

    precision: what the settings' precision comes to on this device.
    """

    def __init__(self, spec: ComputeSpec, local_rank: int = 0) -> None:
        """Sets process-wide switches of PyTorch, the current GPU among them.

        local_rank: of this process among those that share the run; the number of its GPU, unless
        the settings name another. Raises InputError if the device is not there.
        """
        self.spec = spec
        name = spec.device
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        if name.startswith("cuda") and not torch.cuda.is_available():
            raise InputError(f"compute.device is {name!r}, but there is no GPU; use auto or cpu")
        self.device = torch.device(f"cuda:{local_rank}" if name == "cuda" else name)
        if self.device.type == "cuda":
            self._require_gpu()
            # What is not told a device takes the current one: the thread that pins the loader's
            # memory, say, which would open a context on the first GPU for every process.
            torch.cuda.set_device(self.device)
        self.precision: Precision = (
            ("bf16" if multiplies_bf16(self.device) else "fp32")
            if spec.precision == "auto"
            else spec.precision
        )
        if spec.threads:
            torch.set_num_threads(spec.threads)
        # cuBLAS reads this when its first handle is made, later than here.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        # An operator that has no deterministic kernel warns: a run without it beats no run.
        # (use_deterministic_algorithms does the same, but first imports the compiler: 1.5 s.)
        torch.set_deterministic_debug_mode("warn")
        # Costs time, changes nothing.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.allow_tf32 = False

    def _require_gpu(self) -> None:
        index, count = self.device.index, torch.cuda.device_count()
        if index < count:
            return
        if self.spec.device == str(self.device):
            raise InputError(
                f"compute.device is {self.spec.device!r}, but there are {count} GPUs, numbered "
                f"from 0; use auto, cpu, or a number below {count}"
            )
        raise InputError(
            f"train.devices: {index + 1} or more processes, but there are {count} GPUs; "
            f"give at most {count}"
        )

    @property
    def layout(self) -> torch.memory_format:
        """How convolution weights lie in memory."""
        return torch.channels_last if self.spec.channels_last else torch.contiguous_format

    def autocast(self) -> AbstractContextManager[None]:
        """The context in which forward passes run."""
        enabled = self.precision == "bf16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def to_device(self, model: nn.Module) -> nn.Module:
        """The network on the device, in the layout of the settings."""
        model = model.to(self.device)
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.ndim == 4:  # no other has channels_last; the module's own `to` fails there
                tensor.data = tensor.data.to(memory_format=self.layout)
        return model


def multiplies_bf16(device: torch.device) -> bool:
    """Whether the hardware has bfloat16 instructions of its own, so that it need not emulate them:
    GPUs of compute capability 8 and above, CPUs with AVX-512 BF16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and bool(_BF16_INSTRUCTIONS & _cpu_instructions())


def _cpu_instructions() -> set[str]:
    """Names of this CPU's instruction sets, as Linux spells them."""
    if hasattr(torch.cpu, "get_capabilities"):  # older releases of PyTorch lack it
        return {name for name, value in torch.cpu.get_capabilities().items() if value is True}
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return {name for line in lines if line.startswith("flags") for name in line.split()}
