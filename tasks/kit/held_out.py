"""The held-out score by which tickets are pooled."""

from lp_core.data.augment_spec import AugmentSpec
from lp_core.pooling.heldout import HeldOut, held_out_for
from lp_core.pooling.spec import ScoringSpec
from lp_core.seeds import noise_seed
from tasks.kit.bench import Bench
from tasks.kit.params import Params


def pooling_score(bench: Bench, params: Params, seed: int) -> HeldOut:
    """As `pooling.scoring` has it. Reads that section and train.augment."""
    return held_out_for(
        bench.model,
        bench.dataset,
        params.section("pooling.scoring", ScoringSpec),
        params.section("train.augment", AugmentSpec),
        noise_seed(seed, None, 0),
        bench.compute,
    )
