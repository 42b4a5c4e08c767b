"""Which training images batch norm should be re-estimated on: augmented or not, and how many.

    python -m benchmarks.calibration --tickets tickets/base/0 --data data/cifar10-jpeg

Held-out accuracy of each ticket with the statistics that training gave it, and with statistics
re-estimated on N training images, unaugmented and augmented; then the same for the average of each
pair of neighbours, whose parents' averaged statistics stand in the first column.
"""

import argparse
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.loading import eval_batches
from lp_core.data.store import Dataset
from lp_core.models.factory import build
from lp_core.pooling.batch_norm import calibration_batches
from lp_core.pooling.heldout import HeldOut
from lp_core.pooling.interpolation import interpolate
from lp_core.tickets import Ticket


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=Path, required=True, help="a folder of 0.safetensors …")
    parser.add_argument("--data", type=Path, required=True, help="folder of the stage `dataset`")
    parser.add_argument("--images", type=int, nargs="+", default=[512, 1024, 4096])
    parser.add_argument("--crop", type=int, default=4, help="pixels, as in training")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()

    compute = Compute(ComputeSpec(device=arguments.device, threads=1))
    dataset = Dataset.load(arguments.data)
    numbers = sorted(int(p.stem) for p in arguments.tickets.glob("[0-9]*.safetensors"))
    tickets = [Ticket.load(arguments.tickets / f"{n}.safetensors") for n in numbers]
    model = build(
        tickets[0].meta["model"], len(dataset.classes), dataset.channels, dataset.size, seed=0
    )
    val = list(eval_batches(dataset, "val", 500, compute.device))
    columns = {"own or averaged": HeldOut(model, [val], [], compute)}
    for name, augment in (
        ("plain", AugmentSpec(crop=0, flip=False)),
        ("augmented", AugmentSpec(crop=arguments.crop, flip=True)),
    ):
        for count in arguments.images:
            images = calibration_batches(dataset, count, augment, 0, compute)
            columns[f"{count} {name}"] = HeldOut(model, [val], images, compute)

    print("held-out accuracy in %, statistics from so many training images")
    print(f"{'ticket':>10}" + "".join(f"{name:>16}" for name in columns))
    subjects = {str(n): ticket for n, ticket in zip(numbers, tickets, strict=True)}
    for (a, one), (b, two) in pairwise(list(subjects.items())):
        subjects[f"({a}+{b})/2"] = interpolate(one, two, 0.5, two.kept)
    for name, ticket in subjects.items():
        # Marked as if interpolated, so that a trained ticket is re-estimated too.
        marked = replace(ticket, meta={"batch_norm": "averaged"})
        row = "".join(f"{100 * score(marked):16.2f}" for score in columns.values())
        print(f"{name:>10}{row}", flush=True)


if __name__ == "__main__":
    main()
