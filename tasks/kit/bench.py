"""The one place that builds data set, network and compute: where a stage puts a ticket to work."""

from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.data.loading import EVAL_BATCH, load_images, normalised_batches
from lp_core.data.store import Dataset, Split
from lp_core.errors import DamagedError
from lp_core.models.architecture import Architecture
from lp_core.models.factory import build
from lp_core.models.spec import ModelSpec
from lp_core.tickets import Ticket
from lp_core.training.evaluation import Scores, predict, scores
from tasks.kit import paths
from tasks.kit.params import Params
from tasks.kit.rows import Row


class Bench:
    """One variant's data set, network and device.

    A split stays in memory as uint8 once it is asked for, since decoding the images of a streamed
    set costs more than evaluating on them: 7.5 GB for ImageNet's test split, once in each process.
    The images of any other set stay mapped from their file.
    """

    def __init__(self, params: Params, seed: int = 0, local_rank: int = 0) -> None:
        """Reads the sections dataset, model and compute.

        seed: of the network's weights, which nobody sees where a ticket is loaded over them.
        local_rank: of this process among those that share a training; the number of its GPU.
        """
        self.dataset = Dataset.load(paths.dataset(params.section("dataset", str)))
        self.model_spec = params.section("model", ModelSpec)
        self.compute = Compute(params.section("compute", ComputeSpec), local_rank)
        model = build(
            self.model_spec.name,
            len(self.dataset.classes),
            self.dataset.channels,
            self.dataset.size,
            self.model_spec.stem,
            self.model_spec.arguments,
            self.model_spec.weights,
            seed=seed,
        )
        self.model = self.compute.to_device(model)
        self._splits: dict[str, Split] = {}

    @property
    def architecture(self) -> Architecture:
        """What rebuilds the network: the `network` of its tickets' meta."""
        spec, data = self.model_spec, self.dataset
        shapes = (data.channels, data.size, data.mean, data.std)
        return Architecture(spec.name, data.classes, *shapes, spec.stem, spec.arguments)

    def head(self, stage: str, variant: str, seed: int, **item: str | int | None) -> Row:
        """What a rows file says of its rows. item: what they are of, such as ticket or method."""
        return {
            "stage": stage,
            "dataset": self.dataset.name,
            "model": self.model_spec.name,
            "variant": variant,
            "seed": seed,
            **item,
        }

    def load(self, path: Path, **whose: str | int | None) -> Ticket:
        """A ticket, where the network is. whose: what its meta must say, such as its number.

        Raises DamagedError where another ticket lies in its place, InputError for one of
        another network.
        """
        ticket = self.to_device(Ticket.load(path))
        found = {name: ticket.meta.get(name) for name in whose}
        if found != whose:
            told = ", ".join(f"{name} {value}" for name, value in found.items())
            raise DamagedError(path, f"another ticket lies in its place ({told})")
        return ticket

    def to_device(self, ticket: Ticket) -> Ticket:
        """The ticket, where the network is. Raises InputError if it is of another network."""
        ticket.require_fits(self.model)
        return ticket.to(self.compute.device, self.compute.layout)

    def predict(self, ticket: Ticket, split: str) -> tuple[Tensor, Tensor]:
        """Logits (float32 N×classes) of a ticket on a split, unaugmented, and labels (N)."""
        if split not in self._splits:
            self._splits[split] = load_images(self.dataset, split)
        return self.predict_on(ticket, self._splits[split].images, self._splits[split].labels)

    def predict_on(self, ticket: Ticket, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The same on any images of the data set's kind (uint8 N×C×H×W, labels N)."""
        ticket.load_into(self.model)
        return predict(self.model, self._batches(Split(images, labels)), self.compute)

    def scores(self, ticket: Ticket, split: str) -> Scores:
        """Of a ticket on a split, unaugmented."""
        return scores(*self.predict(ticket, split))

    def _batches(self, split: Split) -> Iterator[tuple[Tensor, Tensor]]:
        return normalised_batches(
            split.images,
            split.labels,
            self.dataset.mean,
            self.dataset.std,
            EVAL_BATCH,
            self.compute.device,
        )
