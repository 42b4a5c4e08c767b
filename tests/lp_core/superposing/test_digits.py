"""On real digits: sparse networks learn, and superposing cheap tickets leaves what they learned."""

import pytest
from torch import nn

from lp_core.compute import Compute
from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.build import build_dataset
from lp_core.data.loading import eval_batches, train_loader
from lp_core.data.spec import DatasetSpec
from lp_core.data.store import Dataset
from lp_core.models.factory import build
from lp_core.models.structure import prunable
from lp_core.seeds import noise_seed
from lp_core.superposing.cheap_tickets import Superposing
from lp_core.superposing.rates import rate
from lp_core.superposing.spec import EndingSpec
from lp_core.tickets import Ticket
from lp_core.training.evaluation import Scores, evaluate
from lp_core.training.schedules import Schedule, by_step
from lp_core.training.spec import TrainSpec
from lp_core.training.trainer import Trainer
from tests.lp_core.sparse import COMPUTE, SETTINGS, method

EPOCHS = 10


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return build_dataset("digits", DatasetSpec(source="digits", watch="pins"))


@pytest.mark.parametrize("name", SETTINGS)
def test_a_tenth_of_the_weights_learn_digits_and_their_superposition_is_no_worse(digits, name):
    compute, augment = Compute(COMPUTE), AugmentSpec(crop=1, flip=False)
    model = build("resnet8", 10, 1, 8, seed=0)
    sparse = method(name, **({"interval": 10} if "interval" in SETTINGS[name] else {}))
    loader = train_loader(digits, 64, augment, compute.device)
    schedule = Schedule(lr=0.1, drops=[5, 7])
    ending = EndingSpec(tickets=2, cycle=1)
    steps, first = EPOCHS * len(loader), (EPOCHS - ending.superposing) * len(loader)
    names = prunable(model, "conv+linear")

    def first_batch():
        return next(iter(loader.epoch(noise_seed(0, None, 0))))

    masks = sparse.initial_masks(model, names, first_batch, 0, compute)
    keep = round(sparse.density * sum(mask.numel() for mask in masks.values()))
    cheap: list[float] = []

    def scores(network: nn.Module, split: str = "val") -> Scores:
        return evaluate(network, eval_batches(digits, split, 500, compute.device), compute)

    def on_ticket(_: int, ticket: Ticket) -> None:
        network = build("resnet8", 10, 1, 8, seed=0)
        ticket.load_into(network)
        cheap.append(scores(compute.to_device(network), "test").accuracy)

    superposing = Superposing(ending, sparse, first, len(loader), keep, 0, on_ticket)
    updates = sparse.updates(steps, len(loader), seed=0, stop=first)
    trainer = Trainer(
        model,
        loader,
        TrainSpec(EPOCHS, 64, 0.9, 5e-4, schedule, augment),
        compute,
        noise=lambda epoch: noise_seed(0, None, epoch),
        validate=scores,
        lr=rate(ending, first, len(loader), by_step(schedule, EPOCHS, len(loader))),
        hooks=[superposing, *([updates] if updates else [])],
    )
    trainer.train(masks, range(EPOCHS))
    superposing.average.load_into(model)
    together = scores(model, "test").accuracy
    assert len(cheap) == 2
    # Of the first layer's 144 weights a uniform mask leaves 14, which is known to hurt.
    assert min(cheap) > (0.7 if name == "uniform" else 0.9)
    assert together >= sum(cheap) / 2 - 0.01
