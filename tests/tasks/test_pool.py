"""The stage `pool` on three tiny tickets."""

import gc
import json
from argparse import Namespace
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lp_core.analysis.flops import flops
from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.store import Dataset, Split
from lp_core.pooling.batch_norm import calibration_batches, re_estimate
from lp_core.pooling.heldout import HeldOut
from lp_core.pooling.recipe import Recipe
from lp_core.seeds import noise_seed
from lp_core.tables import TABLES
from lp_core.tickets import Ticket
from tasks import pool
from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.params import Params
from tasks.kit.rows import Tables, read_rows
from tests.lp_core.strategies import bits, nonzero
from tests.lp_core.tiny import residual_network
from tests.tasks.tiny import PARAMS, RECIPES, SCORING, diverge, pooling


@pytest.mark.parametrize("method", RECIPES)
def test_pooled_tickets_keep_their_targets_density(root, method):
    before = {path: path.read_bytes() for path in (root / "tickets").rglob("*.safetensors")}
    pool.main(Namespace(variant="base", seed=0, method=method))
    rows = read_rows(paths.rows("pool", "base", 0, method)).tables
    for number in range(3):
        target = Ticket.load(paths.ticket("base", 0, number))
        pooled = Ticket.load(paths.pooled("base", 0, method, number))
        assert pooled.kept == target.kept
        assert nonzero(pooled) <= target.kept
        assert pooled.meta["method"] == method
        mine = [row for row in rows["pools"] if row["ticket"] == number]
        assert {row["split"] for row in mine} == {"val", "test"}
        assert all(row["density"] == target.density for row in mine)
        taken = [s for s in rows["pool_search"] if s["ticket"] == number and s["accepted"]]
        members = [step["candidate"] for step in taken]
        if not taken or taken[0]["coefficient"] > 0:  # a soup tries its target like any other
            members.insert(0, number)
        assert pooled.meta["members"] == members
        assert all(row["members"] == len(pooled.meta["members"]) for row in mine)
    assert len(before) == 3
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("method", ["interpolation", "swa", "greedy-soup", "uniform-soup"])
@pytest.mark.usefixtures("root")
def test_layers_tell_how_far_each_mask_moved(method):
    pool.main(Namespace(variant="base", seed=0, method=method))
    rows = read_rows(paths.rows("pool", "base", 0, method)).tables["layers"]
    run = {"dataset", "model", "variant", "seed", "run"}
    assert all(set(row) == set(TABLES["layers"].names) - run for row in rows)
    assert all(row["method"] == method for row in rows)
    for number in range(3):
        before = Ticket.load(paths.ticket("base", 0, number)).mask
        after = Ticket.load(paths.pooled("base", 0, method, number)).mask
        mine = {row["layer"]: row for row in rows if row["ticket"] == number}
        assert set(mine) == set(before)
        for name, row in mine.items():
            assert row["weights"] == before[name].numel()
            assert row["ticket_density"] == before[name].double().mean()
            assert row["density"] == after[name].double().mean()
            assert row["moved"] == (~after[name][before[name]]).double().mean()
    dense = [row["moved"] for row in rows if row["ticket"] == 0]
    assert not any(dense)  # all weights stay
    assert any(row["moved"] for row in rows)


@pytest.mark.parametrize("method", ["interpolation", "greedy-soup"])
@pytest.mark.usefixtures("root")
def test_the_test_split_is_not_read_while_anything_is_chosen(method, monkeypatch):
    """It is opened to report, after the search of a target is over."""
    choosing, read = [False], set()

    def watched(name: str) -> None:
        original = getattr(Dataset, name)

        def reader(self: Dataset, split: str) -> Any:
            read.add((split, choosing[0]))
            return original(self, split)

        monkeypatch.setattr(Dataset, name, reader)

    def flagged(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def during(*arguments: Any, **named: Any) -> Any:
            choosing[0] = True
            try:
                return original(*arguments, **named)
            finally:
                choosing[0] = False

        monkeypatch.setattr(owner, name, during)

    for name in ("split", "labels"):
        watched(name)
    flagged(pool, "pooling_score")
    flagged(Recipe, "pool")
    pool.main(Namespace(variant="base", seed=0, method=method))
    assert {split for split, chosen in read if chosen} == {"train", "val"}
    assert ("test", False) in read


@pytest.mark.parametrize("method", RECIPES)
@pytest.mark.usefixtures("root")
def test_other_test_images_make_another_report_and_the_same_pooled_tickets(method):
    dataset, found = Dataset.load(paths.dataset("noise")), []
    for seed in (10, 11):
        generator = torch.Generator().manual_seed(seed)
        shape = dataset.split("test").images.shape
        pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        drawn = Split(pixels, torch.randint(0, 4, shape[:1], generator=generator))
        replace(dataset, parts={**dataset.parts, "test": drawn}).save(paths.dataset("noise"))
        rows, tickets = _pooled(method, range(3))
        reported = {
            split: [row for row in rows["pools"] if row["split"] == split]
            for split in ("val", "test")
        }
        chosen = (tickets, rows["pool_search"], rows["layers"], reported["val"])
        found.append((chosen, reported["test"]))
    (chosen, test), (again, other) = found
    assert again == chosen
    assert all(a["nll"] != b["nll"] for a, b in zip(test, other, strict=True))


@pytest.mark.parametrize("method", RECIPES)
@pytest.mark.usefixtures("root")
def test_a_ticket_that_did_not_converge_is_nobodys_sibling(method):
    diverge(1)
    rows, tickets = _pooled(method, range(3))
    # It is a target, all the same.
    assert {row["ticket"] for row in rows["pools"]} == {0, 1, 2}
    rounds = [line for line in PARAMS["imp"]["rounds"] if line["ticket"] != 1]
    Path("params.yaml").write_text(json.dumps(PARAMS | {"imp": {"rounds": rounds}}))
    without, expected = _pooled(method, (0, 2))
    assert {number: tickets[number] for number in (0, 2)} == expected
    for table in ("pools", "pool_search", "layers"):
        assert [row for row in rows[table] if row["ticket"] != 1] == without[table]
    for number in (0, 2):
        pooled = Ticket.load(paths.pooled("base", 0, method, number))
        assert all(tensor.isfinite().all() for tensor in pooled.weights.values())
        assert all(tensor.isfinite().all() for tensor in pooled.buffers.values())


@pytest.mark.usefixtures("root")
def test_candidates_are_counted_among_those_that_converged():
    diverge(1)
    rows, _ = _pooled("nearest", range(3))
    tried = {row["ticket"]: row["candidate"] for row in rows["pool_search"]}
    assert tried == {0: 2, 1: 0, 2: 0}


def _pooled(method: str, numbers: Iterable[int]) -> tuple[Tables, dict[int, bytes]]:
    """Rows of the stage, and the files of its pooled tickets."""
    pool.main(Namespace(variant="base", seed=0, method=method))
    files = {n: paths.pooled("base", 0, method, n).read_bytes() for n in numbers}
    return read_rows(paths.rows("pool", "base", 0, method)).tables, files


@pytest.mark.parametrize("method", ["interpolation", "after", "greedy-soup"])
@pytest.mark.usefixtures("root")
def test_a_few_copies_of_the_weights_are_alive_while_tickets_are_scored(method, monkeypatch):
    widest = max((p for p in residual_network().parameters() if p.ndim == 4), key=torch.numel)
    alive, original = [], HeldOut.correct_and_loss

    def copies() -> int:
        """Those of tickets: what the network has of its own is a Parameter."""
        tensors = (thing for thing in gc.get_objects() if type(thing) is torch.Tensor)
        alike = (t for t in tensors if t.shape == widest.shape and t.is_floating_point())
        return len({tensor.data_ptr() for tensor in alike})

    def counting(self: HeldOut, ticket: Ticket, piece: int) -> tuple[int, float]:
        alive.append(copies())
        return original(self, ticket, piece)

    monkeypatch.setattr(HeldOut, "correct_and_loss", counting)
    gc.collect()
    gc.freeze()  # what there was before is not counted
    try:
        pool.main(Namespace(variant="base", seed=0, method=method))
    finally:
        gc.unfreeze()
    # Five in the recipe, and the ticket that was pooled before.
    assert max(alive) <= 6


@pytest.mark.usefixtures("root")
def test_siblings_are_tried_nearest_first():
    pool.main(Namespace(variant="base", seed=0, method="interpolation"))
    trace = read_rows(paths.rows("pool", "base", 0, "interpolation")).tables["pool_search"]
    tried = {n: [s["candidate"] for s in trace if s["ticket"] == n] for n in range(3)}
    assert tried == {0: [1] * 3 + [2] * 3, 1: [0] * 3 + [2] * 3, 2: [1] * 3 + [0] * 3}


@pytest.mark.usefixtures("root")
def test_a_soup_is_offered_the_target_and_its_nearest_siblings():
    pool.main(Namespace(variant="base", seed=0, method="small-soup"))
    trace = read_rows(paths.rows("pool", "base", 0, "small-soup")).tables["pool_search"]
    tried = {n: [s["candidate"] for s in trace if s["ticket"] == n] for n in range(3)}
    assert tried == {0: [0, 1], 1: [1, 0], 2: [2, 1]}


@pytest.mark.parametrize("method", RECIPES)
@pytest.mark.usefixtures("root")
def test_a_pooled_ticket_costs_what_its_mask_leaves(method):
    rows, _ = _pooled(method, range(3))
    for row in rows["pools"]:
        ticket = Ticket.load(paths.pooled("base", 0, method, row["ticket"]))
        assert row["flops"] == flops(residual_network(), (3, 8, 8), ticket.mask)
        kept = sum(int(mask.sum()) for mask in ticket.mask.values())
        always = sum(w.numel() for n, w in ticket.weights.items() if n not in ticket.mask)
        assert row["parameters"] == kept + always


@pytest.mark.parametrize("batch_norm", ["re-estimate", "average"])
@pytest.mark.parametrize("method", ["interpolation", "nearest", "greedy-soup"])
@pytest.mark.usefixtures("root")
def test_what_the_search_reported_is_the_pooled_tickets_accuracy(method, batch_norm):
    """It is reported with the statistics that it was chosen with."""
    params = PARAMS | pooling(scoring=SCORING | {"batch_norm": batch_norm})
    Path("params.yaml").write_text(json.dumps(params))
    pool.main(Namespace(variant="base", seed=0, method=method))
    rows = read_rows(paths.rows("pool", "base", 0, method)).tables
    accepted = [step for step in rows["pool_search"] if step["accepted"]]
    assert accepted
    assert all(step["images"] == 32 for step in accepted)
    last = {step["ticket"]: step["val_accuracy"] for step in accepted}
    val = {row["ticket"]: row["accuracy"] for row in rows["pools"] if row["split"] == "val"}
    assert {number: val[number] for number in last} == last


@pytest.mark.parametrize("batch_norm", ["re-estimate", "average"])
@pytest.mark.usefixtures("root")
def test_a_ticket_that_took_nobody_in_has_the_better_of_its_own_and_re_estimated_statistics(
    batch_norm,
):
    for number in (1, 2):
        diverge(number)
    params = PARAMS | pooling(scoring=SCORING | {"batch_norm": batch_norm})
    Path("params.yaml").write_text(json.dumps(params))
    rows, _ = _pooled("interpolation", range(3))
    pooled = Ticket.load(paths.pooled("base", 0, "interpolation", 0))
    own = Ticket.load(paths.ticket("base", 0, 0))
    assert all(step["ticket"] != 0 for step in rows["pool_search"])
    assert pooled.meta["members"] == [0]
    bench = Bench(Params("base"))
    images = calibration_batches(
        bench.dataset,
        SCORING["calibration_images"],
        Params("base").section("train.augment", AugmentSpec),
        noise_seed(0, None, 0),
        bench.compute,
    )
    anew = re_estimate(own, bench.model, images, bench.compute)
    ways = {"trained": own} | ({"re-estimated": anew} if batch_norm == "re-estimate" else {})
    found = {name: bench.scores(ticket, "val").accuracy for name, ticket in ways.items()}
    best = max(found, key=lambda name: found[name])
    assert pooled.meta["batch_norm"] == best
    assert bits(pooled.buffers) == bits(ways[best].buffers)
    [val] = [r for r in rows["pools"] if (r["ticket"], r["split"]) == (0, "val")]
    assert val["accuracy"] == found[best]
