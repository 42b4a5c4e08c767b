"""Stage `ending`: the last epochs of a sparse training, and the ticket that it comes to.

The plain ending goes on as before. Sup-tickets (Algorithm 1, lines 5 to 13) trains in cycles, each
of which leaves a cheap ticket, and superposes these.
"""

import math
import shutil
from argparse import Namespace
from typing import Any

from lp_core.faces import member, names
from lp_core.pooling.batch_norm import re_estimate
from lp_core.seeds import noise_seed
from lp_core.superposing.cheap_tickets import Superposing
from lp_core.superposing.rates import rate, ticket_iteration
from lp_core.superposing.spec import SELECTIONS, EndingSpec
from lp_core.tickets import Ticket
from lp_core.training.evaluation import above_chance
from lp_core.training.schedules import by_step
from tasks.kit import paths, resume
from tasks.kit.calibration import calibration_images
from tasks.kit.cheap import CheapTickets
from tasks.kit.cli import run
from tasks.kit.provenance import provenance
from tasks.kit.rows import write_rows
from tasks.kit.sparse_run import SparseRun
from tasks.kit.torchrun import under_torchrun


def main(arguments: Namespace) -> None:
    """Train to one end from the state that the stage `sparse` left."""
    variant, seed = arguments.variant, arguments.seed
    method, ending = arguments.method, arguments.ending
    name = resume.stage_name("ending", variant, seed, method, ending)
    sparse = SparseRun(name, variant, seed, method)
    trainer, steps = sparse.trainer, sparse.steps_per_epoch
    spec = trainer.params.section(f"sup_tickets.ending.{ending}", EndingSpec)
    prefix = paths.prefix(variant, method, seed)
    sparse.require_own(prefix)
    epochs = range(sparse.start, trainer.spec.epochs)
    first = (epochs.stop - spec.superposing) * steps

    state = trainer.state({}, epochs, [prefix], settings=[sparse.method, spec], code=sparse.code)
    cheap = CheapTickets(state, trainer.workers)
    superposing = Superposing(
        spec, sparse.method, first, steps, sparse.keep, trainer.seeds.noise, cheap.keep
    )
    finished = trainer.train(
        {},
        epochs,
        state,
        hooks=[*sparse.hooks(stop=first), superposing, cheap],
        lr=rate(spec, first, steps, by_step(trainer.spec.schedule, epochs.stop, steps)),
        start=prefix,
    )
    if not trainer.workers.first:
        return
    tickets = cheap.load()
    ended = _superposed(sparse, spec, tickets, superposing, seed)
    folder = paths.ending(variant, method, ending, seed)
    shutil.rmtree(folder, ignore_errors=True)
    for number, ticket in enumerate(tickets, start=1):
        taken = first + spec.cycle * steps * (number - 1)
        taken += ticket_iteration(spec.schedule, spec.cycle * steps)
        ticket.meta = sparse.meta | {
            "ending": ending,
            "part": f"cheap-{number}",
            "epochs": taken / steps,
            "density": ticket.density,
        }
        ticket.save(folder / paths.cheap(number))
    ended.meta = (
        sparse.meta
        | {
            "ending": ending,
            "part": "ticket",
            "epochs": len(trainer.curve),
            "density": ended.density,
            "cheap_tickets": len(tickets),
            "batch_norm": ended.meta.get("batch_norm", "trained"),
        }
        | _outcome(sparse, ended)
    )
    ended.save(folder / paths.END)
    training = {"method": method, "ending": ending, "train_seconds": finished.seconds}
    item = f"{method}-{ending}"
    write_rows(
        paths.rows("ending", variant, seed, method, ending),
        trainer.bench.head("ending", variant, seed, method=method, ending=ending),
        {
            "curves": sparse.curve_rows(finished, ending),
            "trainings": [training | sparse.costs()],
            "stages": [provenance("ending", item, trainer.compute, finished.seconds)],
        },
    )
    resume.finish(finished.state)
    # This state is recorded, or this stage would not have started.
    resume.forget(resume.stage_name("sparse", variant, seed, method))


def _superposed(
    sparse: SparseRun,
    spec: EndingSpec,
    cheap: list[Ticket],
    superposing: Superposing,
    seed: int,
) -> Ticket:
    """What the training comes to: its last weights, or one ticket made of the cheap ones."""
    trainer = sparse.trainer
    bench = trainer.bench
    if not cheap:  # a plain ending, or one that diverged before it had any
        return Ticket.of(trainer.model, trainer.masks, {})
    if spec.average in names(SELECTIONS):
        return member(SELECTIONS, spec.average)(
            [ticket for ticket in cheap if _is_finite(ticket)] or cheap,
            trainer.model,
            bench.dataset,
            spec.calibration_images,
            trainer.spec.augment,
            noise_seed(seed, None, 0),
            trainer.compute,
        )
    if spec.batch_norm == "re-estimate":
        images = calibration_images(bench, trainer.params, seed, spec.calibration_images)
        return re_estimate(superposing.average, trainer.model, images, trainer.compute)
    return superposing.average


def _is_finite(ticket: Ticket) -> bool:
    return all(bool(weight.isfinite().all()) for weight in ticket.weights.values())


def _outcome(sparse: SparseRun, ticket: Ticket) -> dict[str, Any]:
    """Held-out accuracy, and whether the training came to anything."""
    bench, last = sparse.trainer.bench, sparse.trainer.curve[-1]
    accuracy = bench.scores(bench.to_device(ticket), "val").accuracy
    converged = math.isfinite(last.loss) and above_chance(accuracy, bench.dataset.labels("val"))
    return {"converged": converged, "val_accuracy": accuracy}


if __name__ == "__main__":
    run(
        under_torchrun(main),
        variant="variants",
        seed=int,
        method="sup_tickets.training",
        ending="sup_tickets.ending",
        code=("ending", "networks/{variant}", "sparse_methods/{method}", "endings/{ending}"),
    )
