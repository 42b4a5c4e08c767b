"""The paper's numbers stand beside numbers of the same setting and no other."""

from dataclasses import replace

import pytest

from tasks.reporting.sgd_noise.numbers.papers import paper_tables
from tasks.reporting.sgd_noise.published import read_published
from tasks.reporting.sgd_noise.settings import Setting
from tests.tasks.reporting.made_sgd import MadeSgd
from tests.tasks.reporting.sgd_noise.noise_results import PUBLISHED, results_of

OURS = Setting(0.0, 256, 0, 200, "cosine", 0.1, "resnet18", "{}")
# Tickets 5 and 10 have densities of the paper's columns.
PAPERS = MadeSgd(
    momenta=(0.0, 0.9),
    batches=(100, 256),
    seeds=(0,),
    starts=("rewind",),
    epochs=200,
    aimp=(20,),
    subsets=False,
    tickets=11,
    probed=(0, 10),
    targets=("mnist",),
)


@pytest.mark.parametrize(
    ("more", "printed"),
    [
        ({}, [0.9402]),
        ({"momentum": 0.9}, [0.9498]),
        ({"batch_size": 100, "rewind": 2}, [0.9506]),
        ({"momentum": 0.3}, [0.9392]),
        ({"momentum": 0.5}, []),
        ({"batch_size": 64}, []),
        ({"rewind": 5}, []),
        ({"rewind": None}, []),
        ({"epochs": 20}, []),
        ({"schedule": "step"}, []),
        ({"lr": 0.2}, []),
        ({"model": "resnet8"}, []),
    ],
)
def test_a_number_is_of_the_papers_training_alone(more, printed):
    published = read_published("cifar10", PUBLISHED)
    rows = published.at("accuracy", replace(OURS, **more), density=0.8**5)
    assert rows["accuracy"].tolist() == printed


@pytest.mark.parametrize(
    ("dataset", "lr", "found"),
    [("tiny-imagenet", 0.2, 1), ("tiny-imagenet", 0.1, 0), ("digits", 0.1, 0)],
)
def test_tiny_imagenet_has_its_own_rate(dataset, lr, found):
    setting = replace(OURS, model="resnet34", lr=lr)
    published = read_published(dataset, PUBLISHED)
    assert len(published.at("accuracy", setting, density=0.8**5)) == found


def test_a_density_that_the_paper_does_not_have_has_no_number():
    published = read_published("cifar10", PUBLISHED)
    assert published.at("accuracy", OURS, density=0.8**4).empty


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100", "tiny-imagenet"])
def test_every_number_of_a_setting_that_is_not_named_is_found(dataset):
    published = read_published(dataset, PUBLISHED)
    lr = 0.2 if dataset == "tiny-imagenet" else 0.1
    for kind in ("probes", "transfer", "few_shot"):
        rows = published.tables[kind]
        rows = rows[(rows["dataset"] == dataset) & rows["pretraining"].isna()]
        assert len(rows)
        for row in rows.to_dict("records"):
            setting = replace(OURS, model=row["model"], lr=lr, rewind=2)
            if row["momentum"] == row["momentum"]:
                setting = replace(
                    setting, momentum=row["momentum"], batch_size=int(row["batch_size"])
                )
            found = published.at(kind, setting, network=row["network"], density=row["density"])
            assert row["accuracy"] in set(found["accuracy"])


def _papers(made: MadeSgd, model: str):
    results = results_of(made, dataset="cifar10")
    for name, setting in list(results.settings.items()):
        results.settings[name] = replace(setting, model=model)
    return {table.title.split(": ", 1)[1].split(",")[0]: table for table in paper_tables(results)}


def test_every_kind_of_number_stands_beside_the_papers():
    tables = _papers(PAPERS, "resnet18")
    assert list(tables) == [
        "test accuracy of tickets in %",
        "forgetting and convergence",
        "masks of one search",
        "linear probes",
        "transfer",
        "few images",
        "the first stable epoch",
    ]
    accuracy = {tuple(row[:5]): row[5:] for row in tables["test accuracy of tickets in %"].rows}
    assert accuracy["mu0-bs256-init", "0", "256", "0", "32.8"][0] == "94.02"
    assert accuracy["mu0.9-bs100-rewind2", "0.9", "100", "2", "100"][0] == "95.30"
    events = [row for row in tables["forgetting and convergence"].rows if row[4].startswith("for")]
    assert events[0][5:] == ["5.73 ± 8.26", "3.00 ± 5.00"]
    short = tables["masks of one search"].rows[0]
    assert short[:9] == ["short20", "0", "100", "0", "20", "0", "100", "10.7", "93.76"]
    stable = {row[0]: row[4:] for row in tables["the first stable epoch"].rows}
    assert stable["mu0-bs100-init"] == ["2.3 ± 0.5", "2.0"]
    probe, permuted = [row for row in tables["linear probes"].rows if row[0] == "mu0-bs256-init"]
    assert permuted[4:8] == ["permuted", "10.7", "4", "32.57 ± 1.68 (pretraining not named)"]
    assert probe[4:8] == ["ticket", "10.7", "4", "51.38 ± 0.81"]
    few = {(row[0], *row[4:7]): row[7] for row in tables["few images"].rows}
    assert few["mu0.9-bs256-rewind2", "ticket", "10.7", "10%, random"] == "76.99 ± 0.75"
    # Table 23 does not say whether its tickets are pretrained, table 21 nothing of its dense rows.
    for rewound in ("init", "rewind2"):
        name = f"mu0-bs256-{rewound}"
        said = few[name, "ticket", "10.7", "10%, least-forgotten"]
        assert said == "87.28 ± 0.04 (pretraining not named)"
        said = few[name, "ticket", "100", "10%, random"]
        assert said == "78.42 ± 0.53 (pretraining, momentum, batch size not named)"
    assert ("mu0-bs100-init", "ticket", "10.7", "10%, least-forgotten") not in few
    note = tables["the first stable epoch"].note
    assert "± is the deviation of a population" in note
    assert "population" not in tables["few images"].note
    assert "Source: SGD noise, table 11" in tables["test accuracy of tickets in %"].note


@pytest.mark.parametrize(
    ("made", "model"), [(replace(PAPERS, epochs=100), "resnet18"), (PAPERS, "resnet8")]
)
def test_they_are_nowhere_else(made, model):
    assert _papers(made, model) == {}
