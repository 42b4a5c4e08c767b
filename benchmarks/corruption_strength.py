"""How strong our corruptions are beside the published procedure, carried out image by image.

    python -m benchmarks.corruption_strength --data data/cifar10 [--ticket FILE] [--images N]
        [--photographs FOLDER]

On the first N test images. Each cell has the mean absolute change of a value, in grey levels, that
the published procedure (`benchmarks.corruptions_per_image`) makes, and by how many per cent ours is
stronger; with --ticket, the ticket's accuracy in per cent on the published images, and by how many
points it is higher on ours. --photographs: a folder with the published frost1.png … frost5.jpg,
which then take the place of the drawn ice on the published side.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks import corruptions_per_image
from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.corruptions.apply import corrupt
from lp_core.corruptions.imaging import Images
from lp_core.corruptions.names import CORRUPTIONS, EXTRA
from lp_core.data.loading import load_images, normalised_batches
from lp_core.data.store import Dataset
from lp_core.models.factory import build
from lp_core.tickets import Ticket
from lp_core.training.evaluation import predict, scores

PHOTOGRAPHS = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg")


def published(
    images: Images, name: str, severity: int, photographs: Sequence[bytes] | None = None
) -> Images:
    """The published procedure on each image; `photographs`: frost's, as files."""
    rng = np.random.default_rng(severity)
    function = getattr(corruptions_per_image, name)
    extra = (photographs,) if name == "frost" and photographs else ()
    return np.stack([function(image, severity, rng, *extra) for image in images])


def change(out: Images, images: Images) -> float:
    """Mean absolute change of a value, in grey levels."""
    return float(np.abs(out.astype(np.int16) - images).mean())


def scorer(ticket: Ticket, dataset: Dataset) -> Callable[[Images], float]:
    """Gives the ticket's accuracy, 0–1, on other versions of the first test images."""
    compute = Compute(ComputeSpec())
    shape = (len(dataset.classes), dataset.channels, dataset.size)
    model = compute.to_device(build(ticket.meta["model"], *shape, seed=0))
    ticket.to(compute.device, compute.layout).load_into(model)
    labels = dataset.labels("test")

    def accuracy(images: Images) -> float:
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
        batches = normalised_batches(
            pixels, labels[: len(images)], dataset.mean, dataset.std, 500, compute.device
        )
        return scores(*predict(model, batches, compute)).accuracy

    return accuracy


def main() -> None:
    """Print one row for each corruption, as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the stage `dataset`")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--photographs", type=Path, help="folder of frost1.png … frost5.jpg")
    parser.add_argument("--ticket", type=Path, help="a .safetensors file of the stage `imp`")
    options = parser.parse_args()
    dataset = Dataset.load(options.data)
    some = np.arange(min(options.images, len(dataset.labels("test"))))
    images = load_images(dataset, "test", some).images.permute(0, 2, 3, 1).contiguous().numpy()
    photographs = None
    if options.photographs:
        photographs = [(options.photographs / name).read_bytes() for name in PHOTOGRAPHS]
    measure: Callable[[Images], float] = partial(change, images=images)
    if options.ticket:
        measure = scorer(Ticket.load(options.ticket), dataset)

    what = "accuracy in %, points" if options.ticket else "change in grey levels, %"
    print(f"{len(images)} test images: published {what} by which ours is higher")
    print(f"{'severity':<18}" + "".join(f"{severity:>16}" for severity in range(1, 6)))
    for name in (*CORRUPTIONS, *EXTRA):
        print(f"{name:<18}", end="", flush=True)
        for severity in range(1, 6):
            theirs = measure(published(images, name, severity, photographs))
            ours = measure(corrupt(images, name, severity, seed=0))
            if options.ticket:
                cell = f"{100 * theirs:>9.1f}{100 * (ours - theirs):>+7.1f}"
            else:
                cell = f"{theirs:>9.2f}{100 * (ours / theirs - 1):>+7.1f}"
            print(cell, end="", flush=True)
        print()


if __name__ == "__main__":
    main()
