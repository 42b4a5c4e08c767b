"""What a file of weights holds, whatever its format."""

from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor


@dataclass(frozen=True)
class Checkpoint:
    """A network's tensors on the CPU, under the names that the file gives them.

    state: parameters and buffers, as `nn.Module.load_state_dict` takes them; not yet masked.
    masks: by name of the weight (bool, of its shape), of those weights that the file has masks for;
    of the others a zero may be one that was pruned.
    """

    path: Path
    state: dict[str, Tensor]
    masks: dict[str, Tensor] = field(default_factory=dict)
