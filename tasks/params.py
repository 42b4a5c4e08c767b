"""Stage `params`: nothing runs on a params file with a fault in it.

What it writes never changes, so a valid edit makes no other stage stale by itself.
"""

import shutil
from argparse import Namespace
from itertools import product

from lp_core.files import atomic_write
from tasks.kit import network_faults, paths
from tasks.kit.cli import run
from tasks.kit.experiment import validate
from tasks.kit.imports import missing_checkpoints
from tasks.kit.needed import missing_files, needed_by_tables
from tasks.kit.params import PARAMS, Params, ParamsError
from tasks.kit.sgd_noise_faults import twice_the_same


def main(_arguments: Namespace) -> None:
    """Check every key, type, name and round, and that the data are there."""
    experiment = validate()
    unusable = [f"{PARAMS}: {fault}" for fault in network_faults.unusable(experiment, Params())]
    if unusable:
        raise ParamsError("\n".join(dict.fromkeys(unusable)))
    missing = list(missing_files(experiment))
    faults = [fault for name, fault in missing if name in needed_by_tables(experiment)]
    faults += missing_checkpoints(experiment)
    if faults:
        raise ParamsError("\n".join(f"{PARAMS}: {fault}" for fault in faults))
    for _, fault in missing:
        print(
            f"note: {PARAMS}: {fault}; its own stages will fail, no other needs it "
            "(`dvc repro --keep-going` runs the others, as the flow does)",
            flush=True,
        )
    for note in twice_the_same(experiment.sgd_noise):
        print(f"note: {PARAMS}: {note}", flush=True)
    with atomic_write(paths.VALID) as temporary:
        temporary.write_text("params.yaml is valid\n")
    shutil.rmtree(paths.rewind("fixed"), ignore_errors=True)
    paths.rewind("fixed").mkdir(parents=True)
    for variant, seed in product(experiment.grid, experiment.seeds):
        # What `pretrain` depends on where the rewind point is not searched for.
        with atomic_write(paths.rewind_point("fixed", variant, seed)) as temporary:
            temporary.write_text("{}\n")


if __name__ == "__main__":
    run(main, code=())
