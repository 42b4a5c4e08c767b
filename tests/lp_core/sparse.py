"""Tiny sparse trainings, with Sup-tickets or without.

`python -m tests.lp_core.sparse STATE FOLDER` is the run that a test kills and starts again.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.epoch import Batch
from lp_core.data.memory import MemoryLoader
from lp_core.models.structure import prunable
from lp_core.seeds import noise_seed
from lp_core.sparsity.method import SparseMethod
from lp_core.sparsity.method_spec import method_class
from lp_core.superposing.cheap_tickets import Superposing
from lp_core.superposing.costs import TrainingCost
from lp_core.superposing.rates import rate
from lp_core.superposing.spec import EndingSpec
from lp_core.tickets import Ticket
from lp_core.training.curve import Epoch
from lp_core.training.hooks import Hook
from tests.lp_core.tiny import LONG, TRAINING_IMAGES, TinyRun, images, residual_network

STEPS = TRAINING_IMAGES // 16  # in an epoch
EPOCHS = 6
SETTINGS: dict[str, dict[str, Any]] = {
    "dense": {},
    "uniform": {"density": 0.1},
    "erk": {"density": 0.1},
    "snip": {"density": 0.1},
    "set": {"density": 0.1, "interval": 2},
    "rigl": {"density": 0.1, "interval": 2},
    "granet": {"density": 0.1, "interval": 2, "until": 3},
}
DYNAMIC = ("set", "rigl", "granet")
PLAIN = EndingSpec(tickets=0)
SUP = EndingSpec(tickets=2, cycle=1, lr1=0.01, lr2=0.05)
COMPUTE = ComputeSpec("cpu", "fp32", channels_last=True, threads=1)


def method(name: str, **changes: Any) -> SparseMethod:
    return method_class(name)(**(SETTINGS[name] | changes))


def prunable_weights(model: nn.Module) -> int:
    return sum(model.get_parameter(name).numel() for name in prunable(model, "conv+linear"))


def first_batch() -> Batch:
    augment = AugmentSpec(crop=1, flip=True)
    split = images(TRAINING_IMAGES, 1)
    loader = MemoryLoader(split, [0.4] * 3, [0.2] * 3, 16, augment, "cpu", 0, 1)
    return next(iter(loader.epoch(noise_seed(0, 1, 0))))


def masks_of(
    sparse: SparseMethod, seed: int = 0, compute: ComputeSpec = COMPUTE
) -> Callable[[nn.Module], dict[str, Tensor]]:
    return lambda model: sparse.initial_masks(
        model, prunable(model, "conv+linear"), first_batch, seed, Compute(compute)
    )


def sparse_run(
    sparse: SparseMethod,
    ending: EndingSpec = PLAIN,
    epochs: int = EPOCHS,
    others: Callable[[], list[Hook]] = list,
    on_ticket: Callable[[int, Ticket], None] = lambda _number, _ticket: None,
    **settings: Any,
) -> TinyRun:
    """A whole training. others: hooks beside those of the method and the ending."""
    steps = epochs * STEPS
    first = steps - ending.superposing * STEPS
    network = settings.pop("network", residual_network)
    keep = round(sparse.density * prunable_weights(network()))

    def hooks() -> list[Hook]:
        updates = sparse.updates(steps, STEPS, seed=0, stop=first if ending.tickets else None)
        made: list[Hook] = [*([updates] if updates else []), TrainingCost()]
        if ending.tickets:
            made.append(Superposing(ending, sparse, first, STEPS, keep, 0, on_ticket))
        return [*made, *others()]

    how = {"epochs": epochs, "compute": COMPUTE, "network": network} | settings
    return TinyRun(
        **how,
        rate=rate(ending, first, STEPS, lambda _: 0.05),
        masks=masks_of(sparse, 0, how["compute"]),
        hooks=hooks,
    )


def hook(run: TinyRun, name: str) -> Hook:
    return next(hook for hook in run.trainer.hooks if hook.name == name)


def leave(run: TinyRun, folder: Path) -> None:
    """What came out: the network as it is, and the superposed ticket."""
    superposing = hook(run, "Superposing")
    assert isinstance(superposing, Superposing)
    Ticket.of(run.model, run.trainer.progress.masks, {}).save(folder / "network")
    superposing.average.save(folder / "average")


# Cycles of four epochs, from epoch 3 on; `caa` keeps counts beside its average.
LONG_ENDING = EndingSpec(tickets=3, cycle=4, average="caa", lr1=0.01, lr2=0.05)


def long_run(**settings: Any) -> TinyRun:
    return sparse_run(method("rigl"), LONG_ENDING, **LONG, **settings)


def killable(state: Path, folder: Path) -> None:
    """A line an epoch, then the tickets; slow enough to be killed on the way."""

    def tell(epoch: Epoch) -> None:
        print("epoch", epoch.epoch, flush=True)
        time.sleep(0.03)

    run = long_run(state=state, on_epoch=tell)
    run.train()
    leave(run, folder)


if __name__ == "__main__":
    killable(*[Path(argument) for argument in sys.argv[1:]])
