"""The real images on which an exported file is run before anyone gets it."""

import torch
from torch import Tensor

from lp_core.data.loading import load_images
from lp_core.data.normalise import Normaliser, nhwc
from lp_core.data.store import Dataset
from lp_core.data.subsets import balanced_indices
from lp_core.errors import InputError, MissingInputError
from lp_core.models.architecture import Architecture
from lp_core.tickets import Ticket
from tasks.kit import paths

_IMAGES = 64


def test_images(ticket: Ticket) -> Tensor:
    """Some test images of the ticket's data set, class-balanced: float32 N×C×H×W, normalised as its
    network wants them.

    Raises MissingInputError where the set is not there, InputError where its images are of another
    shape than the network's.
    """
    name = ticket.meta.get("dataset")
    if not isinstance(name, str):
        raise InputError(
            f"{ticket.name}: does not say of which data set it is, so that the file could not be "
            "checked; export it with lp_core.exporting.export and images of your own"
        )
    try:
        dataset = Dataset.load(paths.dataset(name))
    except MissingInputError as error:
        raise MissingInputError(
            f"{ticket.name}: the file is to be checked on test images, but {error}, or fetch it: "
            f"dvc pull {paths.dataset(name)}"
        ) from error
    network = Architecture.of(ticket.meta["network"])
    if (dataset.channels, dataset.size) != (network.channels, network.size):
        raise InputError(
            f"{paths.dataset(name)}: has images of {dataset.channels} channels and size "
            f"{dataset.size}, but {ticket.name} is for {network.channels} and {network.size}; make "
            "the data set that it was trained on"
        )
    labels = dataset.labels("test").numpy()
    chosen = balanced_indices(labels, min(_IMAGES, len(labels)), seed=0)
    pixels = nhwc(load_images(dataset, "test", torch.from_numpy(chosen)).images)
    return Normaliser(list(network.mean), list(network.std), "cpu")(pixels).contiguous()
