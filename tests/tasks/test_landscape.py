"""The stages `landscape` and `ensemble` on three tiny tickets, against plain re-implementations."""

import json
import math
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor

from lp_core.analysis.flops import flops
from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.store import Dataset
from lp_core.pooling.heldout import held_out_for
from lp_core.pooling.interpolation import interpolate
from lp_core.pooling.spec import ScoringSpec
from lp_core.seeds import noise_seed
from lp_core.tickets import Ticket
from tasks import ensemble, landscape, pool
from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.params import Params
from tasks.kit.rows import read_rows
from tests.lp_core.tiny import residual_network
from tests.tasks.tiny import PARAMS, SCORING, diverge, make_tickets, pooling, save_ticket

ONE = Namespace(variant="base", seed=0)


def _ticket(number: int) -> Ticket:
    return Ticket.load(paths.ticket("base", 0, number))


def _logits(state: dict[str, Tensor], split: str = "test") -> tuple[Tensor, Tensor]:
    model = residual_network()
    model.load_state_dict(state)
    dataset = Dataset.load(paths.dataset("noise"))
    part = dataset.split(split)
    images = (part.images.float() / 255 - 0.4) / 0.2
    with torch.no_grad():
        return model.eval()(images), part.labels


def _state(ticket: Ticket) -> dict[str, Tensor]:
    return ticket.weights | ticket.buffers


def _mixed(a: Ticket, b: Ticket, alpha: float) -> dict[str, Tensor]:
    theirs = _state(b)
    return {
        name: alpha * tensor + (1 - alpha) * theirs[name] if tensor.is_floating_point() else tensor
        for name, tensor in _state(a).items()
    }


def _pruned(state: dict[str, Tensor], names: list[str], keep: int) -> dict[str, Tensor]:
    sizes = sorted(abs(value) for n in names for value in state[n].flatten().tolist())
    least = sizes[-keep]
    return state | {n: state[n] * (state[n].abs() >= least) for n in names}


def _accuracy(logits: Tensor, labels: Tensor) -> float:
    return (logits.argmax(1) == labels).double().mean().item()


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, pd.DataFrame]]:
    with pytest.MonkeyPatch.context() as patch:
        # Averaged statistics, so that nothing but weights and masks decides.
        folder = tmp_path_factory.mktemp("landscape")
        make_tickets(folder, patch, pooling(scoring=SCORING | {"batch_norm": "average"}))
        yield _landscape()


def test_the_heat_maps_diagonal_is_the_tickets(rows):
    diagonal = rows["heatmap"].query("ticket_a == ticket_b")
    assert len(diagonal) == 3
    for row in diagonal.itertuples():
        ticket = _ticket(row.ticket_a)
        assert row.accuracy == _accuracy(*_logits(_state(ticket)))
        assert row.density == ticket.density


def test_every_other_cell_is_the_mean_pruned_to_the_sparser_parents_density(rows):
    cells = rows["heatmap"].query("ticket_a < ticket_b")
    assert len(cells) == 3
    for row in cells.itertuples():
        a, b = _ticket(row.ticket_a), _ticket(row.ticket_b)
        assert row.density == b.density < a.density
        mean = _pruned(_mixed(a, b, 0.5), list(b.mask), b.kept)
        assert row.accuracy == _accuracy(*_logits(mean))


def test_the_line_between_neighbours_is_not_pruned_and_ends_in_them(rows):
    path = rows["interpolation"]
    assert set(zip(path["ticket_a"], path["ticket_b"], strict=True)) == {(0, 1), (1, 2)}
    assert sorted(set(path["alpha"])) == pytest.approx([i / 10 for i in range(11)])
    for row in path.itertuples():
        a, b = _ticket(row.ticket_a), _ticket(row.ticket_b)
        logits, labels = _logits(_mixed(a, b, row.alpha), row.split)
        assert row.error == pytest.approx(1 - _accuracy(logits, labels))
        loss = torch.nn.functional.cross_entropy(logits, labels).item()
        assert row.loss == pytest.approx(loss, rel=1e-4)


def test_a_barrier_is_the_top_of_its_line_above_the_mean_of_the_ends(rows):
    keys = ["ticket_a", "ticket_b", "split"]
    for key, path in rows["interpolation"].groupby(keys):
        barrier = rows["barriers"].set_index(keys).loc[key]
        for kind in ("error", "loss"):
            ends = path[path["alpha"].isin([0, 1])][kind].mean()
            assert barrier[f"{kind}_barrier"] == pytest.approx(path[kind].max() - ends)
    assert len(rows["barriers"]) == 4


def test_disagreement_is_counted_on_test_images_for_every_ordered_pair(rows):
    found = rows["disagreement"]
    assert len(found) == 9
    classes = {n: _logits(_state(_ticket(n)))[0].argmax(1) for n in range(3)}
    for row in found.itertuples():
        differ = (classes[row.ticket_a] != classes[row.ticket_b]).double().mean().item()
        assert row.disagreement == differ
        assert (row.kl == 0) == (row.ticket_a == row.ticket_b)


def _landscape() -> dict[str, pd.DataFrame]:
    landscape.main(ONE)
    file = read_rows(paths.rows("landscape", "base", 0, "tickets"))
    return {name: pd.DataFrame(rows) for name, rows in file.tables.items()}


@pytest.mark.usefixtures("root")
def test_a_line_and_a_heat_map_are_measured_alike_from_end_to_end():
    """With the statistics that a pooled ticket gets, the tickets themselves included: no barrier
    or gain is one of statistics alone."""
    found = _landscape()
    line = found["interpolation"].set_index(["ticket_a", "alpha", "split"])
    cells = found["heatmap"].set_index(["ticket_a", "ticket_b"])["accuracy"]
    params = Params("base")
    bench = Bench(params)
    held_out = held_out_for(
        bench.model,
        bench.dataset,
        params.section("pooling.scoring", ScoringSpec),
        params.section("train.augment", AugmentSpec),
        noise_seed(0, None, 0),
        bench.compute,
    )
    for a in (0, 1):
        one, other = (bench.load(paths.ticket("base", 0, n)) for n in (a, a + 1))
        for alpha in (0.0, 0.2, 0.5, 1.0):
            ticket = held_out.calibrate(interpolate(one, other, alpha, one.prunable))
            assert ticket.meta["batch_norm"] == "re-estimated"
            for split in ("val", "test"):
                # But for rounding, where the statistics of an end are of a sum that adds nothing.
                assert line.loc[a, alpha, split]["loss"] == bench.scores(ticket, split).nll
            if alpha in (0.0, 1.0):
                end = a if alpha else a + 1
                assert cells[end, end] == bench.scores(ticket, "test").accuracy


@pytest.mark.usefixtures("root")
def test_a_diverged_ticket_has_no_barrier_and_disagrees_with_nobody():
    diverge(2)
    rows = _landscape()
    for row in rows["disagreement"].itertuples():
        diverged = 2 in (row.ticket_a, row.ticket_b)
        assert math.isnan(row.disagreement) == math.isnan(row.kl) == diverged
    for row in rows["barriers"].itertuples():
        diverged = 2 in (row.ticket_a, row.ticket_b)
        assert math.isnan(row.error_barrier) == math.isnan(row.loss_barrier) == diverged


@pytest.mark.usefixtures("root")
def test_very_confident_tickets_have_a_finite_divergence():
    ticket = _ticket(1)
    ticket.weights["head.2.weight"] *= 300
    save_ticket(ticket, 1)
    logits, _ = _logits(_state(ticket))
    assert not logits.softmax(1).all()  # in float32 some classes are impossible
    found = _landscape()["disagreement"]
    assert found["kl"].map(math.isfinite).all()


def test_an_ensembles_members_are_the_ticket_and_those_that_converged(root):
    Path("params.yaml").write_text(json.dumps(PARAMS | pooling(ensemble="nearest")))
    diverge(1)
    pool.main(Namespace(variant="base", seed=0, method="nearest"))
    ensemble.main(ONE)
    rows = read_rows(root / paths.rows("ensemble", "base", 0, "tickets")).tables["ensembles"]
    found = {n: _logits(_state(_ticket(n))) for n in (0, 2)}
    both = _accuracy(found[0][0] + found[2][0], found[0][1])
    assert {row["ticket"]: row["accuracy_ensemble"] for row in rows} == {0: both, 1: 0, 2: both}
    assert all(row["members"] == 2 for row in rows)


@pytest.mark.parametrize(("method", "members"), [("nearest", 2), ("interpolation", 3)])
def test_the_ensemble_averages_the_logits_of_what_the_method_could_draw_on(root, method, members):
    Path("params.yaml").write_text(json.dumps(PARAMS | pooling(ensemble=method)))
    pool.main(Namespace(variant="base", seed=0, method=method))
    ensemble.main(ONE)
    rows = read_rows(root / paths.rows("ensemble", "base", 0, "tickets")).tables["ensembles"]
    near = {0: [0, 1, 2], 1: [1, 0, 2], 2: [2, 1, 0]}
    for row in rows:
        number = row["ticket"]
        assert row["members"] == members
        taken = [_ticket(n) for n in near[number][:members]]
        found = [_logits(_state(ticket)) for ticket in taken]
        labels = found[0][1]
        together = sum(logits for logits, _ in found) / members
        assert row["accuracy_ensemble"] == _accuracy(together, labels)
        pooled = Ticket.load(paths.pooled("base", 0, method, number))
        assert row["accuracy_pool"] == _accuracy(*_logits(_state(pooled)))
        size = (3, 8, 8)
        cost = [flops(residual_network(), size, ticket.mask) for ticket in taken]
        assert row["flops_ensemble"] == sum(cost)
        assert row["flops_pool"] == flops(residual_network(), size, pooled.mask)
        assert row["density"] == taken[0].density
