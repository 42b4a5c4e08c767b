"""Every table's schema: the columns of `results/*.parquet`, in one place.

Long ("tidy") tables, one fact a row. Accuracies, errors and gains are fractions 0–1; densities are
the fraction of prunable weights kept; times are seconds; losses and nll are in nats.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lp_core.errors import InputError
from lp_core.files import atomic_write

_STRING, _INT, _FLOAT, _BOOL = pa.string(), pa.int64(), pa.float64(), pa.bool_()

ORIGIN = b"lottery_pools"  # the key of a file's metadata under which `write_table` keeps `origin`

# What every table starts with.
_RUN = {"dataset": _STRING, "model": _STRING, "variant": _STRING, "seed": _INT}
_SCORES = {"accuracy": _FLOAT, "nll": _FLOAT, "ece": _FLOAT}
_TICKET = {"ticket": _INT, "density": _FLOAT}
_DIGEST = {"digest": _STRING}  # `Ticket.digest` of the very ticket that was measured
_PAIR = {"ticket_a": _INT, "ticket_b": _INT}
# A sparse training method by its name in params.yaml, and an ending of it; null for imp-pool.
_ENDING = {"method": _STRING, "ending": _STRING}
_FORK = {"start": _STRING, "removed": _STRING, "noise": _INT}
_FORKS = {"start": _STRING, "removed": _STRING, "noise_a": _INT, "noise_b": _INT}
_NETWORK = {"network": _STRING} | _TICKET

# Every table ends with `run`: the short name of what `write_table` was told of its origin.
TABLES: dict[str, pa.Schema] = {
    name: pa.schema(_RUN | columns | {"run": _STRING})
    for name, columns in {
        # One row per ticket and split. winning: at least as accurate as the dense ticket there.
        # flops: of one image. parameters: that are not pruned. train_seconds: wall time; null for
        # an imported ticket.
        "tickets": _TICKET
        | _DIGEST
        | {"split": _STRING}
        | _SCORES
        | {"winning": _BOOL, "converged": _BOOL, "flops": _INT, "parameters": _INT}
        | {"train_seconds": _FLOAT},
        # One row per epoch; ticket is null on the way to the rewind point, and where `method` says
        # what was trained. ending is null before the endings part. lr: at the epoch's end.
        "curves": _ENDING
        | _TICKET
        | {"epoch": _INT, "split": _STRING, "accuracy": _FLOAT, "loss": _FLOAT, "lr": _FLOAT},
        # members: tickets whose weights are in the pooled one, the target's included. gain:
        # accuracy less the unpooled ticket's on the same split. flops, parameters: as in `tickets`.
        "pools": {"method": _STRING}
        | _TICKET
        | _DIGEST
        | {"split": _STRING}
        | _SCORES
        | {"members": _INT, "gain": _FLOAT, "flops": _INT, "parameters": _INT},
        # One row per interpolation tried. val_accuracy: on `images` held-out images (fewer than
        # all where a coefficient dropped out early; null for recipes that score nothing).
        "pool_search": {"method": _STRING, "ticket": _INT, "step": _INT, "candidate": _INT}
        | {"coefficient": _FLOAT, "val_accuracy": _FLOAT, "images": _INT, "accepted": _BOOL},
        # method is `ticket` for the unpooled one. ending is null for imp-pool; ticket for the rest.
        "ood": _ENDING | _TICKET | _DIGEST | {"corruption": _STRING, "severity": _INT} | _SCORES,
        # One row per pair, ticket_a <= ticket_b: test accuracy of their average, pruned to the
        # sparser one's density; of the ticket itself where they are the same. Batch norm is
        # re-estimated for all of them, and for all points of a line.
        "heatmap": _PAIR | {"density": _FLOAT, "accuracy": _FLOAT},
        # The straight line between neighbours, unpruned. alpha: weight of ticket_a.
        "interpolation": _PAIR
        | {"alpha": _FLOAT, "split": _STRING, "error": _FLOAT, "loss": _FLOAT},
        # The highest point of that line above the mean of its ends.
        "barriers": _PAIR | {"split": _STRING, "error_barrier": _FLOAT, "loss_barrier": _FLOAT},
        # One row per ordered pair, on test images. disagreement: share of images that the two
        # label differently. kl: mean KL(a‖b) of their predictions.
        "disagreement": _PAIR | {"disagreement": _FLOAT, "kl": _FLOAT},
        # A ticket and its nearest siblings, pooled by `method` and by averaging their logits, on
        # test images. members: networks in the ensemble, so its forward passes an image; the
        # pooled ticket takes one. flops: of one image.
        "ensembles": {"method": _STRING}
        | _TICKET
        | {"members": _INT, "accuracy_pool": _FLOAT, "accuracy_ensemble": _FLOAT}
        | {"flops_pool": _INT, "flops_ensemble": _INT},
        # One row per prunable layer of a pooled ticket. weights: how many it has. ticket_density:
        # before pooling. moved: share of the weights kept before that the pooled mask drops.
        "layers": {"method": _STRING, "ticket": _INT, "layer": _STRING, "weights": _INT}
        | {"ticket_density": _FLOAT, "density": _FLOAT, "moved": _FLOAT},
        # One row per ending of a sparse training and split. sup: whether cheap tickets were
        # superposed (`average`, `tickets` of them, a cycle of `cycle` epochs each). train_flops: of
        # the whole training, counted from the masks as they were at each step; test_flops: of one
        # image. The fractions are of the same steps, and of the image, in the dense network.
        "sup_tickets": _ENDING
        | {"sup": _BOOL, "average": _STRING, "cycle": _INT, "tickets": _INT}
        | {"density": _FLOAT, **_DIGEST, "split": _STRING}
        | _SCORES
        | {"converged": _BOOL, "train_flops": _INT, "test_flops": _INT}
        | {"train_fraction": _FLOAT, "test_fraction": _FLOAT, "train_seconds": _FLOAT},
        # One row per cheap ticket (from 1) and split. epoch: epochs behind it when it was taken.
        # average_accuracy: of the running average after it; null where a search ends the training.
        "cheap_tickets": _ENDING
        | {"cheap": _INT, "epoch": _FLOAT, "density": _FLOAT, **_DIGEST, "split": _STRING}
        | _SCORES
        | {"average_accuracy": _FLOAT},
        # One row per ordered pair, on test images, as in `disagreement`. kind: `cheap`, the cheap
        # tickets of one ending; `seeds`, the plain endings of one method, of which a is this row's
        # seed and b another; or an efficient ensemble by name, with neither method nor ending.
        "diversity": {"kind": _STRING}
        | _ENDING
        | {"a": _INT, "b": _INT, "disagreement": _FLOAT, "kl": _FLOAT},
        # One row per prunable layer: at epoch 0, where endings part, and at the end. weights: how
        # many it has.
        "layer_density": _ENDING
        | {"epoch": _INT, "layer": _STRING, "weights": _INT, "density": _FLOAT},
        # A ticket of imp-pool, pooled by `pool` without and with the ticket of this sparse training
        # as its last sibling. coefficient: weight of the pool; null where it was not accepted.
        "siblings": _ENDING
        | {"pool": _STRING}
        | _TICKET
        | {"split": _STRING, "accuracy_without": _FLOAT, "accuracy_with": _FLOAT}
        | {"accepted": _BOOL, "coefficient": _FLOAT},
        # One row per fork and split: a training from `start` (rewind, or a ticket by its number)
        # under one noise seed. removed: samples left out, such as easiest-30; null for none.
        # images: that it trained on. convergence: equation 4, on held-out images. events:
        # forgetting events of a sample, mean and deviation. unforgettable, never_learned: shares
        # of the samples.
        "forks": _FORK
        | {"density": _FLOAT, **_DIGEST, "images": _INT, "split": _STRING}
        | _SCORES
        | {"converged": _BOOL, "convergence": _FLOAT, "events": _FLOAT, "events_std": _FLOAT}
        | {"unforgettable": _FLOAT, "never_learned": _FLOAT, "train_seconds": _FLOAT},
        # One row per epoch of a fork. accuracy, loss: on held-out images. events: forgetting events
        # of a sample in this epoch.
        "fork_curves": _FORK
        | {"epoch": _INT, "accuracy": _FLOAT, "loss": _FLOAT, "lr": _FLOAT, "events": _FLOAT},
        # One row per pair of forks and split: equation 3, NaN where a fork did not converge.
        # stable: below `sgd_noise.threshold`.
        "instability": _FORKS
        | {"density": _FLOAT, "split": _STRING, "error_barrier": _FLOAT, "loss_barrier": _FLOAT}
        | {"stable": _BOOL},
        # The straight line between two forks. alpha: weight of noise_a.
        "instability_paths": _FORKS
        | {"alpha": _FLOAT, "split": _STRING, "error": _FLOAT, "loss": _FLOAT},
        # The mask of a ticket of `variant`, trained as the variant `training`.
        "crossed": {"training": _STRING}
        | _TICKET
        | {"split": _STRING}
        | _SCORES
        | {"converged": _BOOL, "train_seconds": _FLOAT},
        # One row per frozen network, block and split. network: the untrained `ticket`, the same
        # with a mask `permuted` layer by layer, or `trained`. block: 0 is the stem.
        "probes": _NETWORK | {"block": _INT, "split": _STRING, "accuracy": _FLOAT},
        # A linear classifier on the last features of a frozen network, on images of `target`.
        "transfer": _NETWORK | {"target": _STRING, "split": _STRING, "accuracy": _FLOAT},
        # A network trained on `percent` of the images: `images` of them, chosen by `selection`.
        "few_shot": _NETWORK
        | {"percent": _INT, "selection": _STRING, "images": _INT, "split": _STRING}
        | _SCORES
        | {"converged": _BOOL, "train_seconds": _FLOAT},
        # One row per probe of the search for the first stable epoch. error_barrier: on held-out
        # images, mean over the pairs of forks. check: whether it came after the epoch was found.
        "rewind_probes": {"step": _INT, "epoch": _INT, "error_barrier": _FLOAT}
        | {"stable": _BOOL, "check": _BOOL},
        # epoch: the first stable one. monotone: no probe contradicts that those after it are, too.
        "stable_rewind": {"epoch": _INT, "epochs": _INT, "monotone": _BOOL},
        # One row per pooled ticket: what could have told its gain on test images. barrier: error
        # barrier to its neighbours, mean, on held-out images. disagreement: with them, mean, on
        # test images. instability: mean error barrier of the forks at the rewind point, on
        # held-out images; null where there are none.
        "predictors": {"method": _STRING}
        | _TICKET
        | {"gain": _FLOAT, "barrier": _FLOAT, "disagreement": _FLOAT, "instability": _FLOAT},
        # One row per stage. item: the ticket or method that it worked on. seconds: wall time.
        # precision: bf16 or fp32, what `auto` came to.
        "stages": {"stage": _STRING, "item": _STRING, "seconds": _FLOAT}
        | {"device": _STRING, "precision": _STRING, "threads": _INT}
        | {"python": _STRING, "torch": _STRING},
    }.items()
}


def write_table(
    name: str, rows: Iterable[Mapping[str, Any]], folder: Path, origin: Mapping[str, Any]
) -> pa.Table:
    """Write `<folder>/<name>.parquet` in one step.

    rows: without the column `run`. origin: where the rows come from, as values that JSON can hold;
    its `run` becomes that column, and all of it the file's metadata, as JSON under `ORIGIN`.

    Raises InputError if a row lacks a column, has one that the schema does not, or a value of
    another type.
    """
    schema = TABLES[name].with_metadata({ORIGIN: json.dumps(origin)})
    listed = [dict(row) | {"run": origin["run"]} for row in rows]
    for row in listed:
        if set(row) != set(schema.names):
            odd = sorted(set(row) ^ set(schema.names))
            raise InputError(f"table {name}: a row and the schema differ in {odd}: {dict(row)}")
        cut = [c for c in row if schema.field(c).type == _INT and isinstance(row[c], float)]
        if cut:  # pyarrow would cut them off at the point
            raise InputError(f"table {name}: {cut} must hold whole numbers: {dict(row)}")
    try:
        table = pa.Table.from_pylist(listed, schema=schema)
    except pa.ArrowException as error:
        raise InputError(f"table {name}: a value does not fit its column: {error}") from error
    with atomic_write(folder / f"{name}.parquet") as temporary:
        pq.write_table(table, temporary, write_page_checksum=True)
    return table
