"""Stage `imports`: checkpoints of networks that are trained already, as the tickets of a variant.

In place of `pretrain` and `imp`: what another program has written becomes tickets as those stages
leave them, and all that follows takes them for what they are, the rounds of one pruning run.
"""

import math
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from lp_core.checkpoints.fitting import fit
from lp_core.checkpoints.folder import Found
from lp_core.checkpoints.openlth import mask_beside
from lp_core.checkpoints.reading import read
from lp_core.checkpoints.spec import ImportSpec
from lp_core.checkpoints.surveying import Surveyed, densest_first, pruned_layers, survey
from lp_core.errors import InputError
from lp_core.models.structure import Prunable
from lp_core.sparsity.spec import Round
from lp_core.tickets import Ticket
from lp_core.training.evaluation import above_chance
from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.cli import progress, run
from tasks.kit.imports import assigned
from tasks.kit.params import Params
from tasks.kit.provenance import provenance
from tasks.kit.rows import write_rows


def main(arguments: Namespace) -> None:
    """Write the tickets of every seed, each with what it descends from, and their rows."""
    checkpoints = Checkpoints(arguments.variant)
    try:
        for seed, files in checkpoints.chains().items():
            lineage: dict[str, list[Any]] = {}
            for number, file in enumerate(files):
                ticket = checkpoints.ticket(file, seed, number)
                ticket.meta["lineage"] = dict(lineage)
                ticket.save(paths.ticket(arguments.variant, seed, number))
                lineage[str(number)] = [ticket.digest, ticket.meta["converged"]]
            checkpoints.write_rows(seed, len(files))
    except InputError as error:
        raise InputError(f"imports.{arguments.variant}: {error}") from error
    checkpoints.require_unchanged()


class Checkpoints:
    """The files of one variant, and the network that they are of."""

    def __init__(self, variant: str) -> None:
        """Reads names only. Raises InputError where they are not those of the listed tickets."""
        params = Params(variant)
        self.variant, self.bench = variant, Bench(params)
        self.spec = params.section(f"imports.{variant}", ImportSpec)
        self._kind = cast(Prunable, params.section("imp.prunable", str))
        tickets = [line.ticket for line in params.section("imp.rounds", list[Round])]
        seeds = params.section("seeds", list[int])
        self._found = assigned(variant, self.spec, seeds, tickets)
        self._layers: list[str] = []
        self._stamps = {f.path: _stamp(f.path) for files in self._found.values() for f in files}

    def chains(self) -> dict[int, list[Path]]:
        """By seed the files in the order of the tickets, once each has been looked at.

        Raises InputError where one does not fit the network, or they are no chain.
        """
        label = f"imports@{self.variant}"
        surveyed = {path: self._survey(path) for path in progress(self._stamps, label)}
        self._layers = pruned_layers(list(surveyed.values()), self.bench.model, self._kind)
        return {
            seed: _in_order(files, [surveyed[file.path] for file in files], self._layers)
            for seed, files in self._found.items()
        }

    def ticket(self, path: Path, seed: int, number: int) -> Ticket:
        """A checkpoint as a ticket: what there is to know of it, and whether it converged."""
        meta = {
            "dataset": self.bench.dataset.name,
            "model": self.bench.model_spec.name,
            "variant": self.variant,
            "seed": seed,
            "ticket": number,
            "network": self.bench.architecture.meta,
            "checkpoint": path.relative_to(self.spec.path).as_posix(),
            "precision": self.bench.compute.precision,
        }
        ticket = fit(read(path, self.spec.key), self.bench.model, self._layers, meta)
        scores = self.bench.scores(self.bench.to_device(ticket), "val")
        labels = self.bench.dataset.labels("val")
        converged = math.isfinite(scores.nll) and above_chance(scores.accuracy, labels)
        if not converged:
            self._tell_of_chance(path, number, scores.accuracy)
        own = {"converged": converged, "val_accuracy": scores.accuracy}
        ticket.meta |= {"density": ticket.density} | own
        return ticket

    def write_rows(self, seed: int, tickets: int) -> None:
        """What the tables have of the stage: nobody knows how long these trainings took."""
        write_rows(
            paths.rows("imports", self.variant, seed, "tickets"),
            self.bench.head("imports", self.variant, seed),
            {
                "trainings": [{"ticket": n, "train_seconds": None} for n in range(tickets)],
                "stages": [provenance("imports", "tickets", self.bench.compute)],
            },
        )

    def require_unchanged(self) -> None:
        """Raises RuntimeError where a file is another one than at first: DVC would take what it
        finds afterwards for what the tickets are of."""
        for path, stamp in self._stamps.items():
            if _stamp(path) != stamp:
                raise RuntimeError(f"{path} changed while this ran; run again")

    def _survey(self, path: Path) -> Surveyed:
        try:
            return survey(path, self.bench.model, self.spec.key)
        except InputError as error:
            data = self.bench.dataset
            images = "×".join(map(str, data.input_shape))
            raise InputError(
                f"{error} (the network is {self.bench.model_spec.name} for {len(data.classes)} "
                f"classes and images of {images}, as data set {data.name} has them)"
            ) from error

    def _tell_of_chance(self, path: Path, number: int, accuracy: float) -> None:
        """Raises InputError for the dense network; a sparse one may have failed to train."""
        found = f"{path}: {accuracy:.1%} of the held-out images right, which is no more than chance"
        if number:
            print(f"note: {found}; ticket {number} has converged = false", flush=True)
            return
        data = f"datasets.{self.bench.dataset.name}"
        raise InputError(
            f"{found}; its training must have seen images otherwise: compare {data}.mean and std "
            f"({_rounded(self.bench.dataset.mean)} and {_rounded(self.bench.dataset.std)}), their "
            "size, and the order of the classes"
        )


def _in_order(
    found: Sequence[Found], surveyed: Sequence[Surveyed], layers: Sequence[str]
) -> list[Path]:
    """From the dense network to the sparsest; where names have numbers, they must say the same."""
    ordered = densest_first(surveyed, layers)
    dense = ordered[0].density(layers)
    if dense < 1:
        raise InputError(
            f"{ordered[0].path}: the densest has density {dense:.4f}; ticket 0 is the dense "
            "network, with which the others are compared: add its checkpoint (or give it masks, or "
            "in float32, where half precision has rounded its weights to zero)"
        )
    wrong = next(
        (n for n, (a, b) in enumerate(zip(surveyed, ordered, strict=True)) if a != b), None
    )
    if found[0].ticket is not None and wrong is not None:
        raise InputError(
            f"{found[wrong].path}: ticket {wrong} by its name, with density "
            f"{surveyed[wrong].density(layers):.4f}, but {ordered[wrong].path} with "
            f"{ordered[wrong].density(layers):.4f} is next; number tickets from the densest, or "
            "leave {ticket} out of the pattern"
        )
    return [file.path for file in ordered]


def _stamp(path: Path) -> list[tuple[int, int, int]]:
    """What changes when a file does, or the masks beside it."""
    files = [path, mask_beside(path) or path]
    found = [file.stat() for file in files if file.exists()]
    return [(status.st_ino, status.st_size, status.st_mtime_ns) for status in found]


def _rounded(values: Sequence[float]) -> str:
    return f"[{', '.join(f'{value:.3f}' for value in values)}]"


if __name__ == "__main__":
    run(main, variant="imports", code=("imports", "networks/{variant}"))
