"""Frozen networks, and what linear probes make of their features (SGD noise, section 5.1)."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from torch import Tensor

from lp_core.analysis.probe_spec import ProbeSpec
from lp_core.analysis.probes import features, probe_accuracy, train_probes
from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.loading import EVAL_BATCH, eval_batches
from lp_core.data.store import Dataset
from lp_core.pooling.batch_norm import calibration_batches, re_estimate
from lp_core.tickets import Ticket
from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.params import Params, check
from tasks.kit.rows import Row
from tasks.kit.untrained import untrained

_AS_THEY_ARE = AugmentSpec(crop=0, flip=False)


@dataclass(frozen=True)
class Probing:
    """Probes of the frozen networks of one ticket, on the images of any data set of their shape.

    calibration: training images of that data set, on which the untrained networks' batch norm is
    re-estimated: the rewind point's statistics say nothing of a network with a mask, and hardly
    more of other images. Not augmented, for the features are not.
    """

    bench: Bench
    dataset: Dataset
    spec: ProbeSpec
    calibration: list[Tensor]
    seed: int

    @classmethod
    def on(cls, dataset: Dataset, bench: Bench, params: Params, seed: int) -> "Probing":
        """Reads the settings of sgd_noise.probes and pooling.scoring.calibration_images."""
        names = [field.name for field in fields(ProbeSpec)]
        settings = {name: params.section(f"sgd_noise.probes.{name}", object) for name in names}
        spec = check(settings, ProbeSpec, params.path, "sgd_noise.probes")
        count = params.section("pooling.scoring.calibration_images", int)
        images = calibration_batches(dataset, count, _AS_THEY_ARE, seed, bench.compute)
        return cls(bench, dataset, spec, images, seed)

    def networks(self, variant: str, number: int) -> Iterator[tuple[str, Ticket]]:
        """By name `ticket`, `permuted` and `trained`, where the bench's network is.

        The dense ticket 0 has no permuted one. Raises DamagedError where another ticket lies in the
        place of one.
        """
        for network in ("ticket", "permuted") if number else ("ticket",):
            ticket = self.bench.to_device(untrained(variant, self.seed, number, network))
            compute = self.bench.compute
            yield network, re_estimate(ticket, self.bench.model, self.calibration, compute)
        path = paths.ticket(variant, self.seed, number)
        whose: dict[str, str | int] = {"variant": variant, "seed": self.seed, "ticket": number}
        yield "trained", self.bench.load(path, **whose)

    def rows(self, ticket: Ticket, last: bool = False) -> list[Row]:
        """block (0 is the stem), split and accuracy of each probe, trained on the training split.

        last: after the last block alone.
        """
        ticket.load_into(self.bench.model)
        found, labels = self._features("train", last)
        probes = train_probes(found, labels, len(self.dataset.classes), self.spec, self.seed)
        rows = []
        for split in ("val", "test"):
            found, labels = self._features(split, last)
            accuracies = probe_accuracy(probes, found, labels).values()
            rows += [
                {"block": block, "split": split, "accuracy": accuracy}
                for block, accuracy in enumerate(accuracies)
            ]
        return rows

    def _features(self, split: str, last: bool) -> tuple[dict[str, Tensor], Tensor]:
        compute = self.bench.compute
        batches = eval_batches(self.dataset, split, EVAL_BATCH, compute.device)
        found, labels = features(self.bench.model, batches, compute)
        if last:
            name = list(found)[-1]
            found = {name: found[name]}
        return found, labels
