"""Where checkpoints lie that become the tickets of a variant."""

from dataclasses import dataclass
from typing import ClassVar

from lp_core.checkpoints.pattern import compiled
from lp_core.errors import InputError


@dataclass(frozen=True)
class ImportSpec:
    """A folder of checkpoints.

    path: the folder; relative to the working directory.
    pattern: which of its files, by their paths below it: `*`, `?`, `[…]` and `**` as in a shell,
    {seed} and {ticket} for the numbers that say whose a file is.
    key: which of several networks in a file, such as `state_dict_ema`; None where there is one.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": True}

    path: str
    pattern: str
    key: str | None = None

    def __post_init__(self) -> None:
        if not self.path:
            raise InputError("path is empty; name the folder of the checkpoints")
        compiled(self.pattern)
