"""Where the batch norm of averages of cheap tickets is re-estimated."""

from torch import Tensor

from lp_core.data.augment_spec import AugmentSpec
from lp_core.pooling.batch_norm import calibration_batches
from lp_core.seeds import noise_seed
from tasks.kit.bench import Bench
from tasks.kit.params import Params


def calibration_images(bench: Bench, params: Params, seed: int) -> list[Tensor]:
    """Batches of training images that the batch norm of averages is re-estimated on."""
    return calibration_batches(
        bench.dataset,
        params.section("sup_tickets.calibration_images", int),
        params.section("train.augment", AugmentSpec),
        noise_seed(seed, None, 0),
        bench.compute,
    )
