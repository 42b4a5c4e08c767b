"""How long each stage took when it last ran, kept in `.dvc/tmp/durations.json`.

It is there to be told, and decides nothing: where the file is missing or damaged, nothing is known.
"""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path

from lp_core.files import atomic_write

FILE = Path(".dvc", "tmp", "durations.json")


class Durations:
    """Seconds by the name of the stage: those that were known at first, and those that are noted.

    A stage that DVC finds unchanged, or restores, keeps what it took when it ran.
    """

    def __init__(self, root: Path) -> None:
        """Reads what the project in `root` knows."""
        self._path = root / FILE
        self.last = _read(self._path)
        self._new: dict[str, float] = {}
        self._lock = threading.Lock()

    def note(self, stage: str, seconds: float) -> None:
        """Takes down how long a stage took that has just run."""
        with self._lock:
            self._new[stage] = round(seconds, 3)

    def save(self) -> None:
        """Writes what was noted since the last time, beside what others have written meanwhile.

        OSError where the file cannot be written.
        """
        with self._lock:
            if not self._new:
                return
            known = _read(self._path) | self._new
            with atomic_write(self._path) as temporary:
                temporary.write_text(json.dumps(known, indent=0) + "\n", encoding="utf-8")
            self._new = {}


def spoken(seconds: float) -> str:
    """A time as one would say it: `40 s`, `14 min`, `3 h 20 min`, `2.5 days`."""
    minutes = round(seconds / 60)
    if seconds < 1:
        return "under 1 s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if minutes < 100:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min".removesuffix(" 0 min")
    return f"{seconds / 86400:.1f} days"


def _read(path: Path) -> dict[str, float]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {
        stage: float(seconds)
        for stage, seconds in content.items()
        if isinstance(seconds, int | float)
        and not isinstance(seconds, bool)
        and math.isfinite(seconds)
        and seconds >= 0
    }
