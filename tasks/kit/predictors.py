"""Rows of the table `predictors`: what could have told each pooled ticket's gain, beside it."""

import math
from collections.abc import Iterable
from statistics import fmean

from tasks.kit.rows import Row, Tables

_OF = ("dataset", "model", "variant", "seed", "method", "ticket", "density", "gain")


def predictors(tables: Tables) -> list[Row]:
    """A row for each pooled ticket in `pools`, from `barriers`, `disagreement` and `instability`.

    The gain is the one on test images. A value that nothing was measured for is None: the
    instability of a variant that nobody forked, the barrier to a neighbour that diverged.
    """
    barriers = _by(tables["barriers"], "ticket_a", "ticket_b", split="val")
    differing = _by(tables["disagreement"], "ticket_a", "ticket_b")
    forks = [r for r in tables["instability"] if r["start"] == "rewind" and r["removed"] is None]
    unstable = _by(forks, "noise_a", "noise_b", split="val")
    rows = []
    for row in tables["pools"]:
        if row["split"] != "test":
            continue
        run, ticket = (row["variant"], row["seed"]), row["ticket"]
        lines = {
            pair: found
            for pair, found in barriers.get(run, {}).items()
            if ticket in pair and math.isfinite(found["error_barrier"])
        }
        others = [b if a == ticket else a for a, b in lines]
        pairs = differing.get(run, {})
        rows.append(
            {name: row[name] for name in _OF}
            | {
                "barrier": _mean(found["error_barrier"] for found in lines.values()),
                "disagreement": _mean(pairs[ticket, b]["disagreement"] for b in others),
                "instability": _mean(r["error_barrier"] for r in unstable.get(run, {}).values()),
            }
        )
    return rows


def _by(
    rows: Iterable[Row], a: str, b: str, **only: str
) -> dict[tuple[str, int], dict[tuple[int, int], Row]]:
    """Rows of pairs by variant and seed, and by the two columns that name the pair."""
    found: dict[tuple[str, int], dict[tuple[int, int], Row]] = {}
    for row in rows:
        if all(row[name] == value for name, value in only.items()):
            found.setdefault((row["variant"], row["seed"]), {})[row[a], row[b]] = row
    return found


def _mean(values: Iterable[float]) -> float | None:
    """Of those that are numbers; None where none is."""
    known = [value for value in values if math.isfinite(value)]
    return fmean(known) if known else None
