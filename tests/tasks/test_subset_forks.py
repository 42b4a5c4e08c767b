"""The stages `subset_fork` and `subset_instability`: forks without the easiest or the hardest."""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lp_core.analysis.forgetting import Forgotten
from lp_core.data.epoch import Batch
from lp_core.errors import DamagedError, InputError, MissingInputError
from lp_core.tables import TABLES
from lp_core.tickets import Ticket
from tasks import subset_fork, subset_instability
from tasks.kit import paths
from tasks.kit.difficulty import save_difficulty
from tasks.kit.forks import Fork
from tasks.kit.removed import parsed
from tasks.kit.rows import Tables, read_rows
from tasks.kit.training import WithProgressBar
from tests.tasks.tiny_forks import EPOCHS, NOISE, REWIND, make_experiment

IMAGES = 32
# Forgotten in one fork each time, in the next a little otherwise: image 31 is the hardest.
EVENTS = np.arange(IMAGES)
RUN = {"dataset", "model", "variant", "seed", "run"}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_experiment(tmp_path, monkeypatch)
    for shift, noise in enumerate(NOISE):
        events = torch.as_tensor(EVENTS + 40 + 3 * (shift - 1), dtype=torch.int32)
        presented = torch.full_like(events, 100)
        learned = torch.ones(IMAGES, dtype=torch.bool)
        fork = Fork("base", 0, "rewind", noise)
        Forgotten(events, learned, presented).save(fork.folder / paths.FORGETTING, **fork.whose)
    told()


def told(noise: Sequence[int] = NOISE) -> None:
    """Leave what the stage `instability` leaves of how hard the images are."""
    forks = [Fork("base", 0, "rewind", each) for each in noise]
    counts = [Forgotten.load(fork.folder / paths.FORGETTING, **fork.whose) for fork in forks]
    save_difficulty("base", 0, "rewind", counts)


def forked(removed: str, noise: int) -> tuple[Ticket, Forgotten]:
    """What the stage leaves."""
    subset_fork.main(Namespace(variant="base", seed=0, removed=removed, noise=noise))
    folder = paths.subset_fork("base", 0, removed, noise)
    return Ticket.load(folder / paths.END), Forgotten.load(folder / paths.FORGETTING)


def measured(removed: str) -> Tables:
    subset_instability.main(Namespace(variant="base", seed=0, removed=removed))
    return read_rows(paths.rows("subset_instability", "base", 0, removed)).tables


@pytest.mark.parametrize(
    ("removed", "left"),
    [("easiest-25", range(8, 32)), ("hardest-25", range(24)), ("hardest-50", range(16))],
)
def test_a_fork_sees_all_samples_but_those_that_its_name_says(removed, left, monkeypatch):
    seen: list[set[int]] = []
    epoch = WithProgressBar.epoch

    def watched(loader: WithProgressBar, seed: int) -> Iterator[Batch]:
        seen.append(set())
        for batch in epoch(loader, seed):
            seen[-1] |= set(batch.indices.tolist())
            yield batch

    monkeypatch.setattr(WithProgressBar, "epoch", watched)
    ticket, forgotten = forked(removed, 1)
    assert seen == [set(left)] * (EPOCHS - REWIND)
    assert ticket.meta["images"] == len(left)
    assert set(np.flatnonzero(forgotten.presented.numpy())) == set(left)


def test_images_that_were_never_learned_are_the_hardest():
    for noise in NOISE:
        fork = Fork("base", 0, "rewind", noise)
        path = fork.folder / paths.FORGETTING
        forgotten = Forgotten.load(path)
        forgotten.learned[0] = False
        forgotten.events[0] = 0
        forgotten.save(path, **fork.whose)
    told()
    _, left = forked("hardest-50", 1)
    assert set(np.flatnonzero(left.presented.numpy())) == set(range(1, 17))


def test_what_is_hard_is_the_mean_over_the_forks_in_whatever_order():
    fork = Fork("base", 0, "rewind", 3)
    backwards = torch.as_tensor(EVENTS[::-1] * 9, dtype=torch.int32)
    full = torch.full_like(backwards, 500)
    Forgotten(backwards, full > 0, full).save(fork.folder / paths.FORGETTING, **fork.whose)
    path = paths.difficulty("base", 0, "rewind")
    files = set()
    for noise, left in (
        ([1, 2, 3], range(16, 32)),
        ([3, 1, 2], range(16, 32)),
        ([1, 2], range(16)),
    ):
        told(noise)
        files.add(path.read_bytes())
        _, seen = forked("hardest-50", 1)
        assert set(np.flatnonzero(seen.presented.numpy())) == set(left)
    assert len(files) == 2


def test_where_nobody_told_what_is_hard_it_is_missed():
    paths.difficulty("base", 0, "rewind").unlink()
    with pytest.raises(MissingInputError, match=r"difficulty/base/0/rewind.*run its stage"):
        forked("easiest-25", 1)


@pytest.mark.parametrize(
    "changes", [("other", 0, "rewind"), ("base", 1, "rewind"), ("base", 0, "1")]
)
def test_what_another_runs_forks_tell_is_refused(
    changes: tuple[str, int, str],
) -> None:
    path = paths.difficulty(*changes)
    counts = [Forgotten.load(Fork("base", 0, "rewind", 1).folder / paths.FORGETTING)]
    path.parent.mkdir(parents=True, exist_ok=True)
    save_difficulty(*changes, counts)
    path.rename(paths.difficulty("base", 0, "rewind"))
    with pytest.raises(DamagedError, match=r"another training's difficulty .*variant"):
        forked("easiest-25", 1)


def test_rows_say_what_was_left_out_and_that_forks_start_at_the_rewind_point():
    for noise in NOISE:
        forked("easiest-25", noise)
    rows = read_rows(paths.rows("subset_fork", "base", 0, "easiest-25", 2))
    whose = {"start": "rewind", "removed": "easiest-25"}
    assert rows.head | whose | {"stage": "subset_fork", "noise": 2} == rows.head
    assert [row["epoch"] for row in rows.tables["fork_curves"]] == list(range(REWIND, EPOCHS))
    tables = measured("easiest-25")
    assert len(tables["instability"]) == 3 * 2
    for name in ("forks", "instability", "instability_paths"):
        expected = set(TABLES[name].names) - RUN - {"train_seconds"}
        assert all(set(row) == expected and row | whose == row for row in tables[name])
    assert {row["images"] for row in tables["forks"]} == {24}
    assert not list(paths.RESUME.glob("*.safetensors"))


@pytest.mark.parametrize("removed", ["easiest", "easiest-0", "hardest-100", "Hardest-30", "x-3"])
def test_a_name_that_stands_for_no_samples_is_refused(removed):
    with pytest.raises(InputError, match="stands for no samples"):
        parsed(removed)


def test_a_name_is_its_side_and_its_share():
    found: list[Any] = [parsed(name) for name in ("easiest-1", "hardest-99", "easiest-30")]
    assert found == [("easiest", 0.01), ("hardest", 0.99), ("easiest", 0.3)]
