"""How hard the images of a run are to remember, as its forks at the rewind point tell."""

import numpy as np
from numpy.typing import NDArray

from lp_core.analysis.forgetting import Forgotten, difficulty
from tasks.kit import paths
from tasks.kit.forks import Fork
from tasks.kit.params import Params


def rewind_difficulty(params: Params, variant: str, seed: int) -> NDArray[np.float64]:
    """Of each image of the training split; the higher, the harder: the mean over the forks that
    the section sgd_noise.noise lists. Raises InputError where one of them is not there."""
    noise = params.section("sgd_noise.noise", list[int])
    forks = [Fork(variant, seed, "rewind", each) for each in noise]
    counts = [Forgotten.load(fork.folder / paths.FORGETTING, **fork.whose) for fork in forks]
    return difficulty(counts).numpy()
