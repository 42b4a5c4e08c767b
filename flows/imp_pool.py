"""Lottery Pools: tickets by iterative magnitude pruning, pooled, up to tables and report."""

from flows.command_line import main
from flows.reproduce import reproducing_flow

imp_pool = reproducing_flow(
    "flows.imp_pool",
    __doc__,
    targets=[
        # The first is of `imp` and `imports`: where neither is, the flow has nothing to do.
        *("imp*", "ood", "ood_imported", "landscape", "landscape_imported"),
        *("pool", "ood_pool", "ensemble"),
        *("tables", "report"),
    ],
    switch="grid",
)

if __name__ == "__main__":
    main(imp_pool)
