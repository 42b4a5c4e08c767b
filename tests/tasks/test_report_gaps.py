"""The report of runs that diverged."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lp_core.tables import TABLES
from tests.tasks.reporting import ALWAYS, POOLED, SMALL, draw, stub_files

SCORES = {"nll", "ece", "accuracy", "gain", "error", "loss", "error_barrier", "loss_barrier"}
SCORES |= {"kl", "disagreement", "accuracy_pool", "accuracy_ensemble"}


def diverge(root: Path, where: str) -> None:
    """Scores are NaN in the rows of every table that has tickets and where this holds."""
    for name in TABLES:
        path = root / "results" / f"{name}.parquet"
        frame = pq.read_table(path).to_pandas()
        scores = list(SCORES & set(frame.columns))
        frame["last"] = frame.get("ticket_b", frame.get("ticket", 0))
        frame.loc[frame.eval(where), scores] = float("nan")
        frame.drop(columns="last").to_parquet(path)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_a_run_that_diverged_does_not_break_the_report(seeds, tmp_path, monkeypatch):
    replace(SMALL, seeds=seeds).write(tmp_path)
    diverge(tmp_path, f"last == {SMALL.tickets - 1} and seed == 0")
    page, _ = draw(tmp_path, monkeypatch)
    assert set(page.figures) == ALWAYS | POOLED
    assert "nan" not in page.text.lower()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("where", ["variant == 'no-rewind'", "seed >= 0"])
def test_what_diverged_altogether_has_no_effect_to_show(where, tmp_path, monkeypatch):
    stub_files(monkeypatch)
    replace(SMALL, methods=("interpolation", "swa")).write(tmp_path)
    diverge(tmp_path, where)
    page, _ = draw(tmp_path, monkeypatch)
    assert set(page.figures) >= ALWAYS
    assert "Rewinding's effect is not measured" in page.text
    assert "nan" not in page.text.lower()
