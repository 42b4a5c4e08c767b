"""Corrupting images: the project's batched code against the published one-by-one procedure.

    python -m benchmarks.corruptions [--images N] [--data FOLDER] [--severity 1-5]

FOLDER holds CIFAR-10's Parquet files; without it the images are smoothed noise, which costs the
same. Both ways run in this process, on the same images; times are milliseconds per image.
"""

import argparse
import io
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from benchmarks import corruptions_per_image
from lp_core.corruptions.apply import corrupt
from lp_core.corruptions.imaging import Images
from lp_core.corruptions.names import CORRUPTIONS, EXTRA

# What the project's requirements give for the original script: all 19 corruptions at one severity.
PUBLISHED_MS = 33.0
# The one-by-one way is slow, and each of its images costs the same.
PER_IMAGE_SAMPLE = 100


def load_images(count: int, folder: Path | None) -> Images:
    """uint8, count × 32 × 32 × 3."""
    if folder is None:
        noise = np.random.default_rng(0).normal(0, 1, (count, 32, 32, 3))
        smooth = ndimage.gaussian_filter(noise, (0, 3, 3, 0))
        return np.clip(128 + 600 * smooth, 0, 255).astype(np.uint8)
    import pyarrow.parquet as pq

    files = sorted(folder.glob("test-*.parquet"))
    if not files:
        raise SystemExit(f"no test-*.parquet in {folder}; --data wants CIFAR-10's Parquet folder")
    column = pq.read_table(files[0], columns=["img"])["img"][:count]
    pictures = (Image.open(io.BytesIO(cell["bytes"].as_py())) for cell in column)
    return np.stack([np.asarray(picture.convert("RGB")) for picture in pictures])


def milliseconds(run: Callable[[], object], images: int) -> float:
    """The faster of two runs, per image."""
    times = []
    for _ in range(2):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1000 * min(times) / images


def one_by_one(images: Images, name: str, severity: int) -> None:
    rng = np.random.default_rng(0)
    function = getattr(corruptions_per_image, name)
    for image in images:
        function(image, severity, rng)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--data", type=Path, help="folder with CIFAR-10's Parquet files")
    parser.add_argument("--severity", type=int, default=3, choices=range(1, 6))
    options = parser.parse_args()
    images = load_images(options.images, options.data)
    sample = images[:PER_IMAGE_SAMPLE]

    print(f"{len(images)} images of 32×32×3, severity {options.severity}, {os.cpu_count()} cores")
    print(f"{'ms per image':<20}{'batched':>10}{'one by one':>12}{'ratio':>8}")
    totals = np.zeros(2)
    for name in (*CORRUPTIONS, *EXTRA):

        def batched(name: str = name) -> None:
            corrupt(images, name, options.severity, seed=0)

        def singly(name: str = name) -> None:
            one_by_one(sample, name, options.severity)

        ours, theirs = milliseconds(batched, len(images)), milliseconds(singly, len(sample))
        totals += ours, theirs
        print(f"{name:<20}{ours:>10.3f}{theirs:>12.3f}{theirs / ours:>8.1f}", flush=True)
    ours, theirs = totals
    print(f"{'all 19':<20}{ours:>10.3f}{theirs:>12.3f}{theirs / ours:>8.1f}")
    print(f"{'original script*':<20}{'':>10}{PUBLISHED_MS:>12.3f}{PUBLISHED_MS / ours:>8.1f}")
    print("* not measured here: the figure that the project's requirements quote")


if __name__ == "__main__":
    main()
