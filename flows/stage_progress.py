"""The progress of one stage, from the lines that it prints: `epoch 3/40`, `probe 2/9`, tqdm's bars.

Much that looks like `3/40` is something else: a date, a path, a fraction. What plainly counts is
believed at once; anything else when it is seen to count, from one line to the next.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from flows.artifacts import Bar

LONG_SECONDS = 5.0  # a stage that is done sooner needs no progress bar
EVERY_SECONDS = 5.0
LOG_SECONDS = 30.0

READ_LETTERS = 500  # of a line

# Not a part of a path, of a version or of a date, and nothing with a unit.
_COUNT = r"(?<![\w/.,+\-])(?P<n>\d{1,9})\s?/\s?(?P<m>\d{1,9})(?![\w/%+\-]|[.,]\w)"
_EPOCH = re.compile(rf"\b(?P<what>epoch)s?:?\s*\[?\s*{_COUNT}", re.IGNORECASE)
# As tqdm draws it, with any unit: `train:  45%|████▌     | 45/100 [00:01<00:01, 30.1it/s]`, and
# where it does not know the end: `45it [00:01, 30.1it/s]`.
_BAR = re.compile(
    r"(?<!\S)(?P<percent>\d{1,3})%\|[^|]*\| *(?P<n>[\d.]+[kMGTP]?)/(?P<m>[\d.]+[kMGTP]?) *\["
)
_ENDLESS_BAR = re.compile(r"(?<!\S)[\d.]+\w+ \[[\d:]+, +[\d.?]+\S+/\S+\]")
# Not a day and a month, which a time follows.
_ANY = re.compile(
    rf"(?:(?P<what>[^\W\d][\w-]*):?\s+)?[\[(]?\s?{_COUNT}(?!,?\s+\d\d?:\d\d)"
    r"(?:\s+(?P<noun>[^\W\d]{2,}))?"
)


@dataclass(frozen=True)
class Count:
    """How far a stage has come: `text` is such as `epoch 3 of 40`."""

    percent: float
    text: str


class Counter:
    """Finds the counting in what one stage prints."""

    def __init__(self, stage: str) -> None:
        # As the stages of this project print it: `corrupt@digits: snow 2/19`.
        own = re.escape(stage.partition("@")[0])
        self._own = re.compile(rf"{own}[@:](?:.*?\s(?P<what>[^\W\d][\w-]*)|.*?):?\s{_COUNT}\s*$")
        self._counting: set[int] = set()  # totals up to which the stage has been seen to count
        self._last: dict[int, int] = {}  # by total, the number that was seen last

    def read(self, line: str) -> Count | None:
        """What the line tells of the stage's progress, if it does."""
        line = line[:READ_LETTERS]
        if match := _EPOCH.search(line) or self._own.match(line):
            return _count(match, match["what"])
        if match := _BAR.search(line):
            what = line[: match.start()].strip(" :")
            text = f"{match['n']} of {match['m']}"
            return Count(float(match["percent"]), f"{what} {text}" if what else text)
        for match in _ANY.finditer(line):
            number, total = int(match["n"]), int(match["m"])
            before = self._last.get(total)
            self._last[total] = number
            if before is not None and before < number <= total:
                self._counting.add(total)
            if total in self._counting:
                return _count(match, match["what"], match["noun"])
        return None


def is_bar(line: str) -> bool:
    """Whether the line is one state of a bar that a terminal would draw over and over."""
    line = line[:READ_LETTERS]
    return _BAR.search(line) is not None or _ENDLESS_BAR.search(line) is not None


class StageProgress:
    """The progress bar of one stage in the UI, fed with the lines that the stage prints."""

    def __init__(self, stage: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._stage = stage
        self._clock = clock
        self._due = clock() + LONG_SECONDS
        self._log_due = clock()
        self._counter = Counter(stage)
        self._bar = Bar(stage)
        self._last: Count | None = None
        self._shown: Count | None = None

    def see(self, line: str) -> bool:
        """Takes a line of output, which may move the bar. Whether the line is worth logging: of a
        bar that is drawn over and over, a state now and then is."""
        count = self._counter.read(line)
        if count is not None:
            self._last = count
            if self._clock() >= self._due:
                self._show()
        if not is_bar(line):
            return True
        if self._clock() < self._log_due:
            return False
        self._log_due = self._clock() + LOG_SECONDS
        return True

    def finish(self) -> None:
        """Brings a bar that was shown to the last count that was seen."""
        if self._bar.is_there and self._shown != self._last:
            self._show()

    def _show(self) -> None:
        assert self._last is not None
        self._bar.show(self._last.percent, f"{self._stage}: {self._last.text}")
        self._shown = self._last
        self._due = self._clock() + EVERY_SECONDS


def _count(match: re.Match[str], what: str | None, noun: str | None = None) -> Count | None:
    number, total = int(match["n"]), int(match["m"])
    if total == 0 or number > total:
        return None
    words = (what and what.lower(), f"{number} of {total}", None if what else noun)
    return Count(100 * number / total, " ".join(filter(None, words)))
