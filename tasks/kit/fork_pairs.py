"""Lines and barriers between forks: all pairs of them (SGD noise, section 3.2)."""

import math
from collections.abc import Mapping
from itertools import combinations

from lp_core.tickets import Ticket
from tasks.kit.lines import Lines, barriers
from tasks.kit.rows import Row


def between_forks(lines: Lines, tickets: Mapping[int, Ticket]) -> tuple[list[Row], list[Row]]:
    """The lines between all pairs of forks, by their noise seeds; and the barriers on them.

    NaN where one of the two did not converge: between networks at chance no line has a hill.
    """
    scores = {noise: lines.scores(ticket) for noise, ticket in tickets.items()}
    points, heights = [], []
    for a, b in combinations(tickets, 2):
        line = lines.between(tickets[a], tickets[b], scores[a], scores[b])
        pair = {"noise_a": a, "noise_b": b}
        points += [pair | row for row in line]
        unknown: Row = {}
        if not (tickets[a].meta["converged"] and tickets[b].meta["converged"]):
            unknown = {"error_barrier": math.nan, "loss_barrier": math.nan}
        heights += [pair | row | unknown for row in barriers(line)]
    return points, heights
