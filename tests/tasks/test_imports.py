"""The stage `imports`: what others have saved of a run pools as the run's own tickets do."""

import json
import os
import re
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lp_core.data.store import Dataset
from lp_core.errors import InputError
from lp_core.tickets import Ticket
from tasks import ensemble, imports, landscape, ood, pool
from tasks.kit import paths
from tasks.kit.rows import Tables, read_rows
from tests.lp_core.foreign import WRITERS, save_plain, save_prune
from tests.lp_core.tiny import CLASSES, TinyRun, images, plain_network, residual_network
from tests.tasks.tiny import PARAMS

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "resnet8": residual_network,
    "tests.lp_core.tiny:plain_network": plain_network,  # without batch norm
}
DENSITIES = (1.0, 0.64, 0.41)
POOLED = ("interpolation", "greedy-soup")


@pytest.fixture(scope="session", params=NETWORKS)
def native(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, and the tickets that a run of this project has left, pooled and measured."""
    folder = tmp_path_factory.mktemp("native")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_params(model={"name": request.param})
        parts = {n: images(count, s) for s, (n, count) in enumerate(SPLITS.items())}
        classes = [f"class {i}" for i in range(CLASSES)]
        Dataset("noise", classes, 3, 8, [0.4] * 3, [0.2] * 3, parts).save(paths.dataset("noise"))
        lineage: dict[str, list[Any]] = {}
        for number, density in enumerate(DENSITIES):
            run = TinyRun(epochs=12, density=density, network=NETWORKS[request.param])
            run.train()
            whose = {"variant": "base", "seed": 0, "ticket": number, "converged": True}
            ticket = Ticket.of(run.model, run.mask, whose | {"lineage": dict(lineage)})
            ticket.save(paths.ticket("base", 0, number))
            lineage[str(number)] = [ticket.digest, True]
        measure("base")
    return folder


SPLITS = {"train": 48, "val": 60, "test": 40}


def write_params(**sections: Any) -> None:
    changes = {"seeds": [0], "variants": {"base": {}, "mine": {}}} | sections
    changes["imp"] = PARAMS["imp"] | {"prunable": "conv"}
    Path("params.yaml").write_text(json.dumps(PARAMS | changes))


def given(pattern: str, **changes: Any) -> None:
    """What the params say of the checkpoints."""
    values = json.loads(Path("params.yaml").read_text())
    values["imports"] = {"mine": {"path": "checkpoints", "pattern": pattern} | changes}
    Path("params.yaml").write_text(json.dumps(values))


def measure(variant: str) -> None:
    for number in range(len(DENSITIES)):
        ood_rows(variant, number)
    landscape.main(Namespace(variant=variant, seed=0))
    for method in (*POOLED, "nearest"):
        pool.main(Namespace(variant=variant, seed=0, method=method))
    ensemble.main(Namespace(variant=variant, seed=0))


def ood_rows(variant: str, number: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.ood.corrupted_rows", lambda *_: [])
        ood.main(Namespace(variant=variant, seed=0, ticket=number))


@pytest.fixture
def root(native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the params, data and tickets of the native run."""
    monkeypatch.chdir(tmp_path)
    for name in ("params.yaml", "data", "tickets", "pools", "rows"):
        (tmp_path / name).symlink_to(native / name)
    (tmp_path / "params.yaml").unlink()
    (tmp_path / "params.yaml").write_text((native / "params.yaml").read_text())
    for name in ("tickets", "pools", "rows"):  # where the stages write beside them
        (tmp_path / name).unlink()
        for path in (native / name).rglob("*"):
            if path.is_file():
                place = tmp_path / path.relative_to(native)
                place.parent.mkdir(parents=True, exist_ok=True)
                os.link(path, place)
    return tmp_path


def network() -> nn.Module:
    return NETWORKS[json.loads(Path("params.yaml").read_text())["model"]["name"]]()


def native_tickets() -> list[Ticket]:
    return [Ticket.load(paths.ticket("base", 0, number)) for number in range(len(DENSITIES))]


def save_all(write: Any, name: str) -> None:
    """Every native ticket; `{}` in the name stands for its number."""
    for number, ticket in enumerate(native_tickets()):
        write(Path("checkpoints", name.format(number)), network(), ticket)


def run_stage() -> list[Ticket]:
    imports.main(Namespace(variant="mine"))
    return [Ticket.load(paths.ticket("mine", 0, number)) for number in range(len(DENSITIES))]


def rows(stage: str, variant: str, *item: str | int) -> Tables:
    tables = read_rows(paths.rows(stage, variant, 0, *item)).tables
    return {name: table for name, table in tables.items() if name != "stages"}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.usefixtures("root")
def test_checkpoints_of_every_format_become_the_runs_own_tickets(name):
    save_all(WRITERS[name], f"level_{{}}/{name}")
    given(f"*/{name}")
    assert [t.digest for t in run_stage()] == [t.digest for t in native_tickets()]


@pytest.mark.parametrize("name", ["pruned.pt", "model_ep160_it0.pth"])
@pytest.mark.usefixtures("root")
def test_they_are_measured_and_pooled_with_the_same_result(name):
    save_all(WRITERS[name], f"level_{{}}/{name}")
    given(f"level_{{ticket}}/{name}")
    run_stage()
    measure("mine")
    for number in range(len(DENSITIES)):
        assert rows("ood", "mine", number) == rows("ood", "base", number)
    assert rows("landscape", "mine", "tickets") == rows("landscape", "base", "tickets")
    assert rows("ensemble", "mine", "tickets") == rows("ensemble", "base", "tickets")
    for method in POOLED:
        assert rows("pool", "mine", method) == rows("pool", "base", method)
        for number in range(len(DENSITIES)):
            pools = [paths.pooled(variant, 0, method, number) for variant in ("mine", "base")]
            assert len({Ticket.load(path).digest for path in pools}) == 1


@pytest.mark.usefixtures("root")
def test_a_ticket_says_of_which_network_and_file_it_is():
    save_all(save_prune, "a/{}.pt")
    given("a/*.pt")
    for number, ticket in enumerate(run_stage()):
        assert ticket.meta["checkpoint"] == f"a/{number}.pt"
        assert ticket.meta["converged"]
        assert list(ticket.meta["lineage"]) == [str(earlier) for earlier in range(number)]
        rebuilt = ticket.network()
        assert torch.equal(next(rebuilt.parameters()), next(iter(ticket.weights.values())))


@pytest.mark.usefixtures("root")
def test_nobody_knows_how_long_they_were_trained():
    save_all(save_prune, "{}.pt")
    given("*.pt")
    run_stage()
    assert rows("imports", "mine", "tickets")["trainings"] == [
        {"ticket": number, "train_seconds": None} for number in range(len(DENSITIES))
    ]


@pytest.mark.usefixtures("root")
def test_the_numbers_in_names_choose_seed_and_tickets():
    for seed in (0, 1):
        for number, ticket in enumerate(native_tickets() * 2):
            save_prune(Path(f"checkpoints/seed{seed}/{number}.pt"), network(), ticket)
    given("seed{seed}/{ticket}.pt")
    assert [t.digest for t in run_stage()] == [t.digest for t in native_tickets()]
    assert not Path("tickets/mine/1").exists()


@pytest.mark.usefixtures("root")
def test_a_sparse_network_at_chance_has_not_converged(capfd):
    save_all(save_prune, "{}.pt")
    ticket = native_tickets()[1]
    for weight in ticket.weights.values():
        weight.mul_(-1)
    save_prune(Path("checkpoints/1.pt"), network(), ticket)
    given("*.pt")
    assert [t.meta["converged"] for t in run_stage()] == [True, False, True]
    assert re.search(
        r"note: checkpoints/1\.pt: .*% of the held-out images right", capfd.readouterr().out
    )
    assert [c for _, c in Ticket.load(paths.ticket("mine", 0, 2)).meta["lineage"].values()] == [
        True,
        False,
    ]


def _missing(_: list[Ticket]) -> None:
    Path("checkpoints/2.pt").unlink()


def _one_more(tickets: list[Ticket]) -> None:
    save_prune(Path("checkpoints/3.pt"), network(), tickets[2])


def _a_copy(tickets: list[Ticket]) -> None:
    save_prune(Path("checkpoints/1.pt"), network(), tickets[2])


def _no_dense(tickets: list[Ticket]) -> None:
    mask = tickets[2].mask
    name = max(mask, key=lambda name: mask[name].numel())
    tickets[2].mask[name] = torch.zeros_like(mask[name])
    save_prune(Path("checkpoints/0.pt"), network(), tickets[2])


def _another_network(_: list[Ticket]) -> None:
    torch.save(nn.Linear(3, 4).state_dict(), "checkpoints/1.pt")


def _at_chance(tickets: list[Ticket]) -> None:
    for weight in tickets[0].weights.values():
        weight.mul_(-1)
    save_prune(Path("checkpoints/0.pt"), network(), tickets[0])


def _nan(tickets: list[Ticket]) -> None:
    next(iter(tickets[1].weights.values())).view(-1)[0] = torch.nan
    save_plain(Path("checkpoints/1.pt"), network(), tickets[1])


def _pickled(_: list[Ticket]) -> None:
    torch.save(network(), "checkpoints/1.pt")


ODD = {
    "imports.mine, seed 0: 2 files match (checkpoints/0.pt, checkpoints/1.pt), but imp.rounds "
    "lists 3 tickets; give imp.rounds: [{ticket: 0, parent: rewind}, {ticket: 1, parent: 0}], or "
    "narrow the pattern": _missing,
    "imports.mine, seed 0: 4 files match (": _one_more,
    "imports.mine: checkpoints/1.pt and checkpoints/2.pt have the same density, 0.4": _a_copy,
    "imports.mine: checkpoints/1.pt: the densest has density 0.6": _no_dense,
    "imports.mine: checkpoints/1.pt: the state is of another network: it has no": _another_network,
    "imports.mine: checkpoints/0.pt: ": _at_chance,
    "imports.mine: checkpoints/1.pt: ": _nan,
    "imports.mine: checkpoints/1.pt: beside tensors it holds a pickled torch.nn": _pickled,
}


@pytest.mark.parametrize("line", ODD)
@pytest.mark.usefixtures("root")
def test_what_is_odd_is_one_line(line):
    save_all(save_prune, "{}.pt")
    ODD[line](native_tickets())
    given("*.pt")
    with pytest.raises(InputError, match=f"^{re.escape(line)}") as caught:
        run_stage()
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("root")
def test_numbers_that_contradict_densities_are_refused():
    save_all(save_prune, "{}.pt")
    Path("checkpoints/1.pt").rename("checkpoints/x")
    Path("checkpoints/2.pt").rename("checkpoints/1.pt")
    Path("checkpoints/x").rename("checkpoints/2.pt")
    given("{ticket}.pt")
    with pytest.raises(
        InputError,
        match=r"^imports.mine: checkpoints/1\.pt: ticket 1 by its name, with density 0\.4..., but "
        r"checkpoints/2\.pt with 0\.6... is next; number tickets from the densest",
    ):
        run_stage()
    given("*.pt")
    assert [t.digest for t in run_stage()] == [t.digest for t in native_tickets()]


@pytest.mark.usefixtures("root")
def test_a_network_of_other_classes_is_told_with_those_of_the_data():
    torch.save(nn.Sequential(nn.Conv2d(3, 8, 3)).state_dict(), "a.pt")
    save_all(save_prune, "{}.pt")
    state = torch.load("checkpoints/1.pt")
    state = {
        n: t[: t.shape[0] // 2] if t.shape and t.shape[0] == CLASSES else t
        for n, t in state.items()
    }
    torch.save(state, "checkpoints/1.pt")
    given("*.pt")
    with pytest.raises(InputError, match=r"is 2×.* but 4×.* for 4 classes and images of 3×8×8, as"):
        run_stage()


@pytest.mark.usefixtures("root")
def test_a_file_that_changes_meanwhile_is_told(monkeypatch):
    save_all(save_prune, "{}.pt")
    given("*.pt")
    saved = Ticket.save

    def save(ticket: Ticket, path: Path) -> None:
        saved(ticket, path)
        os.utime("checkpoints/0.pt", ns=(0, 0))

    monkeypatch.setattr(Ticket, "save", save)
    with pytest.raises(RuntimeError, match=r"^checkpoints/0\.pt changed while this ran; run again"):
        run_stage()


def test_so_are_masks_that_lie_beside_it(tmp_path):
    (tmp_path / "model_ep1_it0.pth").touch()
    before = imports._stamp(tmp_path / "model_ep1_it0.pth")
    (tmp_path / "mask.pth").touch()
    with_mask = imports._stamp(tmp_path / "model_ep1_it0.pth")
    os.utime(tmp_path / "mask.pth", ns=(0, 0))
    after = imports._stamp(tmp_path / "model_ep1_it0.pth")
    assert before != with_mask != after
