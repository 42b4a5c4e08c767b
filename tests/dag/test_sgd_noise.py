"""SGD noise on the real DAG: what a change runs, what forks share, what damage says.

Most edits are only asked about: DVC tells of every stage whether it would begin with it.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.data.loading import train_loader
from lp_core.data.store import Dataset
from lp_core.models.factory import build
from lp_core.seeds import noise_seed
from lp_core.tickets import Ticket
from lp_core.training.evaluation import Scores
from lp_core.training.spec import TrainSpec
from lp_core.training.trainer import Trainer
from tasks.kit.params import Params
from tests.changes import with_changes
from tests.dag.project import TINY, Project
from tests.dag.sgd_noise import (
    ALL,
    EXPERIMENT,
    INSTABILITY,
    PROBES,
    SEARCH,
    SECTION,
    STEPS,
    SUBSET_INSTABILITY,
    TABLES,
)

RESULTS = ["tables", "report"]
EDITED = ["params", *RESULTS]  # what every edit runs


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("sgd-noise"))
    project.params(EXPERIMENT)
    assert sorted(project.repro()) == sorted(ALL)  # each once
    return project


@pytest.fixture
def edited(finished: Project) -> Iterator[Project]:
    """The experiment, to edit its params and run nothing; they are taken back."""
    file = finished.root / "params.yaml"
    text = file.read_text()
    yield finished
    file.write_text(text)


def _section(**changes: Any) -> dict[str, Any]:
    """The section sgd_noise with changes, `__` between keys."""
    return {"sgd_noise": with_changes(SECTION, changes, "__")}


def test_the_flow_has_all_of_it_and_finds_done_what_dvc_has_computed(finished: Project) -> None:
    output = finished.run("python", "-m", "flows.sgd_noise")
    assert f"{len(ALL)} stages: {len(ALL)} Cached" in output


def test_every_table_of_the_flow_has_rows(finished: Project) -> None:
    assert [name for name in TABLES if not len(finished.table(name))] == []


# What is added: the edit, its own stages, and those that read more than before.
ADDED: dict[str, tuple[dict[str, Any], list[str], list[str]]] = {
    "noise seed": (
        _section(noise=[1, 2, 3]),
        ["fork@base-0-rewind-3", "fork@base-0-1-3", "subset_fork@base-0-easiest-30-3"],
        # What chooses images by difficulty waits for what `instability` then makes of it.
        [*INSTABILITY, *SUBSET_INSTABILITY, *SEARCH[:-1]],
    ),
    "start": (
        _section(starts=["rewind", 1, 0]),
        ["fork@base-0-0-1", "fork@base-0-0-2", "instability@base-0-0"],
        [],
    ),
    "part left out": (
        _section(subsets__removed=["easiest-30", "hardest-30"]),
        [
            *(f"subset_fork@base-0-hardest-30-{noise}" for noise in (1, 2)),
            "subset_instability@base-0-hardest-30",
        ],
        [],
    ),
    "pair": (
        _section(crossed=[*SECTION["crossed"], {"masks": "base", "training": "base"}]),
        ["cross@pair1-0-1"],
        [],
    ),
    "probed ticket": (_section(probes__tickets=[1, 0]), ["probe@base-0-0"], []),
    "ticket to transfer": (_section(transfer__tickets=[1, 0]), ["transfer@base-0-0-more"], []),
    "part of the images": (
        _section(few_shot__percent=[20, 40]),
        [
            "few_shot@base-0-1-ticket-40",
            "few_shot_forgotten@base-0-1-ticket-40-least-forgotten",
        ],
        [],
    ),
    "network of few shots": (
        _section(few_shot__networks=["ticket", "permuted"]),
        [
            "few_shot@base-0-1-permuted-20",
            "few_shot_forgotten@base-0-1-permuted-20-least-forgotten",
        ],
        [],
    ),
    "selection": (
        _section(few_shot__selections=["least-forgotten", "most-forgotten"]),
        ["few_shot_forgotten@base-0-1-ticket-20-most-forgotten"],
        [],
    ),
    "step": (
        _section(stable_rewind__steps=[*STEPS, {"step": 4, "after": 3}]),
        ["rewind_probe@base-0-step3"],
        SEARCH[-1:],
    ),
}


@pytest.mark.parametrize("added", ADDED)
def test_what_is_added_runs_its_own_stages(edited: Project, added: str) -> None:
    changes, new, again = ADDED[added]
    edited.params(changes)
    assert sorted(edited.stale()) == sorted([*EDITED, *new, *again])


# Edits of what is there, and whose settings they are.
SETTINGS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "threshold": (
        _section(threshold=0.5),
        [*INSTABILITY, *SUBSET_INSTABILITY, *SEARCH[:-1]],
    ),
    "probes": (_section(probes__lr=0.01), PROBES),
    # Of the other flows: none of this one's.
    "pooling": (
        {"pooling": with_changes(EXPERIMENT["pooling"], {"scoring.search": "exact"}, ".")},
        [],
    ),
    "sup_tickets": (
        {"sup_tickets": with_changes(EXPERIMENT["sup_tickets"], {"start": 2}, ".")},
        [],
    ),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_runs_the_stages_that_read_it(edited: Project, setting: str) -> None:
    changes, again = SETTINGS[setting]
    edited.params(changes)
    assert sorted(edited.stale()) == sorted([*EDITED, *again])


def test_another_variant_computes_nothing_of_the_first(project: Project) -> None:
    old = {path: path.stat().st_mtime_ns for path in project.root.rglob("*.safetensors")}
    tables = {name: project.table(name) for name in ("forks", "instability", "rewind_probes")}
    variants = EXPERIMENT["variants"] | {"init": {"rewind": {"epochs": 0}}}
    project.params({"variants": variants, "grid": ["base", "init"]})
    project.params(_section(variants=["base", "init"]))
    ran = project.reruns()
    own = ("pretrain", "imp", "ood", "landscape", "fork", "instability")
    measured = ("probe", "transfer", "few_shot", "few_shot_forgotten")
    assert {name.partition("@")[0] for name in ran} == {*EDITED, "code", *own, *measured}
    assert not [name for name in ran if "@" in name and "@init-0" not in name]
    assert len(ran) == len(set(ran))
    assert {path: path.stat().st_mtime_ns for path in old} == old
    for name, table in tables.items():
        kept = project.table(name).query("variant == 'base'").reset_index(drop=True)
        assert kept.drop(columns="run").equals(table.drop(columns="run")), name

    # Without a pretraining, forks share the initial weights.
    dataset = Dataset.load(project.root / "data" / "digits")
    model = build("resnet8", 10, dataset.channels, dataset.size, "auto", seed=0)
    start = Ticket.load(project.root / "tickets/init/0/rewind.safetensors")
    state = model.state_dict()
    assert all(torch.equal(weights, state[name]) for name, weights in start.weights.items())


@pytest.mark.parametrize("start", SECTION["starts"])
def test_forks_share_their_start_to_the_bit_and_differ_in_their_noise_alone(
    finished: Project, start: str | int
) -> None:
    forks = {noise: _fork(finished, start, noise) for noise in SECTION["noise"]}
    for noise, fork in forks.items():
        alone = _trained_alone(finished, start, noise)
        assert fork.weights.keys() == alone.weights.keys()
        assert all(torch.equal(fork.weights[name], alone.weights[name]) for name in fork.weights)
        assert all(torch.equal(fork.buffers[name], alone.buffers[name]) for name in fork.buffers)
    one, other = forks.values()
    assert not all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


def _fork(project: Project, start: str | int, noise: int) -> Ticket:
    return Ticket.load(project.root / f"forks/base/0/{start}/{noise}/ticket.safetensors")


def _trained_alone(project: Project, start: str | int, noise: int) -> Ticket:
    """What the start comes to under that noise, through lp_core alone."""
    params = Params(path=project.root / "params.yaml")
    train = params.section("train", TrainSpec)
    compute = Compute(params.section("compute", ComputeSpec))
    dataset = Dataset.load(project.root / "data" / "digits")
    loader = train_loader(dataset, train.batch_size, train.augment, compute.device)
    model = compute.to_device(build("resnet8", 10, dataset.channels, dataset.size, "auto", seed=7))
    rewind = Ticket.load(project.root / "tickets/base/0/rewind.safetensors")
    mask = Ticket.load(project.root / f"tickets/base/0/{start}.safetensors").mask
    rewind.load_into(model)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if name in mask:
                weights.mul_(mask[name])
    trainer = Trainer(
        model,
        loader,
        train,
        compute,
        noise=lambda epoch: noise_seed(noise, None, epoch),
        validate=lambda _: Scores(0.0, 0.0, 0.0),
    )
    trainer.train(mask, range(TINY["rewind"]["epochs"], train.epochs))
    return Ticket.of(model, mask, {})


def test_a_noise_seed_taken_away_leaves_no_pair_in_the_tables(project: Project) -> None:
    fewer: dict[str, list[str]] = {
        "subsets__variants": [],
        "few_shot__selections": [],
        "stable_rewind__variants": [],
    }
    project.params(_section(**fewer, starts=["rewind"], noise=[1, 2, 3]))
    ran = [*EDITED, "fork@base-0-rewind-3", "instability@base-0-rewind"]
    assert sorted(project.reruns()) == sorted(ran)
    assert _pairs(project) == {(1, 2), (1, 3), (2, 3)}

    project.params(_section(**fewer, starts=["rewind"]))
    assert sorted(project.reruns()) == sorted([*EDITED, "instability@base-0-rewind"])
    assert _pairs(project) == {(1, 2)}
    assert set(project.table("forks")["noise"]) == {1, 2}
    assert set(project.table("fork_curves")["noise"]) == {1, 2}


def _pairs(project: Project) -> set[tuple[int, int]]:
    table = project.table("instability")
    return set(zip(table["noise_a"], table["noise_b"], strict=True))


def _emptied(folder: Path) -> None:
    for file in folder.rglob("*.safetensors"):
        file.unlink()


def _gone(folder: Path) -> None:
    shutil.rmtree(folder)


def _a_bit_flipped(folder: Path) -> None:
    file = folder / "2" / "ticket.safetensors"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [_emptied, _gone, _a_bit_flipped])
def test_a_damaged_folder_of_forks_gives_one_line(
    project: Project, damage: Callable[[Path], None]
) -> None:
    damage(project.root / "forks/base/0/rewind")
    command = ["python", "-m", "tasks.instability", "--variant", "base", "--seed", "0"]
    output = project.run(*command, "--start", "rewind", check=False)
    (line,) = output.splitlines()
    assert line.startswith("error: forks/base/0/rewind/")
