"""How hard the images of a run are to remember, as the forks of one start tell.

The stage `instability` writes it of the forks that are listed, and stages that choose images by it
read that: so a fork that was listed once trains nothing again.
"""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lp_core.analysis.forgetting import Forgotten, difficulty
from lp_core.analysis.per_sample import load_per_sample, save_per_sample
from tasks.kit import paths
from tasks.kit.starts import REWIND

_KIND = "difficulty"


def save_difficulty(variant: str, seed: int, start: str, counts: list[Forgotten]) -> None:
    """counts: what each fork of the start forgot."""
    tensors: dict[str, Tensor] = {_KIND: difficulty(counts)}
    path = paths.difficulty(variant, seed, start)
    save_per_sample(path, _KIND, tensors, _whose(variant, seed, start))


def rewind_difficulty(variant: str, seed: int) -> NDArray[np.float64]:
    """Of each image of the training split; the higher, the harder: the mean over the forks at the
    rewind point. Raises as `load_per_sample` does."""
    path = paths.difficulty(variant, seed, REWIND)
    return load_per_sample(path, _KIND, _whose(variant, seed, REWIND))[_KIND].numpy()


def _whose(variant: str, seed: int, start: str) -> dict[str, str | int | None]:
    return {"variant": variant, "seed": seed, "start": start}
