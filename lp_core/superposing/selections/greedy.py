"""Lottery Pools' greedy search (Algorithms 2 and 3) over the cheap tickets of one run."""

from collections.abc import Sequence

from torch import nn

from lp_core.compute import Compute
from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.store import Dataset
from lp_core.pooling.heldout import held_out_for
from lp_core.pooling.recipes.search import Search
from lp_core.pooling.spec import ScoringSpec
from lp_core.tickets import Ticket


def search(
    tickets: Sequence[Ticket],
    model: nn.Module,
    dataset: Dataset,
    calibration_images: int,
    augment: AugmentSpec,
    seed: int,
    compute: Compute,
) -> Ticket:
    """The last cheap ticket, pooled with the earlier ones, the latest first.

    Exact, on the data set's held-out split; of the last ticket's density. tickets: in the order in
    which they were made, on the CPU. calibration_images, augment, seed: of the images that batch
    norm is re-estimated on (see `calibration_batches`). The ticket comes with the statistics that
    its score was measured with, and where they lie, the network's device.
    """
    scoring = ScoringSpec("exact", "re-estimate", calibration_images)
    held_out = held_out_for(model, dataset, scoring, augment, seed, compute)
    last, *earlier = (ticket.to(compute.device, compute.layout) for ticket in reversed(tickets))
    return held_out.calibrate(Search().pool(last, earlier, held_out).ticket)
