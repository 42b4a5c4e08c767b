"""Settings of the machine that a network runs on; `compute` carries them out."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from lp_core.errors import InputError

Precision = Literal["bf16", "fp32"]
_Asked = Literal["auto", "bf16", "fp32"]
_MOST_THREADS = 1024  # beyond which a system may refuse to start them, and PyTorch then crashes


@dataclass(frozen=True)
class ComputeSpec:
    """What a network runs on.

    device: `auto` is the first GPU where there is one.
    precision: `auto` is bf16 where the hardware multiplies it (GPUs of compute capability 8 and
        above, CPUs with AVX-512 BF16 or AMX), fp32 elsewhere. `bf16` is autocast, which a machine
        without such instructions emulates, ten times slower. `fp32` is float32 in full, without
        the TensorFloat-32 that PyTorch lets convolutions use.
    channels_last: how convolution weights lie in memory. Images lie channels_last in any case, and
        PyTorch convolves in that layout as soon as either does: `false` converts the weights again
        in every convolution and gains nothing but weights that are contiguous.
    threads: of one stage on the CPU; 0 leaves PyTorch's own choice. Sums come out differently for
        another number of threads, hence a parameter and not a property of the machine.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    device: str = "auto"
    precision: _Asked = "auto"
    channels_last: bool = True
    threads: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.threads <= _MOST_THREADS:
            raise InputError(
                f"threads is {self.threads}; give 0 (PyTorch's choice) to {_MOST_THREADS}"
            )
        if self.precision not in get_args(_Asked):
            raise InputError(f"precision is {self.precision!r}; give auto, bf16 or fp32")
        if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", self.device):
            raise InputError(f"device is {self.device!r}; give auto, cpu, cuda, or cuda:1")
