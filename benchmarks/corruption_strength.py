"""How strong our corruptions are beside the published procedure, carried out image by image.

    python -m benchmarks.corruption_strength --data FOLDER [--images N] [--photographs FOLDER]

FOLDER holds CIFAR-10's Parquet files. Each cell is the mean absolute change of a value, in grey
levels, that the published procedure (`benchmarks.corruptions_per_image`) makes, and by how many per
cent ours is stronger. --photographs: a folder with the published frost1.png … frost5.jpg, which
then take the place of the drawn ice on the published side.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import corruptions_per_image
from benchmarks.corruptions import load_images
from lp_core.corruptions.apply import corrupt
from lp_core.corruptions.imaging import Images
from lp_core.corruptions.names import CORRUPTIONS, EXTRA

# The published way takes milliseconds for an image of these, and chance matters little to them.
SLOW, FEW = ("glass_blur", "zoom_blur"), 100
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


def compared(
    images: Images, name: str, severity: int, photographs: Sequence[bytes] | None = None
) -> tuple[float, float]:
    """The published change, and ours over it minus 1."""
    some = images[:FEW] if name in SLOW else images
    theirs = change(published(some, name, severity, photographs), some)
    return theirs, change(corrupt(some, name, severity, seed=0), some) / theirs - 1


def main() -> None:
    """Print one row for each corruption, as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="CIFAR-10's Parquet files")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--photographs", type=Path, help="folder of frost1.png … frost5.jpg")
    options = parser.parse_args()
    images = load_images(options.images, options.data)
    photographs = None
    if options.photographs:
        photographs = [(options.photographs / name).read_bytes() for name in PHOTOGRAPHS]

    print(
        f"{len(images)} test images ({FEW} for {' and '.join(SLOW)}): the published change in grey"
    )
    print("levels, and by how many % ours is stronger")
    print(f"{'severity':<20}" + "".join(f"{severity:>16}" for severity in range(1, 6)))
    for name in (*CORRUPTIONS, *EXTRA):
        print(f"{name:<20}", end="", flush=True)
        for severity in range(1, 6):
            theirs, excess = compared(images, name, severity, photographs)
            print(f"{theirs:>8.2f}{100 * excess:>+7.1f}%", end="", flush=True)
        print()


if __name__ == "__main__":
    main()
