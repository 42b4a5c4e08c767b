"""The SGD noise paper's numbers under presets/published: complete, and in agreement."""

from pathlib import Path

import pandas as pd
import pytest

PUBLISHED = Path(__file__).resolve().parents[3] / "presets" / "published"
SETTING = ["dataset", "model", "momentum", "batch_size", "pretraining"]
# By file: what tells its rows apart, what it says, and how many rows each table has. The random
# network that table 5 prints at both sparsities is there once.
FILES: dict[str, tuple[list[str], list[str], dict[int, int]]] = {
    "": (
        ["density"],
        ["accuracy", "std", "winning", "starred"],
        {2: 8 * 5, 11: 16 * 5, 12: 8 * 5, 13: 16 * 5, 14: 6 * 5},
    ),
    "_forgetting": (
        [],
        [
            f"{name}{std}"
            for name in ("events", "unforgettable", "convergence")
            for std in ("", "_std")
        ],
        {1: 4, 8: 4, 9: 4, 10: 4},
    ),
    "_crossed": (
        ["epochs", "training_momentum", "training_batch_size", "density"],
        ["accuracy", "starred"],
        {3: 4 * 4, 4: 8 * 4, 16: 8 * 4},
    ),
    "_probes": (
        ["network", "density", "block"],
        ["accuracy", "std"],
        {5: 9 * 4 + 2, 17: 9 * 4, 18: 9 * 4},
    ),
    "_transfer": (
        ["network", "target", "density"],
        ["accuracy", "std"],
        {6: 11 * 4, 19: 10 * 4, 20: 10 * 4},
    ),
    "_few_shot": (
        ["network", "density", "percent", "selection"],
        ["accuracy", "std"],
        {7: 9 * 4, 21: 9 * 4, 22: 9 * 4, 23: 3 * 4},
    ),
    "_rewind": ([], ["epoch", "std"], {15: 16}),
}
ROUNDS = [0, 5, 10, 15, 20]  # of pruning by a fifth


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(PUBLISHED / f"sgd_noise{name}.csv")


@pytest.mark.parametrize("name", FILES)
def test_every_table_is_there_with_all_its_rows(name):
    keys, said, rows = FILES[name]
    frame = read(name)
    assert list(frame) == ["source", *SETTING, *keys, *said]
    assert frame.source.value_counts().to_dict() == {
        f"SGD noise, table {number}": count for number, count in rows.items()
    }
    assert not frame.duplicated(["source", *SETTING, *keys]).any()


def test_all_23_tables_are_there():
    numbers = [number for _, _, rows in FILES.values() for number in rows]
    assert sorted(numbers) == list(range(1, 24))


@pytest.mark.parametrize("name", FILES)
def test_settings_are_those_of_the_presets(name):
    frame = read(name)
    assert set(zip(frame.dataset, frame.model, strict=True)) <= {
        ("cifar10", "resnet18"),
        ("cifar100", "resnet18"),
        ("cifar100", "vgg16"),
        ("tiny-imagenet", "resnet34"),
    }
    assert set(frame.momentum.dropna()) <= {0.0, 0.3, 0.6, 0.9, 0.95}
    assert set(frame.batch_size.dropna()) <= {8, 32, 100, 256, 1024, 2048}
    assert set(frame.pretraining.dropna()) <= {0, 2}
    if "density" in frame:
        assert set(frame.density) <= {round(0.8**rounds, 4) for rounds in ROUNDS}


@pytest.mark.parametrize(
    ("name", "table", "query", "said"),
    [
        (
            "",
            2,
            "momentum == 0 and batch_size == 256 and pretraining == 0 and density == 0.1074",
            0.602,
        ),
        (
            "",
            11,
            "dataset == 'cifar100' and momentum == 0.9 and batch_size == 256 and pretraining == 2 "
            "and density == 0.0115",
            0.6921,
        ),
        (
            "",
            13,
            "momentum == 0.9 and batch_size == 8 and pretraining == 0 and density == 0.0115",
            0.1,
        ),
        ("", 14, "momentum == 0.95 and pretraining == 2 and density == 1", 0.9508),
        ("_forgetting", 8, "momentum == 0.9 and batch_size == 100", 13.43),
        ("_crossed", 3, "epochs == 50 and momentum == 0.9 and density == 0.0115", 0.3904),
        (
            "_crossed",
            4,
            "momentum == 0 and training_momentum == 0.9 and training_batch_size == 100 "
            "and density == 0.3277",
            0.6093,
        ),
        (
            "_probes",
            17,
            "momentum == 0 and batch_size == 256 and pretraining == 0 and network == 'ticket' "
            "and density == 0.1074 and block == 8",
            0.8287,
        ),
        ("_transfer", 6, "network == 'retrained' and target == 'eurosat'", 0.9851),
        (
            "_transfer",
            20,
            "network == 'trained' and momentum == 0.9 and target == 'cifar100'",
            0.4424,
        ),
        ("_few_shot", 7, "density == 1 and percent == 10", 0.2513),
        (
            "_few_shot",
            23,
            "network == 'permuted' and percent == 10 and selection == 'most-forgotten'",
            0.4721,
        ),
        ("_rewind", 15, "model == 'vgg16' and momentum == 0.9 and batch_size == 100", 85.0),
    ],
)
def test_numbers_stand_where_the_paper_has_them(name, table, query, said):
    frame = read(name)
    [row] = frame[frame.source == f"SGD noise, table {table}"].query(query).to_dict("records")
    assert row[FILES[name][1][0]] == said


def test_a_winning_ticket_is_at_least_as_accurate_as_its_dense_network():
    """The paper's definition (section 3.1); underlined entries of its tables are all of these."""
    frame = read("")
    dense = frame[frame.density == 1].set_index(["source", *SETTING]).accuracy
    of_each = frame.set_index(["source", *SETTING]).index.map(dense)
    assert (frame.winning == ((frame.density < 1) & (frame.accuracy >= of_each))).all()
    assert frame.winning.sum() == 6 + 7 + 4 + 5 + 11 + 7  # tables 2, 11 (both sets), 12, 13, 14


def test_starred_entries_are_those_where_a_run_stayed_at_chance():
    frame, crossed = read(""), read("_crossed")
    assert frame[frame.starred].groupby("source").size().to_dict() == {"SGD noise, table 2": 4}
    assert (frame[frame.starred].momentum == 0.9).all()
    assert crossed[crossed.starred].groupby("source").size().to_dict() == {"SGD noise, table 4": 4}


def test_table_4_repeats_table_2_where_nothing_is_crossed_but_for_one_number():
    """Momentum 0, batches of 256, 96.48% sparsity: 58.89% in table 2, and 59.98% in table 4."""
    crossed = read("_crossed").query("epochs == 200")
    crossed = crossed.query("momentum == training_momentum and batch_size == training_batch_size")
    grid = read("").query("source == 'SGD noise, table 2' and pretraining == 0")
    both = crossed.merge(grid, on=[*SETTING, "density"], suffixes=("", "_2"))
    assert len(both) == 8
    [other] = both[both.accuracy != both.accuracy_2].itertuples()
    assert (other.density, other.accuracy, other.accuracy_2) == (0.0352, 0.5998, 0.5889)


@pytest.mark.parametrize("name", ["", "_crossed", "_probes", "_transfer", "_few_shot"])
def test_accuracies_are_fractions_with_two_digits_of_a_percent(name):
    frame = read(name)
    assert frame.accuracy.between(0.01, 1).all()
    assert (frame.accuracy * 1e4).round(6).mod(1).eq(0).all()
    if "std" in frame:
        assert frame["std"].dropna().between(0, 0.14).all()


def test_momentum_and_small_batches_need_more_epochs_to_be_stable():
    """Appendix C.3: every row of table 15 rises with momentum, and falls with batch size."""
    epochs = read("_rewind").pivot(
        index=["dataset", "model"], columns=["momentum", "batch_size"], values="epoch"
    )
    assert (epochs[0.0] < epochs[0.9]).all(axis=None)
    for momentum in (0.0, 0.9):
        assert (epochs[momentum][100] > epochs[momentum][256]).all()
