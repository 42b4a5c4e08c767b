"""Re-estimated batch-norm statistics.

Those of an interpolated network are wrong. Re-estimating them on a few hundred fixed
training images costs a hundredth of a pass over the training set.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from lp_core.compute import Compute
from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.loading import train_loader
from lp_core.data.store import Dataset
from lp_core.tickets import Ticket

_BATCH = 128


def calibration_batches(
    dataset: Dataset, count: int, augment: AugmentSpec, seed: int, compute: Compute
) -> list[Tensor]:
    """Training images to re-estimate on: at least `count`, where the split has as many.

    augment, seed: augmented as in training, since a network expects the statistics that it was
    trained with, but always the same ones, so that a result can be repeated. Whole batches,
    float B×C×H×W normalised, on the device; fewer images are the first of more.
    """
    size = min(_BATCH, len(dataset.labels("train")))
    loader = train_loader(dataset, size, augment, compute.device)
    wanted = min(len(loader), ceil(count / size))
    return [batch.images for batch in islice(loader.epoch(seed), wanted)]


@torch.no_grad()
def re_estimate(
    ticket: Ticket, model: nn.Module, batches: Sequence[Tensor], compute: Compute
) -> Ticket:
    """The ticket with the statistics that these images have in its network.

    model: of the ticket's architecture, placed by `compute`; its parameters are the same before
    and after. batches: training images; none leave the statistics as they are. Deterministic.

    `meta["batch_norm"]` then says `re-estimated`, or `none` for a network that keeps no statistics.
    """
    norms = keeping_statistics(model)
    if not norms:
        return replace(ticket, meta=ticket.meta | {"batch_norm": "none"})
    if not batches:
        return ticket
    with weights_swapped_in(ticket, model, compute):
        for norm in norms:
            norm.train()
            norm.reset_running_stats()
        with _images_weigh_alike(norms):
            for batch in batches:
                model(batch)
        buffers = {n: b.detach().clone() for n, b in model.named_buffers()}
    return replace(ticket, buffers=buffers, meta=ticket.meta | {"batch_norm": "re-estimated"})


@contextmanager
def _images_weigh_alike(norms: Sequence[_NormBase]) -> Iterator[None]:
    """While it lasts, running statistics are means in which every image weighs alike.

    So do all uses of a layer, where a network has one that it uses several times for an image.
    """
    momenta = [norm.momentum for norm in norms]
    seen: dict[nn.Module, int] = dict.fromkeys(norms, 0)

    def weigh(norm: nn.Module, inputs: tuple[Any, ...], given: dict[str, Any]) -> None:
        batch = len(inputs[0] if inputs else given["input"])
        seen[norm] += batch
        norm.momentum = batch / seen[norm]  # type: ignore[assignment]

    handles = [norm.register_forward_pre_hook(weigh, with_kwargs=True) for norm in norms]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def keeping_statistics(model: nn.Module) -> list[_NormBase]:
    """The layers of a network that normalise by statistics of training images.

    Batch norm of any dimension, synchronised or not, and instance norm where it keeps any. With
    `track_running_stats=False` a layer keeps none: it normalises by each batch it is given.
    """
    return [m for m in model.modules() if isinstance(m, _NormBase) and m.track_running_stats]


@contextmanager
def weights_swapped_in(ticket: Ticket, model: nn.Module, compute: Compute) -> Iterator[None]:
    """While it lasts, the network evaluates with the ticket's own tensors."""
    # `to` copies nothing where they lie on the device already, as they do throughout a search. The
    # network gets its own tensors back: the next training would otherwise write into the ticket.
    placed = ticket.to(compute.device, compute.layout)
    parameters = dict(model.named_parameters())
    own = {name: parameter.data for name, parameter in parameters.items()}
    for name, buffer in model.named_buffers():
        buffer.copy_(placed.buffers[name])
    model.eval()
    try:
        for name, parameter in parameters.items():
            parameter.data = placed.weights[name]
        with compute.autocast():
            yield
    finally:
        for name, parameter in parameters.items():
            parameter.data = own[name]
