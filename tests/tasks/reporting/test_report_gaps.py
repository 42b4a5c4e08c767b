"""The report of runs in which tickets did not converge."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lp_core.tables import TABLES
from tests.tasks.reporting.pages import ALWAYS, POOLED, SMALL, draw, stub_files

# What the stages write of a network that became NaN: it gets nothing right, and has no loss.
NOTHING = {"accuracy": 0.0, "error": 1.0, "gain": 0.7, "accuracy_ensemble": 0.0}
NAN = {"nll", "ece", "loss", "error_barrier", "loss_barrier", "disagreement", "kl"}


def fail(root: Path, where: str) -> None:
    """In the rows of every table that has tickets and where this holds of the (sparser) ticket."""
    for name in TABLES:
        path = root / "results" / f"{name}.parquet"
        frame = pq.read_table(path).to_pandas()
        rows = frame.assign(last=frame.get("ticket_b", frame.get("ticket", 0))).eval(where)
        for column in set(NOTHING) & set(frame):
            frame.loc[rows, column] = NOTHING[column]
        frame.loc[rows, list(NAN & set(frame))] = float("nan")
        if name == "tickets":
            frame.loc[rows, "converged"] = False
        frame.to_parquet(path)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("lost", "seeds"), [(0, (0,)), (1, (0, 1)), (SMALL.tickets - 1, (0, 1))])
def test_a_ticket_that_failed_is_named_and_left_out(lost, seeds, tmp_path, monkeypatch):
    stub_files(monkeypatch)
    replace(SMALL, seeds=seeds).write(tmp_path)
    fail(tmp_path, f"last == {lost} and seed == 0 and variant == 'base'")
    page, _ = draw(tmp_path, monkeypatch)
    assert set(page.figures) == ALWAYS | POOLED
    assert f"1 of {8 * len(seeds)} tickets did not converge (variant base, seed 0" in page.text
    assert "+70.00" not in page.text
    assert "nan" not in page.text.lower()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("variant", ["base", "no-rewind"])
def test_a_variant_that_failed_altogether_is_compared_with_nothing(variant, tmp_path, monkeypatch):
    stub_files(monkeypatch)
    replace(SMALL, methods=("interpolation", "swa")).write(tmp_path)
    fail(tmp_path, f"variant == '{variant}'")
    page, _ = draw(tmp_path, monkeypatch)
    assert set(page.figures) >= ALWAYS
    assert "Rewinding's effect is not measured" in page.text
    assert "nan" not in page.text.lower()


@pytest.mark.filterwarnings("error")
def test_a_run_that_failed_altogether_still_has_a_report(tmp_path, monkeypatch):
    stub_files(monkeypatch)
    replace(SMALL, methods=("interpolation", "swa")).write(tmp_path)
    fail(tmp_path, "seed >= 0")
    page, _ = draw(tmp_path, monkeypatch)
    assert "No ticket converged" in page.text
    assert "nan" not in page.text.lower()
