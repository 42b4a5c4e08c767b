"""Where trainings of a run begin: the rewind point, dense or under the mask of a ticket."""

from dataclasses import replace
from pathlib import Path

from torch import Tensor

from lp_core.errors import DamagedError, InputError
from lp_core.tickets import Ticket
from tasks.kit import paths

REWIND = "rewind"


def start_files(variant: str, seed: int, start: str | int) -> list[Path]:
    """The files that a start is made of: the rewind point, and the ticket whose mask it has."""
    names = [REWIND] if start == REWIND else [REWIND, start]
    return [paths.ticket(variant, seed, name) for name in names]


def start_point(variant: str, seed: int, start: str | int) -> Ticket:
    """The untrained ticket `start` on the CPU: the rewind point's weights and statistics, zero
    outside the mask of that ticket; the rewind point itself for `rewind`.

    Its meta is the rewind point's, of which `epochs` is the first epoch of a training from here.
    Raises DamagedError where another ticket lies in the place of either.
    """
    files = start_files(variant, seed, start)
    point, masks = (Ticket.load(file) for file in (files[0], files[-1]))
    # Only what was trained to the end says whether it converged: a ticket, or a fork.
    if {"ticket", "converged"} & point.meta.keys() or "epochs" not in point.meta:
        raise DamagedError(files[0], "no rewind point lies in its place")
    run: dict[str, str | int] = {"variant": variant, "seed": seed}
    if any(point.meta.get(name) != value for name, value in run.items()):
        told = ", ".join(f"{name} {point.meta.get(name)}" for name in run)
        raise DamagedError(files[0], f"another rewind point lies in its place ({told})")
    if start == REWIND:
        return point
    wanted = run | {"ticket": start}
    if any(str(masks.meta.get(name)) != str(value) for name, value in wanted.items()):
        told = ", ".join(f"{name} {masks.meta.get(name)}" for name in wanted)
        raise DamagedError(files[1], f"another ticket lies in its place ({told})")
    if any(point.weights[name].shape != mask.shape for name, mask in masks.mask.items()):
        raise DamagedError(files[1], f"its mask is of another network than {files[0]}")
    return replace(under(point, masks.mask), name=masks.name)


def epochs_left(start: Ticket, end: int) -> range:
    """The epochs of a training from a start to the end of the schedule, `train.epochs`. Raises
    InputError where there is none."""
    epochs = range(start.meta["epochs"], end)
    if not epochs:
        raise InputError(
            f"train.epochs is {end}, but {start.name} has {start.meta['epochs']} epochs behind it; "
            "give more, or rewind to an earlier one"
        )
    return epochs


def under(point: Ticket, masks: dict[str, Tensor]) -> Ticket:
    """The ticket that the masks make of a dense one: its weights are zero outside them."""
    weights = {
        name: weight.where(masks[name], 0.0) if name in masks else weight
        for name, weight in point.weights.items()
    }
    return replace(point, weights=weights, mask=masks)
