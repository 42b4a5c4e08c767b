"""Settings of the augmentation; `augment` carries them out."""

from dataclasses import dataclass
from typing import ClassVar

from lp_core.errors import InputError


@dataclass(frozen=True)
class AugmentSpec:
    """How training images are varied.

    crop: pixels of black padding on every side before a crop of the original size at a random
          place; 0 turns it off. On a streamed set any positive value means random-resized crops.
    flip: mirror left to right with probability one half.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": True}

    crop: int = 4
    flip: bool = True

    def __post_init__(self) -> None:
        if self.crop < 0:
            raise InputError(f"crop is {self.crop}; it must be a number of pixels, or 0 for none")
