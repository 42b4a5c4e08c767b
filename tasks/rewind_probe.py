"""Stage `rewind_probe`: one step of the search for the first stable epoch (appendix C.3).

The run's own training goes on to the epoch in question, where forks begin, one for each noise seed.
The epoch is stable if the mean error barrier between them, on held-out images, is below the
threshold. When nothing is left to find out, a step passes on what is known.
"""

import shutil
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from lp_core.errors import DamagedError, MissingInputError
from lp_core.tickets import Ticket
from lp_core.training.distributed import Workers
from lp_core.training.resume import StateError, read_hooks
from lp_core.training.spec import TrainSpec
from tasks.kit import paths, resume
from tasks.kit.bench import Bench
from tasks.kit.cli import run
from tasks.kit.fork_pairs import between_forks
from tasks.kit.from_start import train_from
from tasks.kit.lines import Lines
from tasks.kit.params import Params
from tasks.kit.rewind_search import STATE, RewindSearch, forget_states
from tasks.kit.torchrun import under_torchrun
from tasks.kit.training import StageTrainer


def main(arguments: Namespace) -> None:
    """Probe one more epoch, and keep what is known then."""
    variant, seed, step = arguments.variant, arguments.seed, arguments.step
    before, after = (paths.rewind_search(variant, seed, s) for s in (arguments.after, step))
    train = Params(variant).section("train", TrainSpec)
    known = RewindSearch.load(variant, seed, arguments.after, train.epochs)
    epoch = known.search.next_probe
    if epoch is None:
        if Workers().first:
            replace(known, step=step).save()
            forget_states(variant, seed, arguments.after)
        return
    name = resume.stage_name("rewind_probe", variant, seed, step)
    prefix, states = StageTrainer(name, variant, seed), []
    states.append(_train_to(prefix, epoch, before / STATE))
    start = Ticket.of(prefix.model, prefix.masks, {"epochs": epoch})
    forks: dict[int, Ticket] = {}
    for noise in prefix.params.section("sgd_noise.noise", list[int]):
        fork = StageTrainer(f"{name}-{noise}", variant, seed, noise=noise)
        if trained := train_from(fork, start, [before / STATE]):
            forks[noise] = trained.ticket
            states.append(trained.finished.state)
    if not prefix.workers.first:
        return
    barrier = _barrier(prefix.params, seed, forks)
    known = known.after(step, barrier, prefix.params.section("sgd_noise.threshold", float))
    known.save()
    if known.search.next_probe is not None:
        _keep_state(prefix, before, after, moved=known.search.bounds[0] == epoch)
    for state in states:
        resume.finish(state)
    forget_states(variant, seed, arguments.after)


def _train_to(trainer: StageTrainer, epoch: int, start: Path) -> Path:
    """The run itself, on from an earlier state up to an epoch. Returns where its own state is."""
    try:
        read_hooks(start)
    except MissingInputError as error:
        raise MissingInputError(f"{error}; run `dvc repro` for the step before it first") from None
    except StateError as error:
        raise DamagedError(error.path, error.found) from error
    epochs = range(epoch)
    return trainer.train({}, epochs, trainer.state({}, epochs, [start]), start=start).state


def _barrier(params: Params, seed: int, forks: dict[int, Ticket]) -> float:
    """Mean error barrier between them, on held-out images; NaN where one diverged."""
    bench = Bench(params)  # with a network of its own: that of the run is to be kept as it is
    placed = {noise: bench.to_device(ticket) for noise, ticket in forks.items()}
    _, heights = between_forks(Lines(bench, params, seed, splits=["val"]), placed)
    return fmean(row["error_barrier"] for row in heights)


def _keep_state(trainer: StageTrainer, before: Path, after: Path, *, moved: bool) -> None:
    """Of the last epoch known to be unstable: no later probe is before it. moved: whether that is
    where the training has come to now."""
    if moved:
        trainer.save(after / STATE)
    else:
        shutil.copyfile(before / STATE, after / STATE)


if __name__ == "__main__":
    run(
        under_torchrun(main),
        variant="variants",
        seed=int,
        step=int,
        after=str,
        code=("rewind_probe", "networks/{variant}"),
    )
