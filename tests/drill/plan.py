"""Which kills a drill makes: drawn from its seed, so that it can be repeated."""

import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

RUNNERS = ("dvc repro", "flow")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Kill:
    """One kill.

    whom: stage, dvc, flow (the command itself, where that is no flow), or all.
    after: when, since the command began (where `early`) or since it first started dvc, as a share
    of the time that the undisturbed run takes.
    runner: what to start, where no command has survived the last kill.
    write: None, or the number of DVC's writes in the middle of which the kill comes instead.
    half: whether half of that file is written then, or nothing.
    """

    runner: str
    signal: signal.Signals
    whom: str
    after: float
    early: bool
    write: int | None
    half: bool


def kills(seed: int) -> Iterator[Kill]:
    """An endless row of kills. Every third comes while DVC writes; the runners take turns."""
    draw = random.Random(seed)
    for number in count():
        writing = number % 3 == 2
        yield Kill(
            runner=RUNNERS[number % 2],
            # SIGKILL is the one that nobody can prepare for.
            signal=draw.choices(SIGNALS, weights=(3, 2, 1))[0],
            whom=draw.choice(("dvc", "all") if writing else ("stage", "dvc", "flow", "all")),
            after=draw.random() / 3,
            early=draw.random() < 0.2,
            write=draw.randint(1, 40) if writing else None,
            half=draw.random() < 0.5,
        )
