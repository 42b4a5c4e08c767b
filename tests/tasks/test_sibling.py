"""The stage `sibling`: a Sup-ticket as one more sibling in imp-pool's pools."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from lp_core.tables import TABLES
from lp_core.tickets import Ticket
from tasks import pool, sibling
from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.params import Params
from tasks.kit.rows import Row, read_rows
from tests.tasks.tiny import PARAMS, RECIPES
from tests.tasks.tiny_sparse import SECTION


@pytest.fixture(autouse=True)
def tickets(root: Path) -> Path:
    """Three IMP tickets, and in a Sup-ticket's place one of them."""
    Path("params.yaml").write_text(json.dumps(PARAMS | {"sup_tickets": SECTION}))
    offer(Ticket.load(paths.ticket("base", 0, 1)))
    return root


def offer(ticket: Ticket, **meta: Any) -> None:
    whose = {"variant": "base", "seed": 0, "method": "rigl", "ending": "cia", "part": "ticket"}
    ticket.meta = whose | {"converged": True} | meta
    ticket.save(paths.ending("base", "rigl", "cia", 0) / paths.END)


def rows(method: str) -> list[Row]:
    pool.main(Namespace(variant="base", seed=0, method=method))
    sibling.main(Namespace(variant="base", seed=0, method="rigl", pool=method))
    return read_rows(paths.rows("sibling", "base", 0, "rigl", method)).tables["siblings"]


@pytest.mark.parametrize("method", RECIPES)
def test_every_ticket_is_pooled_without_and_with_the_newcomer(method):
    found = rows(method)
    columns = set(TABLES["siblings"].names) - {"dataset", "model", "variant", "seed", "run"}
    assert all(set(row) == columns for row in found)
    assert [(row["ticket"], row["split"]) for row in found] == [
        (number, split) for number in range(3) for split in ("val", "test")
    ]
    bench = Bench(Params("base"))
    for row in found:
        pooled = Ticket.load(paths.pooled("base", 0, method, row["ticket"]))
        assert row["accuracy_without"] == bench.scores(pooled, row["split"]).accuracy
        assert row["density"] == pooled.density
        assert row["accepted"] == (row["coefficient"] is not None)
        if not row["accepted"] and method != "greedy-soup":
            assert row["accuracy_with"] == row["accuracy_without"]


def test_an_average_takes_every_newcomer():
    for method in ("swa", "ema", "uniform-soup"):
        assert all(row["accepted"] for row in rows(method))


def test_a_search_never_loses_held_out_accuracy_by_the_newcomer():
    for row in rows("interpolation"):
        if row["split"] == "val":
            assert row["accuracy_with"] >= row["accuracy_without"]


def test_the_newcomer_is_offered_beside_the_siblings_that_the_recipe_counts():
    """`nearest` draws on one sibling: the newcomer does not take its place."""
    single = rows("nearest")
    assert {row["ticket"] for row in single} == {0, 1, 2}
    assert any(row["accepted"] for row in single)


def test_one_that_did_not_converge_is_not_offered():
    offer(Ticket.load(paths.ticket("base", 0, 1)), converged=False)
    for row in rows("swa"):
        assert not row["accepted"]
        assert row["accuracy_with"] == row["accuracy_without"]
