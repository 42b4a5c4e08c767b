"""Images and labels from somebody's own loader, read once and checked."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn

from lp_core.compute import Compute
from lp_core.data.loading import EVAL_BATCH
from lp_core.errors import InputError, kind, typed_line
from lp_core.models.checks import images_kept
from lp_core.pooling.batch_norm import keeping_statistics, re_estimate
from lp_core.pooling.heldout import HeldOut, best_coefficient_by, slices_of
from lp_core.pooling.spec import ScoringSpec
from lp_core.tickets import Ticket


def held_out_of(
    network: nn.Module,
    validation: Iterable[Any],
    calibration: Iterable[Any] | None,
    spec: ScoringSpec,
    compute: Compute,
) -> HeldOut:
    """The score on somebody's own held-out images. See `pool` for the arguments and errors.

    The network is placed by the result's `compute`, which is the given one, or contiguous where the
    network cannot run otherwise. The images are read once and kept on the device: a search scores
    on them hundreds of times, and a loader that shuffles or augments must not make each score one
    of other images.
    """
    images, labels = _validation(validation, compute)
    compute = _running(network, images, compute)
    _require_network_for(network, images, labels, compute)
    batches: list[Tensor] = []
    if keeping_statistics(network) and calibration is not None and spec.batch_norm != "average":
        batches = _calibration(calibration, spec.calibration_images, images.shape[1:], compute)
    slices = []
    for piece in slices_of(labels.cpu()):
        chosen = torch.from_numpy(piece).to(compute.device)
        part = images[chosen].split(EVAL_BATCH), labels[chosen].split(EVAL_BATCH)
        slices.append([(_laid_out(i, compute), true) for i, true in zip(*part, strict=True)])
    return HeldOut(network, slices, batches, compute, best_coefficient_by(spec))


def _validation(batches: Iterable[Any], compute: Compute) -> tuple[Tensor, Tensor]:
    """All images, float32 N×C×H×W, and labels, int64 N, on the device."""
    images: list[Tensor] = []
    labels: list[Tensor] = []
    for batch in _iterated(batches, "validation"):
        if not isinstance(batch, Sequence) or len(batch) != 2:
            raise InputError(
                f"validation gives {kind(batch)}; give batches of two tensors, (images, labels)"
            )
        shape = images[0].shape[1:] if images else None
        images.append(_images(batch[0], "validation", shape, compute))
        labels.append(_labels(batch[1], len(batch[0])).to(compute.device))
    if not sum(map(len, labels)):
        raise InputError(
            "validation gives no images; is its data set empty, or is it a generator that was used "
            "up before? Give a DataLoader, or a list of (images, labels)"
        )
    return torch.cat(images), torch.cat(labels)


def _calibration(
    batches: Iterable[Any], count: int, shape: torch.Size, compute: Compute
) -> list[Tensor]:
    """Batches of at least `count` images, or all that there are."""
    taken: list[Tensor] = []
    for batch in _iterated(batches, "calibration"):
        given = batch[0] if isinstance(batch, Sequence) and batch else batch
        images = _images(given, "calibration", shape, compute)
        if (found := len(images)) < 2:
            raise InputError(
                f"calibration has a batch of {found} image{'s' * (found != 1)}, of which batch "
                "norm has no deviation; give larger ones, such as those of DataLoader(…, "
                "drop_last=True)"
            )
        # A copy, as `cat` makes of validation's: what a network does to its images it does here.
        taken.append(_laid_out(images.clone(), compute))
        if sum(map(len, taken)) >= count:
            break
    if not taken:
        raise InputError(
            "calibration gives no images; is it a generator that was used up before? Give training "
            "images, or None to average the statistics of batch norm"
        )
    return taken


def _iterated(batches: Iterable[Any], name: str) -> Iterable[Any]:
    if isinstance(batches, Tensor) or not isinstance(batches, Iterable):
        # A DataLoader is Iterable by its __iter__; a Dataset, which has none, is no loader.
        raise InputError(
            f"{name} is {kind(batches)}; give a DataLoader, or a list of batches of images"
        )
    return batches


def _images(images: Any, name: str, shape: torch.Size | None, compute: Compute) -> Tensor:
    """A batch as float32 on the device; the caller's own tensor, where it is just that."""
    if not isinstance(images, Tensor):
        raise InputError(f"{name} has images that are {kind(images)}; give tensors")
    if images.ndim < 2 or not images.is_floating_point():
        raise InputError(
            f"{name} has images of {images.dtype} and shape {_shown(images.shape)}; give batches, "
            "B×C×H×W, of floating-point numbers, normalised as the network wants them"
        )
    _require_values(images, f"{name} has images")
    if shape is not None and images.shape[1:] != shape:
        raise InputError(
            f"{name} has images of {_shown(images.shape[1:])}, and validation begins with "
            f"{_shown(shape)}; give all of one shape"
        )
    placed = images.to(compute.device, torch.float32)
    if not bool(placed.isfinite().all()):  # not before: a double may be too large for a float
        raise InputError(
            f"{name} has images with pixels that are NaN or infinite as float32; leave these out"
        )
    return placed


def _labels(labels: Any, count: int) -> Tensor:
    whole = isinstance(labels, Tensor) and not (labels.is_floating_point() or labels.is_complex())
    if not whole or labels.shape != (count,):
        told = f"{labels.dtype}, {_shown(labels.shape)}" if isinstance(labels, Tensor) else ""
        raise InputError(
            f"validation has labels that are {kind(labels)}{told and f' ({told})'} beside {count} "
            "images; give one class number for each image"
        )
    _require_values(labels, "validation has labels")
    return labels.long()


def _require_values(tensor: Tensor, what: str) -> None:
    if tensor.is_meta or tensor.layout != torch.strided:
        raise InputError(
            f"{what} that are {'of the meta device' if tensor.is_meta else 'sparse'}; give dense "
            "tensors with values"
        )


@torch.no_grad()
def _running(network: nn.Module, images: Tensor, compute: Compute) -> Compute:
    """The same, with contiguous images and weights where the network cannot take others: `view`
    does not flatten what lies channels_last. The network is placed by what is returned."""
    compute.to_device(network).eval()
    try:
        with compute.autocast():
            network(_laid_out(images[:2], compute))
    except Exception:  # that it runs no other way either is found next
        compute = Compute(replace(compute.spec, channels_last=False))
        compute.to_device(network)
    return compute


@torch.no_grad()
def _require_network_for(
    network: nn.Module, images: Tensor, labels: Tensor, compute: Compute
) -> None:
    """Raises InputError unless the network gives these images a logit for each of their labels,
    and leaves them as they are."""
    some, shape = _laid_out(images[:2], compute), _shown(images.shape[1:])
    with images_kept(some, "the network") as lent:
        try:
            with compute.autocast():
                logits = network(lent)
        except Exception as error:  # whatever somebody's own code raises
            reason = typed_line(error)
            raise InputError(
                f"the network does not take validation's images of {shape}: {reason}"
            ) from error
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(some):
        told = _shown(logits.shape) if isinstance(logits, Tensor) else kind(logits)
        raise InputError(
            f"the network gives {told} for {len(some)} images of {shape}; it must give logits, one "
            "row for each image and one column for each class"
        )
    classes = logits.shape[1]
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise InputError(
            f"validation has labels from {low} to {high}, but the network tells {classes} classes "
            f"apart; give labels from 0 to {classes - 1}"
        )


def require_finite(score: HeldOut, tickets: Iterable[Ticket]) -> None:
    """Raises InputError where no ticket's logits are finite, and where calibration gives statistics
    that are not: every accuracy would be zero. One ticket that diverged may be among the others."""
    sound = (t for t in tickets if isfinite(score.correct_and_loss(t, 0)[1]))
    if (ticket := next(sound, None)) is None:
        raise InputError(
            "the network gives logits that are NaN or infinite, whichever ticket's weights it has; "
            "give the one that the tickets were trained with"
        )
    anew = re_estimate(ticket, score.model, score.calibration, score.compute)
    for name, buffer in anew.buffers.items():
        if not bool(buffer.isfinite().all()):
            raise InputError(
                f"calibration's images make {name} NaN or infinite; normalise them as validation's "
                "are"
            )


def _laid_out(images: Tensor, compute: Compute) -> Tensor:
    return images.contiguous(memory_format=compute.layout) if images.ndim == 4 else images


def _shown(shape: torch.Size) -> str:
    return "×".join(map(str, shape)) or "one number"
