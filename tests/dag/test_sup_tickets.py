"""Sup-tickets on the real DAG: what a change runs, what endings come to, one flow alone."""

from typing import Any

import pytest
import torch

from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.data.loading import train_loader
from lp_core.data.store import Dataset
from lp_core.models.factory import build
from lp_core.models.structure import prunable
from lp_core.seeds import noise_seed
from lp_core.sparsity.method_spec import method_class
from lp_core.superposing import EndingSpec, Superposing, rate
from lp_core.tickets import Ticket
from lp_core.training.evaluation import Scores
from lp_core.training.schedules import by_step
from lp_core.training.spec import TrainSpec
from lp_core.training.trainer import Trainer
from tasks.kit.params import Params
from tests.changes import with_changes
from tests.dag.project import TINY, Project
from tests.dag.stages import ENDING_SCORES, ENDINGS, OOD_ENDING, RESULTS, SIBLING, SPARSE


def _change(project: Project, **changes: Any) -> None:
    """changes: of the section sup_tickets, with __ between keys."""
    project.params({"sup_tickets": with_changes(TINY["sup_tickets"], changes, "__")})


def test_another_ending_is_trained_and_measured_alone(project: Project) -> None:
    _change(project, endings=["plain", "cia", "caa"], ablations=["search"])
    new = [
        *("ending@base-0-rigl-caa", "ending_scores@base-0-rigl-caa"),
        *("ablation@base-0-rigl-search", "ablation_scores@base-0-rigl-search"),
    ]
    assert sorted(project.reruns()) == sorted(["params", *new, *RESULTS])
    rows = project.table("sup_tickets").query("split == 'test'")
    assert list(rows["ending"]) == ["plain", "cia", "caa", "search"]
    assert list(rows["sup"]) == [False, True, True, True]


def test_another_method_is_trained_and_measured_alone(project: Project) -> None:
    old = project.table("sup_tickets")
    _change(project, methods=["rigl", "set"])
    mine = ["sparse", "ending", "ending_scores", "ood_ending"]
    ran = project.reruns()
    assert {name.partition("@")[0] for name in ran} == {"params", *mine, *RESULTS}
    assert not [name for name in ran if "@" in name and "-set" not in name]
    new = project.table("sup_tickets")
    kept = new[new["method"] != "set"].reset_index(drop=True)
    assert kept.drop(columns="run").equals(old.drop(columns="run"))


def test_another_setting_of_an_ending_trains_that_ending_alone(project: Project) -> None:
    _change(project, ending__cia={"tickets": 2, "cycle": 1, "lr2": 0.01})
    again = [ENDINGS[1], ENDING_SCORES[1], *OOD_ENDING, *SIBLING]
    assert sorted(project.reruns()) == sorted(["params", "code", *again, *RESULTS])


def test_another_setting_of_a_method_trains_that_method_alone(project: Project) -> None:
    _change(project, training__rigl__interval=6)
    again = [*SPARSE, *ENDINGS, *ENDING_SCORES, *OOD_ENDING, *SIBLING]
    assert sorted(project.reruns()) == sorted(["params", "code", *again, *RESULTS])


@pytest.mark.parametrize("ending", TINY["sup_tickets"]["endings"])
def test_the_shared_part_and_an_ending_are_one_uninterrupted_training(
    finished: Project, ending: str
) -> None:
    made = Ticket.load(finished.root / f"endings/base/rigl/{ending}/0/ticket.safetensors")
    whole = _in_one_go(finished, ending)
    for ours, theirs in (
        (whole.weights, made.weights),
        (whole.mask, made.mask),
        (whole.buffers, made.buffers),
    ):
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)  # bit for bit


def _in_one_go(project: Project, ending: str) -> Ticket:
    """What RigL comes to with that ending, through lp_core alone."""
    params = Params(path=project.root / "params.yaml")
    train = params.section("train", TrainSpec)
    compute = Compute(params.section("compute", ComputeSpec))
    dataset = Dataset.load(project.root / "data" / "digits")
    loader = train_loader(dataset, train.batch_size, train.augment, compute.device)
    model = build("resnet8", 10, dataset.channels, dataset.size, "auto", seed=0)
    model = compute.to_device(model)
    method = method_class("rigl")(**_settings("training", "rigl"))
    names = prunable(model, "conv+linear")
    masks = method.initial_masks(model, names, lambda: next(loader.epoch(0)), 0, compute)
    keep = sum(int(mask.sum()) for mask in masks.values())

    spec = EndingSpec(**_settings("ending", ending))
    steps = train.epochs * len(loader)
    first = steps - spec.superposing * len(loader)
    updates = method.updates(steps, len(loader), 0, stop=first if spec.tickets else None)
    assert updates is not None
    hooks = [updates]
    superposing = Superposing(spec, method, first, len(loader), keep, 0)
    if spec.tickets:
        hooks.append(superposing)
    trainer = Trainer(
        model,
        loader,
        train,
        compute,
        noise=lambda epoch: noise_seed(0, None, epoch),
        validate=lambda _: Scores(0.0, 0.0, 0.0),
        lr=rate(spec, first, len(loader), by_step(train.schedule, train.epochs, len(loader))),
        hooks=hooks,
    )
    trainer.train(masks, range(train.epochs))
    return superposing.average if spec.tickets else Ticket.of(model, trainer.progress.masks, {})


def _settings(kind: str, name: str) -> dict[str, Any]:
    return {k: v for k, v in TINY["sup_tickets"][kind][name].items() if k != "recipe"}


def test_without_sup_tickets_nothing_else_runs(project: Project) -> None:
    _change(project, variants=[])
    assert sorted(project.repro()) == sorted(["params", *RESULTS])
    assert project.stale() == []
    assert len(project.table("sup_tickets")) == 0
    assert project.table("ood")["ending"].isna().all()
    flow = project.run("python", "-m", "flows.sup_tickets", check=False)
    assert "error: params.yaml: sup_tickets.variants: the list is empty" in flow
    assert "Traceback" not in flow


def test_without_imp_pool_nothing_else_runs(project: Project) -> None:
    """And with ensembles, which need more seeds than the tiny experiment has."""
    _change(project, siblings__methods=[])
    project.params({"grid": [], "pooling": TINY["pooling"] | {"variants": []}})
    assert sorted(project.reruns()) == sorted(["params", *RESULTS])
    assert len(project.table("tickets")) == 0
    assert "error: params.yaml: grid: the list is empty" in project.run(
        "python", "-m", "flows.imp_pool", check=False
    )

    project.params({"seeds": [0, 1]})
    _change(
        project,
        methods=["dense"],
        endings=["plain"],
        corrupted=[],
        ablated=[],
        siblings__methods=[],
        ensembles=["dense"],
        efficient_ensembles=["tree-net"],
    )
    flow = project.run("python", "-m", "flows.sup_tickets", "--max-parallel", "2")
    assert "Running stage 'efficient_ensemble@base-1-tree-net'" in flow
    assert project.stale() == []
    diversity = project.table("diversity")
    seeds = diversity.query("kind == 'seeds'")
    assert list(zip(seeds["seed"], seeds["a"], seeds["b"], strict=True)) == [(0, 0, 1), (1, 1, 0)]
    assert set(diversity["kind"]) == {"seeds", "tree-net"}
    assert (project.root / "results" / "report.html").stat().st_size > 10_000
