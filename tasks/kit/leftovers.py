"""Rows files that params.yaml no longer lists, and that would make `tables` stale elsewhere.

`tables` depends on the folder rows/. Where a file of a round lies that is no longer listed, DVC
would record the folder with it, and find it changed in a clone that never had that round.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

CACHE = Path(".dvc", "cache", "files", "md5")


def remove_restorable(files: Iterable[Path]) -> list[Path]:
    """Remove the files whose content DVC's cache holds; give the files that were removed.

    A stage that is listed again gets its rows back from the cache. A file without a copy there may
    be somebody's own and stays.
    """
    restorable = [file for file in files if is_recorded(file)]
    for file in restorable:
        file.unlink()
    return restorable


def is_recorded(file: Path) -> bool:
    """Whether DVC's cache holds the file's content."""
    digest = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    return Path(CACHE, digest[:2], digest[2:]).is_file()
