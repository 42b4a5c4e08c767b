"""Pool checkpoints of your own network: plain PyTorch, no DVC, no Prefect.

`train_and_prune` stands for a script that you have: it leaves a checkpoint for each density, pruned
with `torch.nn.utils.prune` and trained again from the same early weights. `main` pools them.
"""

import argparse
import copy
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import prune
from torch.utils.data import DataLoader, TensorDataset, random_split

from lp_core.pooling import pool
from lp_core.tickets import Ticket

ROUNDS, EPOCHS, PRUNED = 4, 5, 0.4  # checkpoints; epochs of each; share that each round prunes
Loader = DataLoader[tuple[Tensor, ...]]


class DigitsNet(nn.Module):
    """Three convolutions and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
            *(nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()),
        )
        self.classifier = nn.Linear(32, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Logits B×10 of images B×1×8×8."""
        return self.classifier(self.features(images).mean(dim=(2, 3)))


def loaders() -> tuple[Loader, Loader, Loader]:
    """scikit-learn's digits: images to train on, held-out images that decide, and test images."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    data = TensorDataset((images - 0.3) / 0.38, torch.tensor(digits.target))
    parts = random_split(data, [0.6, 0.2, 0.2], torch.Generator().manual_seed(0))
    shuffled = DataLoader(parts[0], batch_size=64, shuffle=True)
    return shuffled, DataLoader(parts[1], batch_size=500), DataLoader(parts[2], batch_size=500)


def train_and_prune(folder: Path, training: Loader) -> list[Path]:
    """Iterative magnitude pruning, rewound to the first epoch; the checkpoints, densest first."""
    network = DigitsNet()
    train(network, training, epochs=1)
    early = copy.deepcopy(network.state_dict())
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    files = []
    for number in range(ROUNDS):
        if number:
            weights = [(convolution, "weight") for convolution in convolutions]
            prune.global_unstructured(weights, prune.L1Unstructured, amount=PRUNED)
            rewind(network, early)
        train(network, training, EPOCHS)
        files.append(folder / f"round{number}.pt")
        torch.save(network.state_dict(), files[-1])
    return files


@torch.no_grad()
def rewind(network: nn.Module, early: dict[str, Tensor]) -> None:
    """Weights and batch norm go back; masks stay. (`prune` calls a pruned weight `weight_orig`.)"""
    for name, tensor in network.state_dict().items():
        if not name.endswith("_mask"):
            tensor.copy_(early[name.removesuffix("_orig")])


def train(network: nn.Module, training: Loader, epochs: int) -> None:
    """Stochastic gradient descent with momentum."""
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network.train()
    for _ in range(epochs):
        for images, labels in training:
            optimiser.zero_grad()
            F.cross_entropy(network(images), labels).backward()
            optimiser.step()


@torch.no_grad()
def accuracy(network: nn.Module, images: Loader) -> float:
    """The share of images that it classifies rightly."""
    network.eval()
    rights = [(network(batch).argmax(1) == labels).float() for batch, labels in images]
    return torch.cat(rights).mean().item()


def main() -> None:
    """Train, pool, save; print what pooling changed."""
    parser = argparse.ArgumentParser(prog="python -m examples.own_network", description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=Path("downloads/own-network"), help="for the checkpoints"
    )
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # for so small a network more are slower
    torch.manual_seed(0)
    training, held_out, testing = loaders()
    files = train_and_prune(folder, training)

    # Lottery Pools, from here on.
    network = DigitsNet()
    tickets = [Ticket.from_state_dict(torch.load(file), network=network) for file in files]
    for file, ticket, result in zip(
        files, tickets, pool(tickets, network, held_out, training), strict=True
    ):
        ticket.load_into(network)
        before = accuracy(network, testing)
        network.load_state_dict(result.ticket.state_dict())
        after = accuracy(network, testing)
        print(f"{ticket.density:6.1%}  {before:.2%} → {after:.2%}  members {result.members}")
        torch.save(network.state_dict(), file.with_name(f"pooled-{file.name}"))


if __name__ == "__main__":
    main()
