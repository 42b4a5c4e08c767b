"""Two processes on one CPU, started as the stages are: by torchrun, joined by gloo."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lp_core.training.distributed import Workers
from tests.lp_core.tiny import ROOT, Run, plain_network, without_time


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*torchrun, "--nproc-per-node", "2", "-m", "tests.lp_core.tiny", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def _read(path: Path) -> tuple[list[dict[str, float]], dict[str, np.ndarray]]:
    curve, weights = json.loads(path.read_text())
    return curve, {name: np.array(weight) for name, weight in weights.items()}


def test_two_processes_learn_what_one_learns(left):
    run = Run(network=plain_network)
    alone = without_time(run())
    together, weights = _read(left / "whole-0.json")
    assert len(together) == len(alone)
    for one, other in zip(alone, together, strict=True):
        assert other == pytest.approx(one, abs=1e-5)
    for name, parameter in run.model.named_parameters():
        np.testing.assert_allclose(weights[name], parameter.detach().numpy(), atol=1e-5)


def test_the_processes_agree_to_the_last_bit(left):
    for run in ("whole", "resumed"):
        first, second = (_read(left / f"{run}-{rank}.json") for rank in range(2))
        assert first[0] == second[0]
        assert all(np.array_equal(first[1][name], second[1][name]) for name in first[1])


def test_together_they_resume_bit_for_bit(left):
    whole, resumed = (_read(left / f"{run}-0.json") for run in ("whole", "resumed"))
    assert resumed[0] == whole[0]
    assert all(np.array_equal(resumed[1][name], whole[1][name]) for name in whole[1])


def test_weights_outside_the_mask_stay_zero_in_every_process(left):
    mask = Run(network=plain_network).mask
    for rank in range(2):
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
