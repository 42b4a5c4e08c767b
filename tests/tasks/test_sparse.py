"""The stage `sparse`: the part of a sparse training that its endings share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lp_core.data.epoch import Batch
from lp_core.errors import InputError
from lp_core.models.structure import prunable
from lp_core.tables import TABLES
from lp_core.training.resume import read_hooks
from tasks.kit import paths
from tasks.kit.rows import Row, read_rows
from tasks.kit.training import WithProgressBar
from tests.lp_core.tiny import residual_network
from tests.tasks.tiny_sparse import METHODS, START, STEPS, begin, forget_states, make_experiment

NAMES = prunable(residual_network(), "conv+linear")
WEIGHTS = sum(residual_network().get_parameter(name).numel() for name in NAMES)
RUN = {"dataset", "model", "variant", "seed", "run"}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_experiment(tmp_path, monkeypatch)


@pytest.mark.parametrize("method", ["rigl", "snip"])
def test_equal_trainings_leave_equal_states(method):
    first = begin(method)
    assert begin(method) == first  # from its finished state
    forget_states()
    assert begin(method) == first


@pytest.mark.parametrize("method", METHODS)
def test_layer_densities_add_up_to_the_methods_own_at_the_start_and_where_endings_part(method):
    begin(method)
    rows = read_rows(paths.rows("sparse", "base", 0, method)).tables["layer_density"]
    assert all(set(row) == set(TABLES["layer_density"].names) - RUN for row in rows)
    settings = METHODS[method]
    at_start = settings.get("density", 1.0) if method != "granet" else 0.5
    for epoch, density in ((0, at_start), (START, settings.get("density", 1.0))):
        mine = [row for row in rows if row["epoch"] == epoch]
        assert [row["layer"] for row in mine] == NAMES
        kept = sum(row["weights"] * row["density"] for row in mine)
        assert kept == pytest.approx(round(density * WEIGHTS), abs=1e-6)
        assert all(row["method"] == method and row["ending"] is None for row in mine)


@pytest.mark.parametrize("method", ["rigl", "granet"])
def test_the_curve_has_the_density_after_each_epoch(method):
    begin(method)
    curves = _curve(method)
    assert [row["epoch"] for row in curves] == list(range(START))
    assert curves[-1]["density"] == round(0.3 * WEIGHTS) / WEIGHTS
    if method == "granet":
        # The cubic schedule from 0.5: updates at steps 2, 4 and 6; the last before epoch 2 is the
        # third, so that the first epoch ends after one of three.
        expected = 0.3 + 0.2 * (1 - 1 / 3) ** 3
        assert curves[0]["density"] == round(expected * WEIGHTS) / WEIGHTS


def test_the_state_says_whose_it_is_and_what_has_been_spent():
    begin("rigl")
    kept = read_hooks(paths.prefix("base", "rigl", 0))
    assert kept["Training"] == {"variant": "base", "seed": 0, "method": "rigl"}
    assert kept["TrainingCost"]["steps"] == START * STEPS
    assert kept["TrainingCost"]["dense_steps"] == 2  # at steps 3 and 6


def test_all_methods_see_the_same_order_and_augmentation(monkeypatch):
    """So that they can be compared as pairs."""
    seeds: dict[str, list[int]] = {}
    original = WithProgressBar.epoch

    def watched(loader: WithProgressBar, seed: int) -> Iterator[Batch]:
        seeds.setdefault(loader.label, []).append(seed)
        return original(loader, seed)

    monkeypatch.setattr(WithProgressBar, "epoch", watched)
    for method in METHODS:
        begin(method)
    assert len(seeds) == len(METHODS)
    first, *others = seeds.values()
    assert len(set(first)) == START
    assert all(other == first for other in others)


def _curve(method: str) -> list[Row]:
    rows = read_rows(paths.rows("sparse", "base", 0, method)).tables["curves"]
    return [row for row in rows if row["split"] == "val"]


@pytest.mark.parametrize("method", ["snip", "rigl"])
def test_a_density_that_leaves_no_weight_is_one_line_that_names_it(method, tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, method, METHODS[method] | {"density": 1e-9})
    make_experiment(tmp_path, monkeypatch)
    with pytest.raises(InputError, match=rf"sup_tickets\.training\.{method}\.density is 1e-09"):
        begin(method)
