"""Stage `efficient_ensemble`: several members in one network, to compare cheap tickets with.

The diversity of TreeNet and BatchEnsemble (Sup-tickets, table 6): dense networks, trained whole by
the one loop, in the time of a dense training. The paper does not say how many members they had, nor
where its trees branch: three members, as many as it has cheap tickets, and half of the blocks.
"""

from argparse import Namespace
from typing import Any, cast

import torch
from torch import Tensor

from lp_core import faces
from lp_core.data.loading import EVAL_BATCH, eval_batches
from lp_core.errors import InputError
from lp_core.models.ensembles.ensemble import Ensemble
from lp_core.models.ensembles.spec import ENSEMBLES
from lp_core.models.factory import build
from lp_core.training.evaluation import float32_logits
from tasks.kit import paths, resume
from tasks.kit.bench import Bench
from tasks.kit.cli import run
from tasks.kit.diversity import diversity_rows
from tasks.kit.provenance import provenance
from tasks.kit.rows import write_rows
from tasks.kit.torchrun import under_torchrun
from tasks.kit.training import StageTrainer


def main(arguments: Namespace) -> None:
    """Train it for `train.epochs` epochs, and compare its members on the test images."""
    variant, seed, name = arguments.variant, arguments.seed, arguments.name
    stage = resume.stage_name("efficient_ensemble", variant, seed, name)
    trainer = StageTrainer(stage, variant, seed)
    ensemble = make(name, trainer.bench, trainer.seeds.init)
    trainer.model = ensemble
    epochs = range(trainer.spec.epochs)
    state = trainer.state({}, epochs, code=[faces.module_of(ENSEMBLES, name)])
    finished = trainer.train({}, epochs, state)
    if not trainer.workers.first:
        return
    logits = member_logits(ensemble, trainer.bench)
    whose: dict[str, Any] = {"method": None, "ending": None}
    curve = trainer.curve_rows(finished, method=name, ending=None, ticket=None, density=1.0)
    ran = provenance("efficient_ensemble", name, trainer.compute, finished.seconds)
    write_rows(
        paths.rows("efficient_ensemble", variant, seed, name),
        trainer.bench.head("efficient_ensemble", variant, seed, name=name),
        {
            "curves": curve,
            "diversity": diversity_rows(logits, kind=name, **whose),
            "stages": [ran],
        },
    )
    resume.finish(finished.state)


def make(name: str, bench: Bench, seed: int) -> Ensemble:
    """The ensemble of the bench's network, on its device. seed: of the weights."""
    model, dataset = bench.model_spec, bench.dataset

    def one(seed: int) -> torch.nn.Module:
        shapes = (len(dataset.classes), dataset.channels, dataset.size)
        return build(model.name, *shapes, model.stem, model.arguments, model.weights, seed=seed)

    try:
        ensemble = faces.member(ENSEMBLES, name)(one, seed)
    except InputError as error:
        raise InputError(f"sup_tickets.efficient_ensembles: {name}: {error}") from error
    return cast(Ensemble, bench.compute.to_device(ensemble))


@torch.no_grad()
def member_logits(ensemble: Ensemble, bench: Bench) -> dict[int, Tensor]:
    """Each member's logits (float32 N×classes) of the test images, by its number from 1."""
    ensemble.eval()
    compute = bench.compute
    with compute.autocast(), float32_logits(ensemble):
        batches = eval_batches(bench.dataset, "test", EVAL_BATCH, compute.device)
        logits = torch.cat([ensemble.members(x).float().cpu() for x, _ in batches], dim=1)
    return dict(enumerate(logits, start=1))


if __name__ == "__main__":
    run(
        under_torchrun(main),
        variant="variants",
        seed=int,
        name="sup_tickets.efficient_ensembles",
        code=("efficient_ensemble", "networks/{variant}", "ensembles/{name}"),
    )
