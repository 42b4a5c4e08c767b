"""Where the batch norm of averaged networks is re-estimated."""

from torch import Tensor

from lp_core.data.augment_spec import AugmentSpec
from lp_core.pooling.batch_norm import calibration_batches
from lp_core.seeds import noise_seed
from tasks.kit.bench import Bench
from tasks.kit.params import Params


def calibration_images(bench: Bench, params: Params, seed: int, count: int) -> list[Tensor]:
    """Batches of `count` training images, augmented as in training, the same for all networks of a
    seed. Reads the section train.augment."""
    return calibration_batches(
        bench.dataset,
        count,
        params.section("train.augment", AugmentSpec),
        noise_seed(seed, None, 0),
        bench.compute,
    )
