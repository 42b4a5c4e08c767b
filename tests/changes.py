"""Changing values deep in nested settings."""

import copy
from collections.abc import Mapping
from typing import Any


def with_changes(values: Any, changes: Mapping[str, Any], separator: str) -> Any:
    """A copy of `values` in which the value at each path is another; `...` takes it out.

    A path has keys, and positions in lists, between separators.
    """
    result = copy.deepcopy(values)
    for path, value in changes.items():
        *above, last = [int(key) if key.isdigit() else key for key in path.split(separator)]
        place = result
        for key in above:
            place = place[key]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return result
