"""How long the rest of a run will take, from what its stages took: pure arithmetic.

A stage takes about what its siblings take, the stages of the same name before the `@`.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass
class _Group:
    """Siblings. `before`, `count_before`: the seconds of those that ran in earlier runs; `now`,
    `count`: of those that ran in this one; `again`, `again_before`: of those that ran in both."""

    before: float = 0.0
    count_before: int = 0
    now: float = 0.0
    count: int = 0
    again: float = 0.0
    again_before: float = 0.0


class Expectation:
    """What each stage is expected to take, in seconds."""

    def __init__(self, last: Mapping[str, float]) -> None:
        """last: what stages took when they last ran, in earlier runs."""
        self._last = last
        self._groups: defaultdict[str, _Group] = defaultdict(_Group)
        for stage, seconds in last.items():
            siblings = self._groups[group(stage)]
            siblings.before += seconds
            siblings.count_before += 1

    def note(self, stage: str, seconds: float) -> None:
        """Takes down what a stage took that ran in this run."""
        siblings = self._groups[group(stage)]
        siblings.now += seconds
        siblings.count += 1
        if stage in self._last:
            siblings.again += seconds
            siblings.again_before += self._last[stage]

    def seconds(self, stage: str) -> float | None:
        """None where neither the stage nor a sibling has ever run.

        What it took last time is scaled by how much longer its siblings take now: siblings differ
        (another network), and so do runs (more epochs, another machine).
        """
        siblings = self._groups[group(stage)]
        if stage in self._last:
            if siblings.again_before > 0:
                return self._last[stage] * siblings.again / siblings.again_before
            if not siblings.count:
                return self._last[stage]
        if siblings.count:
            return siblings.now / siblings.count
        return siblings.before / siblings.count_before if siblings.count_before else None


def group(stage: str) -> str:
    """What siblings have in common: `imp` of `imp@base-0-round1`."""
    return stage.partition("@")[0]


def longest_ways(
    upstream: Mapping[str, Collection[str]], seconds: Mapping[str, float]
) -> dict[str, float]:
    """For each stage the seconds of the longest way from its own start to the end of the run.

    upstream: for each stage, what it builds on; in topological order. What is not among its keys
    is done. seconds: of the stages that are to run; without an entry, none.
    """
    below = dict.fromkeys(upstream, 0.0)  # the longest way from the stage's end
    ways: dict[str, float] = {}
    for name in reversed(list(upstream)):
        ways[name] = below[name] + seconds.get(name, 0.0)
        for up in upstream[name]:
            if up in below:
                below[up] = max(below[up], ways[name])
    return ways


def longest_chain(
    upstream: Mapping[str, Collection[str]], seconds: Mapping[str, float]
) -> list[str]:
    """The stages of the longest way through the graph, first to last, as far as they take time."""
    ways = longest_ways(upstream, seconds)
    below: dict[str, list[str]] = {name: [] for name in upstream}
    for name, ups in upstream.items():
        for up in ups:
            if up in below:
                below[up].append(name)
    chain: list[str] = []
    nexts: Sequence[str] = list(upstream)
    while nexts:
        chain.append(max(nexts, key=lambda name: ways[name]))
        nexts = below[chain[-1]]
    return [name for name in chain if seconds.get(name, 0.0) > 0]


def time_left(
    upstream: Mapping[str, Collection[str]],
    seconds: Mapping[str, float],
    at_once: int,
    passed: Mapping[str, float] | None = None,
) -> float:
    """Seconds until all stages are done, of which `at_once` run side by side.

    upstream, seconds: as in `longest_ways`. passed: for each stage that runs already, for how long.
    """
    passed = passed or {}
    ways = longest_ways(upstream, seconds)
    waits = {name: sum(up in upstream for up in ups) for name, ups in upstream.items()}
    below: dict[str, list[str]] = {name: [] for name in upstream}
    for name, ups in upstream.items():
        for up in ups:
            if up in below:
                below[up].append(name)
    running = [
        (max(0.0, seconds.get(name, 0.0) - passed[name]), name)
        for name in upstream
        if name in passed
    ]
    heapq.heapify(running)
    ready = [(-ways[name], name) for name in upstream if not waits[name] and name not in passed]
    heapq.heapify(ready)
    now = 0.0
    while ready or running:
        while ready and len(running) < max(1, at_once):
            _, name = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds.get(name, 0.0), name))
        now, name = heapq.heappop(running)
        for waiting in below[name]:
            waits[waiting] -= 1
            if not waits[waiting] and waiting not in passed:
                heapq.heappush(ready, (-ways[waiting], waiting))
    return now
