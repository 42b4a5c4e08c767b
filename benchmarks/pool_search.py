"""Pool search: successive halving on few calibration images against the published procedure.

    python -m benchmarks.pool_search [--tickets FOLDER] [--data FOLDER] [--targets 3 5 …]

For every interpolation that it tries, the published procedure of Lottery Pools re-estimates batch
norm over the whole augmented training set and scores on the whole held-out set. `exact` does the
same with batch norm from 1024 fixed augmented images; `halving`, the default, scores most
coefficients on a part of the held-out set only. All three search the same tickets in this process,
target by target, the two fast ones before and after the slow one. A time covers everything from the
files of the tickets to the pooled ticket; scoring that on the test split is left out. On the CPU it
is the process's own time, whoever else is using the cores.
"""

import time
from argparse import ArgumentParser, RawTextHelpFormatter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import torch
from torch import nn

from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.loading import EVAL_BATCH, eval_batches, train_loader
from lp_core.data.store import Dataset
from lp_core.models.factory import build
from lp_core.pooling.batch_norm import keeping_statistics
from lp_core.pooling.coefficients import exhaustive
from lp_core.pooling.greedy import search
from lp_core.pooling.heldout import HeldOut, held_out_for
from lp_core.pooling.recipe import nearest
from lp_core.pooling.recipes.search import Search
from lp_core.pooling.spec import ScoringSpec
from lp_core.tickets import Ticket
from lp_core.training.evaluation import evaluate

WAYS = ("halving", "exact", "published")


class Published:
    """Scores a ticket after a pass in training mode over the augmented training set."""

    def __init__(
        self, model: nn.Module, dataset: Dataset, augment: AugmentSpec, compute: Compute
    ) -> None:
        self.model, self.compute = model, compute
        self.loader = train_loader(dataset, 128, augment, compute.device)
        self.val = list(eval_batches(dataset, "val", EVAL_BATCH, compute.device))
        self.passes = 0

    best_coefficient = staticmethod(exhaustive)

    def __call__(self, ticket: Ticket) -> float:
        self.calibrate(ticket).load_into(self.model)
        return evaluate(self.model, self.val, self.compute).accuracy

    @torch.no_grad()
    def calibrate(self, ticket: Ticket) -> Ticket:
        """The ticket with statistics of its own; a trained one has them already."""
        if ticket.meta.get("batch_norm") != "averaged":
            return ticket
        ticket.load_into(self.model)
        self.model.train()
        for module in keeping_statistics(self.model):
            module.reset_running_stats()
            module.momentum = None  # a plain mean over the batches
        self.passes += 1
        with self.compute.autocast():
            for images, *_ in self.loader.epoch(self.passes):
                self.model(images)
        buffers = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        return replace(ticket, buffers=buffers, meta=ticket.meta | {"batch_norm": "re-estimated"})


@dataclass
class Experiment:
    """The tickets of one run, their data and what to do with them."""

    folder: Path
    numbers: list[int]
    dataset: Dataset
    augment: AugmentSpec
    candidates: int | None
    compute: Compute

    def load(self, number: int) -> Ticket:
        ticket = Ticket.load(self.folder / f"{number}.safetensors")
        return ticket.to(self.compute.device, self.compute.layout)

    def network(self, name: str) -> nn.Module:
        """The tickets' architecture on the device."""
        data = self.dataset
        return self.compute.to_device(
            build(name, len(data.classes), data.channels, data.size, seed=0)
        )

    def held_out(self, model: nn.Module, way: str) -> HeldOut:
        """As the stage `pool` makes it. way: `halving` or `exact`."""
        spec = ScoringSpec(search="halving" if way == "halving" else "exact")
        return held_out_for(model, self.dataset, spec, self.augment, 0, self.compute)

    def pool(self, way: str, target: int) -> tuple[Ticket, float]:
        """The pooled ticket, batch norm made right, and the seconds that it took."""
        began = self.clock()
        ticket = self.load(target)
        model = self.network(ticket.meta["model"])
        score: HeldOut | Published = (
            Published(model, self.dataset, self.augment, self.compute)
            if way == "published"
            else self.held_out(model, way)
        )
        others = map(self.load, nearest(target, self.numbers, self.candidates))
        result = search(
            ticket,
            others,
            Search().coefficients,
            score,
            best_coefficient=score.best_coefficient,
        )
        pooled = score.calibrate(result.ticket)
        if self.compute.device.type == "cuda":
            torch.cuda.synchronize()
        return pooled, self.clock() - began

    def clock(self) -> float:
        """Seconds: of this process on CPUs, which others may share; of wall time on a GPU."""
        on_gpu = self.compute.device.type == "cuda"
        return time.perf_counter() if on_gpu else time.process_time()

    def test_accuracy(self, ticket: Ticket) -> float:
        """In percent."""
        model = self.network(ticket.meta["model"])
        ticket.load_into(model)
        test = eval_batches(self.dataset, "test", EVAL_BATCH, self.compute.device)
        return 100 * evaluate(model, test, self.compute).accuracy


def row(head: str, cells: Iterable[str]) -> None:
    """Print one line of the table at once: the next may be long in coming."""
    print((f"{head:<16}" + "".join(f"{cell:>11}" for cell in cells)).rstrip(), flush=True)


def report(experiment: Experiment, targets: Sequence[int]) -> None:
    """Measure and print, target by target."""
    row("", ["seconds", "", "", "test %", "", "", ""])
    row("target, density", [*WAYS, "ticket", *WAYS])
    measured = []
    for number in targets:
        target = experiment.load(number)
        numbers = [experiment.test_accuracy(target)]  # first: it also warms up
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        pooled: dict[str, Ticket] = {}
        # The slow one in the middle: a drift of the machine then favours neither side.
        for way in ("halving", "exact", "published", "exact", "halving"):
            pooled[way], took = experiment.pool(way, number)
            seconds[way].append(took)
        numbers += [experiment.test_accuracy(pooled[way]) for way in WAYS]
        measured.append([mean(seconds[way]) for way in WAYS] + numbers)
        row(f"{number:<4}{target.density:.3f}", (f"{value:.2f}" for value in measured[-1]))
    means = [mean(column) for column in zip(*measured, strict=True)]
    row("mean", (f"{value:.2f}" for value in means))
    faster = [f"{means[2] / value:.1f}x" for value in means[:3]]
    row("to published", faster + [f"{value - means[6]:+.2f}" for value in means[3:]])


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    add, folder = parser.add_argument, Path("tickets/base/0")
    add("--tickets", type=Path, default=folder, help=f"folder of one run's tickets ({folder})")
    add("--data", type=Path, help="folder of the stage dataset; default: data/ and the set's name")
    add("--targets", type=int, nargs="+", help="numbers of tickets to pool; default: all")
    add("--candidates", type=int, help="nearest tickets to try for each; default: all")
    add("--crop", type=int, default=4, help="pixels, of the published way's augmentation (4)")
    add("--no-flip", action="store_true", help="likewise: for digits, say")
    add("--device", default="auto", help="cpu, cuda or auto, which is a GPU where there is one")
    add("--precision", default="bf16", choices=["bf16", "fp32"], help="bf16 is autocast (bf16)")
    add("--threads", type=int, default=0, help="on the CPU; 0 is PyTorch's choice (0)")
    options = parser.parse_args()
    numbers = sorted(int(p.stem) for p in options.tickets.glob("*.safetensors") if p.stem.isdigit())
    if len(numbers) < 2:
        parser.error(f"--tickets {options.tickets}: found {len(numbers)} tickets; give 2 or more")
    targets = options.targets or numbers
    meta = Ticket.load(options.tickets / f"{numbers[0]}.safetensors").meta
    dataset = Dataset.load(options.data or Path("data") / meta["dataset"])
    augment = AugmentSpec(options.crop, not options.no_flip)
    compute = Compute(ComputeSpec(options.device, options.precision, True, options.threads))
    experiment = Experiment(options.tickets, numbers, dataset, augment, options.candidates, compute)
    tried = len(nearest(targets[0], numbers, options.candidates))
    print(
        f"{meta['model']} on {dataset.name}, {len(dataset.labels('train'))} training and "
        f"{len(dataset.labels('val'))} held-out images; {tried} candidates to a target; "
        f"{compute.device}, {options.precision}, {torch.get_num_threads()} CPU thread(s)"
    )
    report(experiment, targets)


if __name__ == "__main__":
    main()
