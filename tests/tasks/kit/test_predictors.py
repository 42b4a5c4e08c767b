"""Rows of `predictors`, by hand from a run of four tickets."""

import math
from typing import Any

import pytest

from lp_core.tables import TABLES
from tasks.kit.predictors import predictors
from tasks.kit.rows import Row, Tables

RUN = {"dataset": "digits", "model": "resnet8", "variant": "base", "seed": 0}
# Between neighbours; the tickets need not be numbered without gaps.
BARRIERS = {(0, 1): 0.1, (1, 2): 0.3, (2, 5): 0.4}


def pools(**changes: Any) -> list[Row]:
    return [
        RUN
        | {"method": "swa", "ticket": ticket, "density": 0.8**ticket}
        | {"split": split, "gain": 0.01 * ticket + (split == "val")}
        | changes
        for ticket in (0, 1, 2, 5)
        for split in ("val", "test")
    ]


@pytest.fixture
def tables() -> Tables:
    lines = [
        RUN | {"ticket_a": a, "ticket_b": b, "split": split, "error_barrier": height + shift}
        for (a, b), height in BARRIERS.items()
        for split, shift in (("val", 0.0), ("test", 0.5))
    ]
    differing = [
        RUN | {"ticket_a": a, "ticket_b": b, "disagreement": 10 * a + b, "kl": 0.0}
        for a in (0, 1, 2, 5)
        for b in (0, 1, 2, 5)
    ]
    forks: list[Row] = [
        RUN
        | {"start": start, "removed": removed, "noise_a": a, "noise_b": b}
        | {"split": split, "error_barrier": height + shift}
        for start, removed, shift in (("rewind", None, 0), ("1", None, 7), ("rewind", "x", 9))
        for split in ("val", "test")
        for (a, b), height in {(1, 2): 0.1, (1, 3): 0.2, (2, 3): 0.6}.items()
    ]
    for row in forks:
        row["error_barrier"] += row["split"] == "test"
    return {"pools": pools(), "barriers": lines, "disagreement": differing, "instability": forks}


def found(tables: Tables) -> dict[int, Row]:
    return {row["ticket"]: row for row in predictors(tables)}


def test_a_row_for_each_pooled_ticket_with_its_gain_on_test_images(tables):
    rows = predictors(tables)
    columns = set(TABLES["predictors"].names) - {"run"}
    assert all(set(row) == columns for row in rows)
    assert [(row["ticket"], row["gain"]) for row in rows] == [(t, 0.01 * t) for t in (0, 1, 2, 5)]
    assert {row["density"] for row in rows} == {0.8**t for t in (0, 1, 2, 5)}


def test_barrier_and_disagreement_are_means_over_the_neighbours(tables):
    rows = found(tables)
    assert [rows[t]["barrier"] for t in (0, 1, 2, 5)] == pytest.approx([0.1, 0.2, 0.35, 0.4])
    assert [rows[t]["disagreement"] for t in (0, 1, 2, 5)] == pytest.approx([1, 11, 23, 52])


def test_instability_is_that_of_the_forks_at_the_rewind_point_on_all_held_out_images(tables):
    assert [row["instability"] for row in predictors(tables)] == pytest.approx([0.3] * 4)
    tables["instability"] = []
    assert {row["instability"] for row in predictors(tables)} == {None}


def test_every_method_has_rows_and_no_other_run_is_mixed_in(tables):
    before = predictors(tables)
    tables["pools"] += pools(method="interpolation")
    for name in ("barriers", "disagreement", "instability"):
        tables[name] += [row | {"seed": 1} for row in tables[name]]
        tables[name] += [row | {"variant": "other"} for row in tables[name]]
    rows = predictors(tables)
    assert rows[:4] == before
    assert [row | {"method": "swa"} for row in rows[4:]] == before


def test_a_neighbour_that_diverged_tells_nothing(tables):
    for row in tables["barriers"]:
        if 1 in (row["ticket_a"], row["ticket_b"]):
            row["error_barrier"] = math.nan
    for row in tables["disagreement"]:
        if 1 in (row["ticket_a"], row["ticket_b"]):
            row["disagreement"] = math.nan
    rows = found(tables)
    assert rows[0]["barrier"] is rows[0]["disagreement"] is rows[1]["barrier"] is None
    assert rows[2]["barrier"] == pytest.approx(0.4)
    assert rows[2]["disagreement"] == pytest.approx(25)
