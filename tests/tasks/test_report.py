from argparse import Namespace
from pathlib import Path

import pandas as pd
import pytest

from tasks.report import main
from tests.tasks.test_summary import make_frames


def _draw(
    frames: dict[str, pd.DataFrame], root: Path, patch: pytest.MonkeyPatch
) -> dict[str, bytes]:
    (root / "results").mkdir(parents=True)
    for name, frame in frames.items():
        frame.to_parquet(root / "results" / f"{name}.parquet")
    patch.chdir(root)
    main(Namespace())
    figures = root / "results" / "figures"
    return {path.name: path.read_bytes() for path in sorted(figures.iterdir())}


def test_the_same_tables_give_the_same_figure_to_the_byte(tmp_path, monkeypatch):
    first = _draw(make_frames(), tmp_path / "a", monkeypatch)
    second = _draw(make_frames(), tmp_path / "b", monkeypatch)
    assert first == second
    assert list(first) == ["accuracy-base.png", "accuracy-base.svg"]
    assert b"<svg" in first["accuracy-base.svg"]
    changed = make_frames()
    changed["pools"].loc[0, "accuracy"] += 0.01
    assert _draw(changed, tmp_path / "c", monkeypatch) != first


def test_every_variant_has_a_figure_with_its_name(tmp_path, monkeypatch):
    frames = {
        name: pd.concat([frame, make_frames("other")[name]], ignore_index=True)
        for name, frame in make_frames().items()
    }
    figures = _draw(frames, tmp_path, monkeypatch)
    assert set(figures) == {
        f"accuracy-{v}.{kind}" for v in ("base", "other") for kind in ("png", "svg")
    }
    alone = _draw(make_frames(), tmp_path / "alone", monkeypatch)
    assert figures["accuracy-base.svg"] == alone["accuracy-base.svg"]


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_one_seed_and_a_method_that_nobody_knows_are_drawn_too(tmp_path, monkeypatch, seeds):
    frames = make_frames(seeds=seeds)
    for name in ("pools", "ood"):
        frames[name]["method"] = frames[name]["method"].replace("swa", "soup")
    assert len(_draw(frames, tmp_path, monkeypatch)) == 2
