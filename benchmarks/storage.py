"""Storage: a trail of 20 tickets against the same networks as dense checkpoints.

    python -m benchmarks.storage [--model resnet20 resnet18] [--rounds N]

Ticket k keeps 0.8^k of the convolution weights, which are random: their values do not matter, only
how many survive. Each is written by `Ticket.save`, `torch.save` and safetensors in turn, all three
through to the disk and in place of the old file, and read back. Weights, masks and batch-norm
buffers count; optimizer state does not, on either side.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lp_core import faces
from lp_core.files import atomic_write
from lp_core.models.factory import build
from lp_core.models.spec import NETWORKS
from lp_core.models.structure import prunable
from lp_core.sparsity.magnitude import magnitude_mask
from lp_core.tickets import Ticket

Measure = tuple[int, float, float]  # bytes, seconds to save, seconds to load


def make_ticket(name: str, density: float) -> Ticket:
    """A randomly initialised network for CIFAR-10, pruned by magnitude."""
    model = build(name, 10, 3, 32, seed=0)
    parameters = dict(model.named_parameters())
    weights = {weight: parameters[weight] for weight in prunable(model)}
    count = sum(weight.numel() for weight in weights.values())
    mask = magnitude_mask(weights, round(density * count))
    with torch.no_grad():
        for weight, kept in mask.items():
            parameters[weight].mul_(kept)
    meta = {"model": name, "dataset": "cifar10", "density": density, "init_seed": 0}
    return Ticket.of(model, mask, meta)


def dense(ticket: Ticket) -> dict[str, Tensor]:
    """What an ordinary checkpoint holds: the network's state dict, zeros and all."""
    return ticket.weights | ticket.buffers


def as_torch(ticket: Ticket, path: Path) -> None:
    with atomic_write(path) as temporary:
        torch.save(dense(ticket), temporary)


def as_safetensors(ticket: Ticket, path: Path) -> None:
    with atomic_write(path) as temporary:
        save_file(dense(ticket), temporary)


def load_torch(path: Path) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = torch.load(path, weights_only=True)
    return tensors


def load_safetensors(path: Path) -> dict[str, Tensor]:
    # clone(): the file is only mapped into memory, and would be read after the clock has stopped.
    return {name: tensor.clone() for name, tensor in load_file(path).items()}


WAYS: dict[str, tuple[Callable[[Ticket, Path], None], Callable[[Path], object]]] = {
    "ticket": (Ticket.save, lambda path: dense(Ticket.load(path))),
    "torch.save": (as_torch, load_torch),
    "safetensors": (as_safetensors, load_safetensors),
}


def measure(way: str, ticket: Ticket, path: Path) -> Measure:
    """Save and load once. Raises ValueError if what comes back is not what was saved."""
    save, load = WAYS[way]
    began = time.perf_counter()
    save(ticket, path)
    saved = time.perf_counter()
    back = load(path)
    loaded = time.perf_counter()
    assert isinstance(back, dict)
    for name, tensor in dense(ticket).items():
        if not torch.equal(back[name], tensor):
            raise ValueError(f"{way}: {name} came back changed")
    size = path.stat().st_size
    path.unlink()
    return size, saved - began, loaded - saved


def report(name: str, densities: list[float]) -> None:
    """Measure one network's trail and print its part of the table."""
    measured: dict[str, list[Measure]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        for density in densities:
            ticket = make_ticket(name, density)
            for way, rows in measured.items():
                rows.append(measure(way, ticket, Path(folder) / "network"))
    totals = {way: sum(size for size, _, _ in rows) for way, rows in measured.items()}
    for way, rows in measured.items():
        _, saving, loading = (median(column) for column in zip(*rows, strict=True))
        print(
            f"{name:<10}{way:<13}{totals[way] / 1e6:>10.2f}"
            f"{totals[way] / totals['torch.save']:>10.3f}"
            f"{totals[way] / totals['safetensors']:>16.3f}"
            f"{1000 * saving:>10.1f}{1000 * loading:>10.1f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    models = ["resnet20", "resnet18"]
    names = faces.names(NETWORKS)
    parser.add_argument("--model", nargs="+", default=models, choices=names, help="networks")
    parser.add_argument("--rounds", type=int, default=20, help="tickets in the trail (20)")
    options = parser.parse_args()
    densities = [0.8**k for k in range(options.rounds)]
    print(f"{options.rounds} tickets, densities 1 … {densities[-1]:.3f}; ms are medians")
    print(
        f"{'model':<10}{'stored as':<13}{'MB':>10}{'of torch':>10}{'of safetensors':>16}"
        f"{'save ms':>10}{'load ms':>10}"
    )
    for name in options.model:
        report(name, densities)


if __name__ == "__main__":
    main()
