"""The stages `instability` and `subset_instability`: lines between forks, and what each fork is."""

import math
from dataclasses import asdict

from lp_core.analysis.convergence import convergence_speed
from lp_core.analysis.forgetting import Forgotten
from lp_core.tickets import Ticket
from tasks.kit import paths, resume
from tasks.kit.bench import Bench
from tasks.kit.cli import progress
from tasks.kit.difficulty import save_difficulty
from tasks.kit.fork_pairs import between_forks
from tasks.kit.forks import Fork
from tasks.kit.lines import Lines
from tasks.kit.params import Params
from tasks.kit.provenance import provenance
from tasks.kit.rows import Row, write_rows


def measure(stage: str, variant: str, seed: int, start: str, removed: str | None = None) -> None:
    """Write the rows of all forks of one start. Only noise seeds that params.yaml lists count,
    whatever else lies beside them."""
    params = Params(variant)
    bench = Bench(params)
    seeds = params.section("sgd_noise.noise", list[int])
    forks = [Fork(variant, seed, start, noise, removed) for noise in seeds]
    tickets = {fork.noise: _load(bench, fork) for fork in forks}
    points, heights = between_forks(Lines(bench, params, seed), tickets)
    forgotten = {
        fork.noise: Forgotten.load(fork.folder / paths.FORGETTING, **fork.whose) for fork in forks
    }
    if removed is None:
        save_difficulty(variant, seed, start, list(forgotten.values()))
    threshold = params.section("sgd_noise.threshold", float)
    whose = {"start": start, "removed": removed}
    density = tickets[seeds[0]].density
    write_rows(
        paths.rows(stage, variant, seed, removed or start),
        bench.head(stage, variant, seed, **whose),
        {
            "forks": [
                row
                for fork in progress(forks, f"{stage}@{variant}-{seed}-{removed or start}")
                for row in _fork_rows(bench, fork, tickets[fork.noise], forgotten[fork.noise])
            ],
            "instability_paths": [whose | row for row in points],
            "instability": [
                whose | row | {"density": density, "stable": row["error_barrier"] < threshold}
                for row in heights
            ],
            "stages": [provenance(stage, removed or start, bench.compute)],
        },
    )


def _load(bench: Bench, fork: Fork) -> Ticket:
    path = fork.folder / paths.END
    ticket = bench.load(path, **fork.whose)
    training = "fork" if fork.removed is None else "subset_fork"
    resume.forget(resume.stage_name(training, fork.variant, fork.seed, *fork.item))
    return ticket


def _fork_rows(bench: Bench, fork: Fork, ticket: Ticket, forgotten: Forgotten) -> list[Row]:
    """Of the table `forks`: the ticket as it stands, with the statistics that it was trained to."""
    meta = ticket.meta
    came_to = {
        "converged": meta["converged"],
        "convergence": convergence_speed(meta["errors"]) if meta["converged"] else math.nan,
        "events": forgotten.mean,
        "events_std": forgotten.std,
        "unforgettable": forgotten.unforgettable,
        "never_learned": forgotten.never_learned,
    }
    what = fork.columns | {"density": ticket.density, "digest": ticket.digest}
    what |= {"images": meta["images"]}
    return [
        what | {"split": split} | asdict(bench.scores(ticket, split)) | came_to
        for split in ("val", "test")
    ]
