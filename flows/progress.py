"""How far a flow run has come: a line in its log now and then, and one bar for the whole run.

A thread of its own does the showing, so that nobody who runs stages waits for Prefect's API.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from types import TracebackType
from typing import Self

from prefect import get_run_logger
from prefect.client.schemas.objects import State

from flows.artifacts import Bar
from flows.durations import Durations, spoken
from flows.dvc import Outcome
from flows.estimate import Expectation, group, time_left
from flows.graph import Graph

SHOW_SECONDS = 5.0
LOG_SECONDS = 30.0
SHARE = 30  # of the time, one part goes into showing
NAMED = 3  # groups of stages of which nothing is known


class RunProgress:
    """What is known of one run while it runs; a context manager.

    Stages are told of from any thread. Inside it, what they took is kept in `durations`.
    """

    def __init__(
        self,
        flow: str,
        durations: Durations,
        at_once: Callable[[], int],
        force: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """flow: its name. at_once: how many stages can run side by side, as it is now. force:
        whether all stages run."""
        self._at_once = at_once
        self._force = force
        self._clock = clock
        self._durations = durations
        self._expected = Expectation(durations.last)
        self._graph: Graph | None = None
        self._begun: dict[str, float] = {}  # when
        self._ended: dict[str, State[None]] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._bar = Bar(f"{flow}-progress")
        self._logged, self._log_due = "", clock() + LOG_SECONDS
        self._shown = ""

    def begin(self, graph: Graph) -> None:
        """Says which stages the run is about; later again, where that is known better."""
        with self._lock:
            self._graph = graph

    def started(self, stage: str) -> None:
        """A stage has begun to run."""
        with self._lock:
            self._begun[stage] = self._clock()

    def finished(self, stage: str, state: State[None], seconds: float | None = None) -> None:
        """A stage has ended. seconds: what it took, where it ran and did complete."""
        with self._lock:
            self._ended[stage] = state
            if seconds is not None:
                self._expected.note(stage, seconds)
                self._durations.note(stage, seconds)

    def counts(self) -> str:
        """Such as `12 of 71 stages done, 5 cached`: of those that are done, five were cached."""
        with self._lock:
            ended = self._of_the_graph()
        done = [state for state in ended.values() if state.is_completed()]
        cached = sum(state.name == "Cached" for state in done)
        failed = sum(state.is_failed() or state.is_crashed() for state in ended.values())
        text = f"{len(done)} of {self._total()} stages done, {cached} cached"
        return f"{text}, {failed} failed" if failed else text

    def left(self) -> str:
        """Such as `about 20 min left`; empty where nothing is known, or nothing is left."""
        with self._lock:
            if self._graph is None:
                return ""
            ended, now = self._of_the_graph(), self._clock()
            todo = {
                name: tuple(up for up in stage.upstream if up not in ended)
                for name, stage in self._graph.stages.items()
                if name not in ended
            }
            expected = {name: self._expected.seconds(name) for name in self._will_act()}
            begun = {name: now - since for name, since in self._begun.items() if name in todo}
        seconds = {name: s for name, s in expected.items() if s is not None}
        unknown = list(dict.fromkeys(group(name) for name, s in expected.items() if s is None))
        left = time_left(todo, seconds, self._at_once(), begun)
        if not seconds or left <= 0:
            return ""
        if not unknown:
            return f"about {spoken(left)} left"
        more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
        return f"at least {spoken(left)} left ({', '.join(unknown[:NAMED])}{more} not known yet)"

    def __enter__(self) -> Self:
        self._logger = get_run_logger()
        run = copy_context().run  # where Prefect keeps which run this is
        self._thread = threading.Thread(target=run, args=(self._keep_showing,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._save()
        if kind is None:  # else Prefect's server may have gone, and would be waited for
            self._thread.join()
            self._show(self.counts())

    def _keep_showing(self) -> None:
        pause = SHOW_SECONDS
        while not self._over.wait(pause):
            start = time.monotonic()
            counts = self.counts()
            text = "; ".join(filter(None, (counts, self.left())))
            if counts != self._logged and self._clock() >= self._log_due:
                self._logger.info("%s", text)
                self._logged, self._log_due = counts, self._clock() + LOG_SECONDS
            self._show(text)
            self._save()
            # With thousands of stages it is work, which must not hold up those who run them.
            pause = max(SHOW_SECONDS, SHARE * (time.monotonic() - start))

    def _show(self, text: str) -> None:
        if text == self._shown or self._graph is None:
            return
        self._shown = text
        with self._lock:
            done = sum(state.is_completed() for state in self._of_the_graph().values())
        self._bar.show(100 * done / max(1, self._total()), text)

    def _save(self) -> None:
        try:
            self._durations.save()
        except OSError as error:
            self._logger.debug("Durations of stages are not kept: %s", error)

    def _total(self) -> int:
        return len(self._graph.stages) if self._graph else 0

    def _of_the_graph(self) -> dict[str, State[None]]:
        stages = self._graph.stages if self._graph else {}
        return {name: state for name, state in self._ended.items() if name in stages}

    def _will_act(self) -> list[str]:
        """The stages that are left to run, as far as one can tell: those that are stale, and all
        that builds on what has changed or will."""
        assert self._graph is not None
        changed: set[str] = set()
        lost: set[str] = set()
        names = []
        for name, stage in self._graph.stages.items():
            state = self._ended.get(name)
            if state is not None:
                if not state.is_completed():
                    lost.add(name)
                elif state.message != Outcome.UNCHANGED.value:
                    changed.add(name)
            elif not lost.isdisjoint(stage.upstream):
                lost.add(name)
            elif self._force or stage.stale or not changed.isdisjoint(stage.upstream):
                changed.add(name)
                names.append(name)
        return names
