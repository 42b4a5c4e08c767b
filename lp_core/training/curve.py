"""A run's curve: one row for each finished epoch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """One finished epoch. accuracy: 0–1, loss: mean cross-entropy, lr: at the epoch's end.

    accuracy and loss are those of the batches as they were trained on, val_accuracy and val_loss
    those of the held-out split. seconds: wall time, validation included.
    """

    epoch: int
    lr: float
    accuracy: float
    loss: float
    val_accuracy: float
    val_loss: float
    seconds: float
