"""Which kills a drill makes: drawn from its seed, so that it can be repeated."""

import random
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

# What runs the experiment, and whom kills are meant for then. On Dask, workers share the one
# workspace, or each has a clone. `flow` is the process that was started (on Dask: the coordinator),
# `dvc` what has DVC run a stage (in a clone: flows.clone), `worker` one of two Dask workers.
RUNNERS = {
    "dvc repro": ("stage", "dvc", "flow", "all"),
    "flow": ("stage", "dvc", "flow", "all"),
    "dask": ("stage", "dvc", "worker", "scheduler", "flow", "all"),
    "clones": ("stage", "dvc", "worker", "scheduler", "flow", "all"),
}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Kill:
    """One kill.

    runner: what to start, where no command has survived the last kill.
    whom: the target; where the runner that survived has no such process, the stage.
    after: when, since the command began (where `early`) or since it first started dvc, as a share
    of the time that the undisturbed run takes.
    write: None, or the number of DVC's writes in the middle of which the kill comes instead.
    half: whether half of that file is written then, or nothing.
    """

    runner: str
    signal: signal.Signals
    whom: str
    after: float = 0.0
    early: bool = False
    write: int | None = None
    half: bool = False


def kills(seed: int, runners: Sequence[str] = tuple(RUNNERS)) -> Iterator[Kill]:
    """An endless row of kills. Every third comes while DVC writes; the runners take turns."""
    draw = random.Random(seed)
    for number in count():
        writing = number % 3 == 2
        # Each meets each kind of kill.
        runner = runners[(number + number // len(runners)) % len(runners)]
        yield Kill(
            runner=runner,
            # SIGKILL is the one that nobody can prepare for.
            signal=draw.choices(SIGNALS, weights=(3, 2, 1))[0],
            whom=draw.choice(("dvc", "all") if writing else RUNNERS[runner]),
            after=draw.random() / 3,
            early=draw.random() < 0.2,
            write=draw.randint(1, 40) if writing else None,
            half=draw.random() < 0.5,
        )
