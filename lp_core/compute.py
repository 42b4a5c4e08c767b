"""What a network runs on: device, precision, memory layout, and the switches for determinism."""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from lp_core.errors import InputError


@dataclass(frozen=True)
class ComputeSpec:
    """Settings of the machine.

    device: `auto` is the first GPU where there is one. precision: `bf16` is autocast; `fp32` is
    float32 in full, without the TensorFloat-32 that PyTorch lets convolutions use. channels_last:
    how convolution weights lie in memory. Images lie channels_last in any case, and PyTorch
    convolves in that layout as soon as either does: `false` converts the weights again in every
    convolution and gains nothing but weights that are contiguous. threads: of one stage on the CPU;
    0 leaves PyTorch's own choice. Sums come out differently for another number of threads, hence a
    parameter and not a property of the machine.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    device: str = "auto"
    precision: Literal["bf16", "fp32"] = "bf16"
    channels_last: bool = True
    threads: int = 0

    def __post_init__(self) -> None:
        if self.threads < 0:
            raise InputError(f"threads is {self.threads}; give 0 (PyTorch's choice) or more")
        if self.device != "auto":
            try:
                torch.device(self.device)
            except RuntimeError as error:
                raise InputError(f"device is {self.device!r}; use auto, cpu or cuda") from error


class Compute:
    """A device made ready: deterministic kernels, autocast, layout."""

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
        enabled = self.spec.precision == "bf16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def place(self, model: nn.Module) -> nn.Module:
        """The network on the device, in the layout of the settings."""
        return model.to(self.device).to(memory_format=self.layout)  # type: ignore[call-overload]
