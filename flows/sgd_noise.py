"""SGD noise: how stable trainings are and what stability buys, up to tables and report."""

from flows.command_line import main
from flows.reproduce import reproducing_flow

sgd_noise = reproducing_flow(
    "flows.sgd_noise",
    __doc__,
    targets=[
        *("fork", "instability", "subset_fork", "subset_instability", "cross"),
        *("probe", "transfer", "few_shot", "few_shot_forgotten"),
        *("rewind_start", "rewind_probe", "stable_rewind"),
        # The grid's tickets and the barriers between them: measurements of this method as well.
        # `ood` and `pool` are not; the tables read them where the params list them.
        *("imp", "landscape"),
        *("tables", "report"),
    ],
    switch="sgd_noise.variants",
)

if __name__ == "__main__":
    main(sgd_noise)
