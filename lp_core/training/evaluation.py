"""Scores of a network on a split: accuracy, negative log-likelihood, calibration error."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lp_core.analysis.calibration import expected_calibration_error
from lp_core.compute import Compute
from lp_core.models.classifier import classifier


@dataclass(frozen=True)
class Scores:
    """accuracy and ece: 0–1. nll: mean, in nats; infinite or NaN for a diverged network."""

    accuracy: float
    nll: float
    ece: float


@contextmanager
def float32_logits(model: nn.Module) -> Iterator[None]:
    """While it lasts, the layer that makes the logits computes in float32, autocast or not.

    bfloat16 logits tie: an image in 160 has its two highest at the same value. So what decides or
    is reported is computed under this; training is not. That layer must be linear (`classifier`);
    a network with another stays as it is, and its logits may tie.
    """
    last = classifier(model)
    if last is None:
        yield
        return
    forward, replaced = last.forward, last.__dict__.get("forward")

    def in_float32(features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return forward(features.float())

    last.forward = in_float32  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        del last.forward  # uncovers that of the class
        if replaced is not None:
            last.forward = replaced  # type: ignore[method-assign]


@torch.no_grad()
def predict(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], compute: Compute
) -> tuple[Tensor, Tensor]:
    """Logits (float32 N×classes) and labels (int64 N) of all batches, on the CPU."""
    model.eval()
    logits, labels = [], []
    with compute.autocast(), float32_logits(model):
        for images, truth in batches:
            logits.append(model(images).float())
            labels.append(truth)
    return torch.cat(logits).cpu(), torch.cat(labels).cpu()


def is_correct(logits: Tensor, labels: Tensor) -> Tensor:
    """Which predictions are right (bool N), of N×classes logits and N labels.

    A diverged network's NaN logits are no prediction: wrong, not class 0.
    """
    return (logits.argmax(1) == labels) & logits.isfinite().all(1)


def scores(logits: Tensor, labels: Tensor) -> Scores:
    """Scores of predictions (N×classes logits, N labels)."""
    return Scores(
        accuracy=is_correct(logits, labels).double().mean().item(),
        nll=nn.functional.cross_entropy(logits, labels).item(),
        ece=expected_calibration_error(logits.softmax(1), labels),
    )


def evaluate(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], compute: Compute
) -> Scores:
    """Scores of a network that lies on the compute device."""
    return scores(*predict(model, batches, compute))


def above_chance(accuracy: float, labels: Tensor) -> bool:
    """Whether an accuracy beats the most frequent class by more than three standard errors."""
    chance = labels.bincount().max().item() / len(labels)
    return accuracy > chance + 3 * (chance * (1 - chance) / len(labels)) ** 0.5
