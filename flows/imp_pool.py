"""Lottery Pools: tickets by iterative magnitude pruning, pooled, up to tables and report."""

from flows.command_line import main
from flows.reproduce import reproducing_flow

imp_pool = reproducing_flow(
    "flows.imp_pool",
    __doc__,
    targets=[
        *("imp", "ood", "landscape", "pool", "ood_pool", "ensemble"),
        *("tables", "report"),
    ],
    switch="grid",
)

if __name__ == "__main__":
    main(imp_pool)
