"""Settings of a data set's corrupted test images."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from lp_core import faces
from lp_core.corruptions.names import CORRUPTIONS, EXTRA
from lp_core.errors import InputError

# Where corruptions are found by name.
KINDS = "lp_core.corruptions.kinds"


@dataclass(frozen=True, kw_only=True)
class CorruptSpec:
    """Where the corrupted test images of one data set come from, and how many there are.

    source: `generate` them by CIFAR-C's constants, or import the `official` .npy files.
    path: the folder of the official files; for `official` only.
    watch: the file, or small folder, whose change means that the images changed; DVC looks at it in
    every run. For generated images: the file that pins the versions of NumPy and OpenCV.
    images: test images in each corruption and severity, class-balanced; None for all.
    corruptions: by name, the 19 of CIFAR-C unless told. severities: of 1 … 5. seed: of every random
    draw.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    watch: str
    source: Literal["generate", "official"] = "generate"
    path: str = ""
    images: int | None = None
    corruptions: list[str] = field(default_factory=lambda: [*CORRUPTIONS, *EXTRA])
    severities: list[int] = field(default_factory=lambda: [1, 2, 3, 4, 5])
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.watch:
            raise InputError("watch is empty; name a file that changes when the images do")
        if self.source == "official" and not self.path:
            raise InputError("path is empty; name the folder of the official .npy files")
        if self.source == "generate" and self.path:
            raise InputError(
                f"path is {self.path!r}, but generated images have none; "
                "remove it, or give source: official"
            )
        known = faces.names(KINDS)
        wrong = [name for name in self.corruptions if name not in known]
        if wrong:
            raise InputError(f"corruptions has {wrong}; give some of {', '.join(known)}")
        if not set(self.severities) <= {1, 2, 3, 4, 5}:
            raise InputError(f"severities is {self.severities}; give some of 1, 2, 3, 4, 5")
        for name in ("corruptions", "severities"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise InputError(f"{name} is {values}; give at least one, each once")
        if self.images is not None and self.images < 1:
            raise InputError(f"images is {self.images}; give at least 1, or null for all")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed is {self.seed}; give 0 or more, below 2**63")
