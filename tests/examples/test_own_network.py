"""The example with an own network: what it leaves behind is what Lottery Pools promises."""

import sys
from pathlib import Path

import pytest
import torch

from examples import own_network


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of its checkpoints, and what it printed."""
    folder = tmp_path_factory.mktemp("own_network")
    with pytest.MonkeyPatch.context() as patch:
        told: list[str] = []
        patch.setattr(sys, "argv", ["own_network", "--folder", str(folder)])
        patch.setattr("builtins.print", lambda line: told.append(line))
        threads = torch.get_num_threads()
        own_network.main()
        torch.set_num_threads(threads)
    return folder, "\n".join(told)


def _weights(path: Path) -> dict[str, torch.Tensor]:
    """The convolutions' weights of a checkpoint, pruned or not."""
    state = torch.load(path)
    pruned = {
        name.removesuffix("_orig"): state[name] * state[name.replace("_orig", "_mask")]
        for name in state
        if name.endswith("_orig")
    }
    return pruned or {name: each for name, each in state.items() if each.ndim == 4}


def test_each_pooled_checkpoint_is_as_dense_as_its_ticket(made):
    for number in range(own_network.ROUNDS):
        counts = [
            sum(int(each.count_nonzero()) for each in _weights(made[0] / name).values())
            for name in (f"round{number}.pt", f"pooled-round{number}.pt")
        ]
        assert counts[0] == counts[1]


def test_no_pooled_network_is_worse_on_the_held_out_images(made):
    held_out = own_network.loaders()[1]
    for number in range(own_network.ROUNDS):
        network = own_network.DigitsNet()
        for name, tensor in _weights(made[0] / f"round{number}.pt").items():
            network.get_parameter(name).data = tensor
        rest = torch.load(made[0] / f"round{number}.pt")
        network.load_state_dict(rest, strict=False)
        before = own_network.accuracy(network, held_out)
        network.load_state_dict(torch.load(made[0] / f"pooled-round{number}.pt"))
        assert own_network.accuracy(network, held_out) >= before


def test_it_prints_a_line_for_each_density(made):
    densities = [line.split("%")[0].strip() for line in made[1].splitlines()]
    assert densities == ["100.0", "60.0", "36.0", "21.6"]
