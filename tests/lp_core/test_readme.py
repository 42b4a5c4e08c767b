"""The README's example on somebody's own network and loaders runs as it stands there."""

import re
import sys
from pathlib import Path
from types import ModuleType

import torch
from torch import nn
from torch.nn.utils import prune
from torch.utils.data import DataLoader, TensorDataset

README = Path(__file__).parents[2] / "README.md"


class MyNetwork(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 4, 3), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(x).relu().mean((2, 3)))


def _loader(seed: int) -> DataLoader[tuple[torch.Tensor, ...]]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(12, 1, 6, 6, generator=generator)
    return DataLoader(TensorDataset(images, torch.arange(12) % 2), batch_size=4)


def test_ten_lines_pool_checkpoints_of_an_own_network(tmp_path, monkeypatch, capsys):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    [example] = [block for block in blocks if "my_project" in block]
    assert len([line for line in example.splitlines() if line]) <= 10
    mine = ModuleType("my_project")
    mine.MyNetwork, mine.train_loader, mine.val_loader = MyNetwork, _loader(1), _loader(2)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_project", mine)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    network = MyNetwork()
    torch.save(network.state_dict(), "round0.pt")
    for number in (1, 2):
        prune.l1_unstructured(network.conv, "weight", 0.5)
        torch.save(network.state_dict(), f"round{number}.pt")
    exec(compile(example, "README.md", "exec"), {})
    densities = [float(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    assert densities == [1, 0.5, 0.25]
    for number, density in enumerate(densities):
        pooled = torch.load(f"pooled-round{number}.pt")
        assert pooled["conv.weight"].count_nonzero() == density * network.conv.weight.numel()
        MyNetwork().load_state_dict(pooled)
