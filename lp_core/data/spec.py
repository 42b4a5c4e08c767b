"""Settings of the stage `dataset`: where images come from and how they are split.

Training never reads these (its own settings are in `augment`), so that a change to how one set is
made invalidates that set alone.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from lp_core.errors import InputError

_MOST_PIXELS = 4096  # a side; a thousand such images fill 48 GB

Source = Literal[
    "digits", "cifar10", "cifar100", "mnist", "eurosat", "imagenet", "parquet", "arrow", "folder"
]


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """One image set.

    source:        who reads it: scikit-learn's digits, one of torchvision's classes, a folder of
                   Parquet files as the Hugging Face hub serves them, one that `save_to_disk` of
                   Hugging Face's `datasets` wrote (arrow), an image folder, or ImageNet's train/
                   and val/.
    watch:         the file, or small folder, whose change means that the images changed; DVC looks
                   at it in every run.
    path:          folder to read, or to download into (it is then made); relative to the working
                   directory. The digits come with scikit-learn and need none.
    image_column:  the images' column, of parquet and arrow; None for img or image.
    label_column:  the labels' column, likewise; None for label or fine_label.
    download:      whether torchvision may fetch what `path` lacks.
    size:          side in pixels that images are resized to; None keeps them. Needed where images
                   differ in size, and for a streamed set.
    val_fraction:  share of the training images held out for validation, class by class.
    test_fraction: share held out for testing first, where the source publishes no test split.
    classes:       how many of the classes are kept, the first ones; None keeps all.
    train_images:  how many training images are kept, class-balanced, before any is held out for
                   validation; None keeps all.
    test_images:   the same of the test images.
    mean, std:     what images scaled to 0-1 are normalised by, one number per channel; None for
                   those of the training images. For networks that were trained elsewhere.
    seed:          of these splits and choices only.
    stream:        store lists of files instead of pixels and decode while training (image folders).
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": True}

    source: Source
    watch: str
    path: str = ""
    image_column: str | None = None
    label_column: str | None = None
    download: bool = False
    size: int | None = None
    val_fraction: float = 0.1
    test_fraction: float = 0.2
    classes: int | None = None
    train_images: int | None = None
    test_images: int | None = None
    mean: list[float] | None = None
    std: list[float] | None = None
    seed: int = 0
    stream: bool = False

    def __post_init__(self) -> None:
        for name in ("val_fraction", "test_fraction"):
            fraction = getattr(self, name)
            if not 0 < fraction < 1:
                raise InputError(
                    f"{name} is {fraction}; it must lie between 0 and 1, both excluded"
                )
        if self.size is not None and not 1 <= self.size <= _MOST_PIXELS:
            raise InputError(
                f"size is {self.size}; give 1 to {_MOST_PIXELS} pixels, or null to keep them"
            )
        for name in ("classes", "train_images", "test_images"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise InputError(f"{name} is {count}; give 1 or more, or null for all")
            if count is not None and self.stream:
                raise InputError(f"{name} is {count}, but stream is true; remove one of them")
        if (self.mean is None) != (self.std is None):
            given, other = ("std", "mean") if self.mean is None else ("mean", "std")
            raise InputError(f"{given} is given without {other}; give both, or neither")
        if self.mean is not None and self.std is not None:
            _require_normalisation(self.mean, self.std)
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed is {self.seed}; give 0 or more, below 2**63")
        if not self.watch:
            raise InputError("watch is empty; name a file that changes when the images do")
        if self.source == "digits" and self.path:
            raise InputError(f"path is {self.path!r}, but source digits reads none; remove it")
        if self.source != "digits" and not self.path:
            raise InputError(f"path is empty; name the folder of source {self.source}")
        for name in ("image_column", "label_column"):
            if getattr(self, name) is not None and self.source not in ("parquet", "arrow"):
                raise InputError(
                    f"{name} is {getattr(self, name)!r}, but source {self.source} has no columns; "
                    "remove it"
                )
        if self.stream and self.source not in ("folder", "imagenet"):
            raise InputError(
                f"stream is true for source {self.source}; only folder and imagenet can stream"
            )
        if self.stream and self.size is None:
            raise InputError("stream is true without size; name the side to crop to, such as 224")


def _require_normalisation(mean: list[float], std: list[float]) -> None:
    if len(mean) != len(std) or len(mean) not in (1, 3):
        raise InputError(
            f"mean has {len(mean)} numbers and std {len(std)}; give each one number for grey "
            "images, three for colour"
        )
    if not all(0 <= number <= 1 for number in mean):
        raise InputError(f"mean is {mean}; give numbers from 0 to 1, of images scaled to 0-1")
    if not all(0 < number <= 1 for number in std):
        raise InputError(f"std is {std}; give numbers above 0, up to 1, of images scaled to 0-1")
