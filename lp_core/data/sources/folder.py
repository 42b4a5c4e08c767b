"""Image folders: `train/<class>/…` with or without `val/` and `test/`, or `<class>/…` alone.

Tiny ImageNet's own layout is understood too: `train/<class>/images/…`, and a `val/` whose labels
are listed in `val_annotations.txt`. ImageNet is `train/` and `val/` with a folder per WordNet id.
"""

import os
from pathlib import Path

import numpy as np

from lp_core.data.images import Picture
from lp_core.data.sources.examples import Examples, Published
from lp_core.errors import InputError, MissingInputError

_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
_VAL_NAMES = ("val", "valid", "validation")
_ANNOTATIONS = "val_annotations.txt"


def read_folder(path: str) -> Published:
    """All images below the folder `path`, classes in the order of their folders' names.

    A `test/` without class folders has no labels and is left out. Raises MissingInputError where
    the folder is missing or holds no class, and InputError for a class without images or unknown to
    the training split.
    """
    root = Path(path)
    if not root.is_dir():
        raise MissingInputError(f"{path} is not a folder; path must name one with class folders")
    folders = _folders(root)
    train = root / "train" if "train" in folders else root
    val = next((name for name in _VAL_NAMES if name in folders), None)
    if train == root and (val or "test" in folders):
        raise MissingInputError(
            f"{path} has {val or 'test'}/ but no train/; add the training images"
        )
    classes = _folders(train)
    if not classes:
        raise MissingInputError(f"{train} holds no folders; each class needs one, with its images")
    splits = {"train": _by_class(train, classes)}
    if val and (root / val / _ANNOTATIONS).is_file():
        splits["val"] = _annotated(root / val, classes)
    elif val:
        splits["val"] = _by_class(root / val, classes)
    if "test" in folders and set(_folders(root / "test")) & set(classes):
        splits["test"] = _by_class(root / "test", classes)
    return Published(classes, splits)


def read_imagenet(path: str) -> Published:
    """ImageNet: as `read_folder`, but `train/` and `val/` must both be there."""
    for name in ("train", "val"):
        if not (Path(path) / name).is_dir():
            raise MissingInputError(
                f"{path} has no {name}/; ImageNet needs train/ and val/, a folder per class in each"
            )
    return read_folder(path)


def _folders(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))


def _images(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        names = (e.name for e in entries)
        chosen = [n for n in names if n.lower().endswith(_SUFFIXES) and not n.startswith(".")]
    return [f"{folder}/{name}" for name in sorted(chosen)]


def _by_class(folder: Path, classes: list[str]) -> Examples:
    present = set(_folders(folder))
    if not present:
        raise InputError(f"{folder} holds no folders; sort its images into one for each class")
    unknown = sorted(present - set(classes))
    if unknown:
        raise InputError(
            f"{folder / unknown[0]} is a class that the training images do not have; remove it, "
            "or add them"
        )
    pictures: list[Picture] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        if name not in present:  # a small validation set may lack a class
            continue
        home = folder / name
        inner = home / "images"
        paths = _images(inner if inner.is_dir() else home)
        if not paths:
            raise InputError(f"{home} holds no images; add some, or remove the class")
        pictures += [Picture(path, path) for path in paths]
        labels += [label] * len(paths)
    return Examples(pictures, np.array(labels, dtype=np.int64))


def _annotated(folder: Path, classes: list[str]) -> Examples:
    """Tiny ImageNet's validation images: a line is file name, class and a box, tab by tab."""
    numbers = {name: label for label, name in enumerate(classes)}
    annotations = folder / _ANNOTATIONS
    pictures: list[Picture] = []
    labels: list[int] = []
    try:
        lines = annotations.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{annotations} is not UTF-8 text ({error}); fetch it again") from error
    for count, line in enumerate(lines, start=1):
        fields = line.split("\t")
        if len(fields) < 2 or fields[1] not in numbers:
            raise InputError(
                f"{annotations}, line {count}: {line!r} names no class of train/; mend it"
            )
        path = f"{folder}/images/{fields[0]}"
        pictures.append(Picture(path, path))
        labels.append(numbers[fields[1]])
    if not pictures:
        raise InputError(f"{annotations} lists no images; fetch it again")
    return Examples(pictures, np.array(labels, dtype=np.int64))
