"""Write an image folder, as it could be your own: `train/<class>/…` and `test/<class>/…`.

The images are scikit-learn's handwritten digits from three to seven, enlarged to 16×16, as PNG.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

NAMES = ["three", "four", "five", "six", "seven"]
SIDE = 16  # pixels


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.own_images", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write them, such as downloads/own")
    write(parser.parse_args().folder)


def write(folder: Path) -> None:
    """Every fifth image of a class is for testing."""
    digits = load_digits()
    for label, name in enumerate(NAMES, start=3):
        chosen = np.flatnonzero(digits.target == label)
        for place, index in enumerate(chosen):
            home = folder / ("train" if place % 5 else "test") / name
            home.mkdir(parents=True, exist_ok=True)
            pixels = np.round(digits.images[index] * 255 / 16).astype(np.uint8)
            image = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            image.save(home / f"{index:04}.png")


if __name__ == "__main__":
    main()
