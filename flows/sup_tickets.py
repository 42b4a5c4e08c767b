"""Sup-tickets: sparse training ended by superposing its cheap tickets, up to tables and report."""

from flows.command_line import main
from flows.reproduce import reproducing_flow

sup_tickets = reproducing_flow(
    "flows.sup_tickets",
    __doc__,
    targets=[
        *("sparse", "ending", "ablation", "ending_scores", "ablation_scores", "ood_ending"),
        *("seeds_ensemble", "efficient_ensemble", "sibling"),
        *("tables", "report"),
    ],
    switch="sup_tickets.variants",
)

if __name__ == "__main__":
    main(sup_tickets)
