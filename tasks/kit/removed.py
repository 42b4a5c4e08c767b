"""What a subset leaves out, as params.yaml spells it: `easiest-30`, `hardest-30`."""

import re
from typing import Literal, cast

from lp_core.errors import InputError

_SPELLED = re.compile(r"(easiest|hardest)-([1-9][0-9]?)")


def parsed(removed: str) -> tuple[Literal["easiest", "hardest"], float]:
    """Which samples, and what share of all. Raises InputError for another spelling."""
    found = _SPELLED.fullmatch(removed)
    if not found:
        raise InputError(
            f"{removed!r} stands for no samples; give easiest-30 for the 30 percent that were "
            "forgotten least often, or hardest- and 1 to 99"
        )
    return cast(Literal["easiest", "hardest"], found[1]), int(found[2]) / 100
