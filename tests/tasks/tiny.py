"""Three tiny tickets and a data set of noise, laid out as a stage finds them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lp_core.data.store import Dataset
from lp_core.models.factory import build
from lp_core.sparsity.rounds import next_mask
from lp_core.tickets import Ticket
from tasks.kit import paths
from tests.lp_core.tiny import CLASSES, images, residual_network

SCORING: dict[str, Any] = {
    "search": "halving",
    "batch_norm": "re-estimate",
    "calibration_images": 16,
}
RECIPES: dict[str, Any] = {
    "interpolation": {"recipe": "search", "coefficients": [0.2, 0.5, 0.8]},
    "after": {"recipe": "search", "coefficients": [0.5], "prune": "after"},
    "nearest": {"recipe": "search", "coefficients": [0.5], "candidates": 1},
    "swa": {"recipe": "swa"},
    "ema": {"recipe": "ema"},
    "ema-newcomer": {"recipe": "ema-newcomer"},
    "greedy-soup": {"recipe": "greedy-soup"},
    "uniform-soup": {"recipe": "uniform-soup"},
    "small-soup": {"recipe": "uniform-soup", "candidates": 1},
}
PARAMS: dict[str, Any] = {
    "dataset": "noise",
    "model": {"name": "resnet8"},
    "compute": {"device": "cpu", "precision": "fp32", "channels_last": True, "threads": 1},
    "train": {"augment": {"crop": 1, "flip": False}},
    "imp": {"rounds": [{"ticket": i, "parent": i - 1 if i else "rewind"} for i in range(3)]},
    "pooling": {"scoring": SCORING, "ensemble": "nearest", "recipes": RECIPES},
    "variants": {"base": {}},
}


def pooling(**changes: Any) -> dict[str, Any]:
    """The section `pooling` with some of its keys changed."""
    return {"pooling": PARAMS["pooling"] | changes}


def make_tickets(folder: Path, patch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    """In `folder`, which becomes the working directory. changes: sections of the params."""
    patch.chdir(folder)
    Path("params.yaml").write_text(json.dumps(PARAMS | changes))  # JSON is YAML
    parts = {name: images(32, seed) for seed, name in enumerate(("train", "val", "test"))}
    classes = [f"class {i}" for i in range(CLASSES)]
    Dataset("noise", classes, 3, 8, [0.4] * 3, [0.2] * 3, parts).save(paths.dataset("noise"))
    model = residual_network()
    mask = {
        n: torch.ones_like(p, dtype=torch.bool) for n, p in model.named_parameters() if p.ndim == 4
    }
    lineage: dict[str, list[Any]] = {}
    for number in range(3):
        generator = torch.Generator().manual_seed(number)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.02)
                parameter.mul_(mask.get(name, torch.ones(())))
        meta = {
            "variant": "base",
            "seed": 0,
            "ticket": number,
            "converged": True,
            "lineage": dict(lineage),
        }
        ticket = Ticket.of(model, mask, meta)
        ticket.save(paths.ticket("base", 0, number))
        lineage[str(number)] = [ticket.digest, True]
        mask = next_mask(ticket, 0.2)
        with torch.no_grad():
            for name, kept in mask.items():
                model.get_parameter(name).mul_(kept)


def save_rewind_point(epochs: int = 0) -> Ticket:
    """Where the tickets start: dense, and other weights than theirs."""
    model = build("resnet8", CLASSES, 3, 8, seed=3)
    mask = Ticket.load(paths.ticket("base", 0, 0)).mask
    start = Ticket.of(model, mask, {"variant": "base", "seed": 0, "epochs": epochs})
    start.save(paths.ticket("base", 0, "rewind"))
    return start


def save_ticket(ticket: Ticket, number: int) -> None:
    """In place of one that there is; those that descend from it are of the ticket as it is now."""
    ticket.save(paths.ticket("base", 0, number))
    for later in range(number + 1, 3):
        file = paths.ticket("base", 0, later)
        descendant = Ticket.load(file)
        descendant.meta["lineage"][str(number)] = [ticket.digest, ticket.meta["converged"]]
        descendant.save(file)


def diverge(number: int) -> None:
    """Leave of a ticket what a run leaves that became NaN."""
    ticket = Ticket.load(paths.ticket("base", 0, number))
    for tensors in (ticket.weights, ticket.buffers):
        for tensor in tensors.values():
            if tensor.is_floating_point():
                tensor.fill_(float("nan"))
    for name, kept in ticket.mask.items():
        ticket.weights[name].masked_fill_(~kept, 0.0)
    ticket.meta["converged"] = False
    save_ticket(ticket, number)
