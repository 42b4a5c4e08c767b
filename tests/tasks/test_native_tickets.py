"""Tickets of a real run, used by who has nothing but their files and his own code."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from lp_core.data.store import Dataset
from lp_core.pooling import ScoringSpec, pool
from lp_core.pooling.recipes import Search
from lp_core.tickets import Ticket
from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.calibration import calibration_images
from tasks.kit.params import Params
from tests.lp_core.strategies import bits
from tests.tasks.small_run import METHOD, TICKETS, small_run

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("run"))
        small_run("digits")
        yield Path.cwd()


def _tickets() -> list[Ticket]:
    return [Ticket.load(paths.ticket("base", 0, number)) for number in range(TICKETS)]


def _pixels(dataset: Dataset, split: str) -> TensorDataset:
    """Normalised by hand, as the meta says."""
    about = _tickets()[0].meta["network"]
    mean, std = (torch.tensor(about[name]).view(1, -1, 1, 1) for name in ("mean", "std"))
    part = dataset.split(split)
    return TensorDataset((part.images / 255 - mean) / std, part.labels)


@pytest.mark.parametrize("kind", ["rewind", "ticket", "pooled"])
@pytest.mark.usefixtures("run")
def test_a_tickets_file_is_enough_to_classify_with(kind):
    path = {
        "rewind": paths.ticket("base", 0, "rewind"),
        "ticket": paths.ticket("base", 0, 2),
        "pooled": paths.pooled("base", 0, METHOD, 2),
    }[kind]
    ticket, bench = Ticket.load(path), Bench(Params("base"))
    expected, labels = bench.predict(bench.to_device(ticket), "test")
    network = ticket.network()
    assert not network.training
    images, same = _pixels(bench.dataset, "test").tensors
    with torch.no_grad():
        logits = network(images)
    assert torch.equal(labels, same)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)
    assert ticket.meta["network"]["classes"] == bench.dataset.classes
    json.dumps(ticket.meta["network"])


@pytest.mark.usefixtures("run")
def test_the_library_pools_a_runs_tickets_as_the_stage_did():
    params = Params("base")
    bench = Bench(params)
    network = _tickets()[0].network()
    calibration = calibration_images(bench, params, 0, ScoringSpec().calibration_images)
    held_out = _exact_pixels(bench)
    results = pool(
        [Ticket.from_state_dict(t.state_dict(), t.mask, network, t.meta) for t in _tickets()],
        network,
        DataLoader(held_out, batch_size=32),
        calibration,
        recipe=Search(coefficients=[0.3, 0.7]),
        precision="fp32",
    )
    for number, result in enumerate(results):
        expected = Ticket.load(paths.pooled("base", 0, METHOD, number))
        assert result.ticket.digest == expected.digest
        assert result.ticket.meta["network"] == expected.meta["network"]
        assert bits(result.ticket.state_dict()) == bits(expected.state_dict())
    assert any(step.accepted for result in results for step in result.trace)


def _exact_pixels(bench: Bench) -> TensorDataset:
    """Normalised as the project does it, whose last bit is another than that by hand."""
    from lp_core.data.loading import eval_batches

    batches = list(eval_batches(bench.dataset, "val", 50, "cpu"))
    return TensorDataset(*(torch.cat(part) for part in zip(*batches, strict=True)))
