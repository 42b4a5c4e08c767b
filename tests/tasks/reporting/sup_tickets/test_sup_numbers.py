"""The tables of sparse training."""

from tasks.reporting.sup_tickets.numbers import method_tables
from tests.tasks.reporting.sup_tickets.results_of import FEW, made_of, results_of, where


def test_the_flops_of_both_endings_stand_side_by_side():
    frames = made_of(FEW).frames()
    rows = frames["sup_tickets"]
    for ending, train, test in (("plain", 0.25, 0.125), ("cia", 0.26, 0.15)):
        own = where(rows, method="rigl", ending=ending)
        rows.loc[own, ["train_fraction", "test_fraction"]] = train, test
    (table,) = method_tables(results_of(FEW, frames))
    (line,) = [row for row in table.rows if row[0] == "RigL 10%"]
    cells = dict(zip(table.head, line, strict=True))
    assert cells["Training FLOPs (%)"] == "25.0 → 26.0"
    assert cells["Test FLOPs (%)"] == "12.5 → 15.0"
