"""A made experiment in which some tickets did not converge, as the figures see it."""

from typing import Any

from tasks.reporting.imp_pool.converged import without_unconverged
from tasks.reporting.imp_pool.results import Results
from tests.tasks.reporting.made import Made, results


def failing(made: Made, **where: Any) -> Results:
    """where: the columns of table `tickets` that say which."""
    everything = results(made)
    tickets = everything.frames["tickets"]
    for column, value in where.items():
        tickets = tickets[tickets[column] == value]
    everything.frames["tickets"].loc[tickets.index, "converged"] = False
    return Results(without_unconverged(everything.frames), everything.params, everything.published)
