"""An experiment's network and held-out data, as the stages that only evaluate need them."""

from collections.abc import Iterable
from pathlib import Path

from torch import Tensor

from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.data.loading import EVAL_BATCH, load_images, normalised_batches
from lp_core.data.store import Dataset, Split
from lp_core.models.factory import build
from lp_core.models.spec import ModelSpec
from lp_core.sparsity.spec import Round
from lp_core.tickets import Ticket, read_meta
from lp_core.training.evaluation import Scores, predict, scores
from tasks.kit import paths
from tasks.kit.params import Params


class Network:
    """A place to put tickets of one variant and evaluate them.

    numbers: of the tickets of each of its runs.

    A split stays in memory as uint8 once it is asked for, since decoding the images of a streamed
    set costs more than evaluating on them: 7.5 GB for ImageNet's test split, once in each process.
    The images of any other set stay mapped from their file.
    """

    def __init__(self, params: Params) -> None:
        """Reads the sections dataset, model, compute and imp.rounds."""
        self.dataset = Dataset.load(paths.dataset(params.section("dataset", str)))
        spec = params.section("model", ModelSpec)
        self.compute = Compute(params.section("compute", ComputeSpec))
        model = build(
            spec.name,
            len(self.dataset.classes),
            self.dataset.channels,
            self.dataset.size,
            spec.stem,
            seed=0,  # every weight is a ticket's before it is used
        )
        self.model = self.compute.place(model)
        self.numbers = [line.ticket for line in params.section("imp.rounds", list[Round])]
        self._splits: dict[str, Split] = {}

    def load(self, path: Path) -> Ticket:
        """A ticket, where the network is."""
        return Ticket.load(path).to(self.compute.device, self.compute.layout)

    def predict(self, ticket: Ticket, split: str) -> tuple[Tensor, Tensor]:
        """Logits (float32 N×classes) of a ticket on a split, unaugmented, and labels (N)."""
        ticket.load_into(self.model)
        dataset = self.dataset
        if split not in self._splits:
            self._splits[split] = load_images(dataset, split)
        images, labels = self._splits[split].images, self._splits[split].labels
        batches = normalised_batches(
            images, labels, dataset.mean, dataset.std, EVAL_BATCH, self.compute.device
        )
        return predict(self.model, batches, self.compute)

    def scores(self, ticket: Ticket, split: str) -> Scores:
        """Of a ticket on a split, unaugmented."""
        return scores(*self.predict(ticket, split))


def siblings(variant: str, seed: int, numbers: Iterable[int]) -> list[int]:
    """Of a run's tickets those that may be another's sibling: those whose training converged.

    A ticket that stayed at chance, or whose weights are no numbers, would ruin every average that
    takes it in. Raises what `read_meta` raises.
    """
    return [n for n in numbers if read_meta(paths.ticket(variant, seed, n))["converged"]]
