"""Stage `stable_rewind`: the first epoch from which trainings are stable, as the search found it.

It is what tickets rewind to where `rewind.mode` is `stable` (SGD noise, table 15).
"""

from argparse import Namespace

from lp_core.analysis.stability import most_probes
from lp_core.errors import InputError
from lp_core.training.spec import TrainSpec
from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.cli import run
from tasks.kit.params import Params
from tasks.kit.provenance import provenance
from tasks.kit.rewind_epoch import write_rewind_epoch
from tasks.kit.rewind_search import RewindSearch, forget_states
from tasks.kit.rows import write_rows
from tasks.kit.sgd_noise import Step


def main(arguments: Namespace) -> None:
    """Write the epoch, and the rows of the search."""
    variant, seed = arguments.variant, arguments.seed
    params = Params(variant)
    last = params.section("sgd_noise.stable_rewind.steps", list[Step])[-1].step
    epochs = params.section("train", TrainSpec).epochs
    known = RewindSearch.load(variant, seed, last, epochs)
    search = known.search
    if search.found is None or search.next_probe is not None:
        raise InputError(
            f"sgd_noise.stable_rewind.steps: after step {last} the search of variant {variant}, "
            f"seed {seed} is not over; give {most_probes(epochs)}"
        )
    if search.found == epochs:
        print(
            f"stable_rewind@{variant}-{seed}: unstable at every epoch; tickets rewind to the last "
            "one",
            flush=True,
        )
    bench = Bench(params)
    write_rewind_epoch(variant, seed, min(search.found, epochs - 1))
    write_rows(
        paths.rows("stable_rewind", variant, seed, "search"),
        bench.head("stable_rewind", variant, seed),
        {
            "stable_rewind": [
                {"epoch": search.found, "epochs": epochs, "monotone": search.monotone}
            ],
            "rewind_probes": known.probes,
            "stages": [provenance("stable_rewind", "search", bench.compute)],
        },
    )
    forget_states(variant, seed, last)


if __name__ == "__main__":
    run(main, variant="variants", seed=int, code=("stable_rewind", "networks/{variant}"))
