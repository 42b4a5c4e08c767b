"""Several processes on one CPU, started as the stages are: by torchrun, joined by gloo."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lp_core.training.distributed import Workers
from tests.lp_core.tiny import ROOT, TRAINING_IMAGES, TinyRun, plain_network, without_time
from tests.lp_core.training.forgetting_recounted import Count, Seen, recount

WORLD = 4


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What four processes left, of one start for all tests."""
    folder = tmp_path_factory.mktemp("four")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*torchrun, "--nproc-per-node", str(WORLD), "-m", "tests.lp_core.wide", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def _read(path: Path) -> tuple[list[dict[str, float]], dict[str, np.ndarray]]:
    curve, weights = json.loads(path.read_text())
    return curve, {name: np.array(weight) for name, weight in weights.items()}


def test_several_processes_learn_what_one_learns(left):
    run = TinyRun(network=plain_network)
    alone = without_time(run.train())
    together, weights = _read(left / "whole-0.json")
    assert len(together) == len(alone)
    for one, other in zip(alone, together, strict=True):
        assert other == pytest.approx(one, abs=1e-5)
    for name, parameter in run.model.named_parameters():
        np.testing.assert_allclose(weights[name], parameter.detach().numpy(), atol=1e-5)


def test_the_processes_agree_to_the_last_bit(left):
    for run in ("whole", "resumed"):
        (curve, weights), (other, same) = (_read(left / f"{run}-{r}.json") for r in (0, WORLD - 1))
        for row, its in zip(curve, other, strict=True):
            assert (row["loss"], row["accuracy"]) == (its["loss"], its["accuracy"])
        assert all(np.array_equal(weights[name], same[name]) for name in weights)


def test_only_the_first_process_looks_at_held_out_images(left):
    for row in _read(left / "whole-1.json")[0]:
        assert np.isnan(row["val_accuracy"])
        assert np.isnan(row["val_loss"])


def test_four_processes_resume_bit_for_bit_a_network_that_they_sum_in_pieces(left):
    """Two could not tell: a + b is b + a. Of four, the order of summation shows. Hooks that change
    masks and weights come to the same in each of them."""
    digests = [json.loads((left / f"{rank}.json").read_text()) for rank in range(WORLD)]
    assert all(whole == resumed for whole, resumed in digests)
    assert len({whole for whole, _ in digests}) == 1


@pytest.mark.parametrize("name", ["snip", "set", "rigl", "granet"])
def test_sparse_training_comes_to_the_same_masks_in_every_process(left, name):
    texts = [(left / f"sparse-{rank}.json").read_text() for rank in range(WORLD)]
    runs = [json.loads(text)[name] for text in texts]
    assert all(run["kept"] == runs[0]["kept"] for run in runs)
    assert all(run["weights"] == runs[0]["weights"] for run in runs)
    # The batch-norm statistics of a ticket are the first process's own.
    assert [run["taken"] for run in runs] == [[1, 2]] + [[]] * (WORLD - 1)


def test_every_process_counts_what_all_of_them_forgot(left):
    """Each saw a quarter of every batch, another quarter of the samples in each epoch; the training
    was stopped and resumed on the way."""
    runs = [json.loads((left / f"forgetting-{rank}.json").read_text()) for rank in range(WORLD)]
    seen = [Seen(*one) for run in runs for one in run["seen"]]
    expected = recount(seen, TRAINING_IMAGES)
    assert all(Count(*run["count"]) == expected for run in runs)
    assert sum(expected.events) > 10, "hardly anything was forgotten: this shows nothing"


def test_together_they_resume_bit_for_bit(left):
    whole, resumed = (_read(left / f"{run}-0.json") for run in ("whole", "resumed"))
    assert resumed[0] == whole[0]
    assert all(np.array_equal(resumed[1][name], whole[1][name]) for name in whole[1])


def test_weights_outside_the_mask_stay_zero_in_every_process(left):
    mask = TinyRun(network=plain_network).mask
    for rank in range(WORLD):
        _, weights = _read(left / f"whole-{rank}.json")
        for name, kept in mask.items():
            assert np.array_equal(weights[name] != 0, kept.numpy())


def test_without_torchrun_there_is_a_world_of_one(monkeypatch):
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    alone = Workers()
    model = plain_network()
    assert (alone.world, alone.rank, alone.first) == (1, 0, True)
    assert alone.wrap(model, torch.device("cpu")) is model
    assert alone.sum(torch.tensor([1.0, 2.0])).tolist() == [1.0, 2.0]
    alone.wait()
    alone.close()


@pytest.mark.parametrize(("gpus", "backend"), [(False, "gloo"), (True, "cpu:gloo,cuda:nccl")])
def test_processes_on_the_cpu_can_join_whether_there_are_gpus_or_not(monkeypatch, gpus, backend):
    joined: list[str] = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus)
    monkeypatch.setattr(torch.distributed, "init_process_group", joined.append)
    Workers()
    assert joined == [backend]
