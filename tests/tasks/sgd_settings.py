"""The SGD noise paper's settings, and what the short ones change in them."""

from itertools import product
from typing import Any

TARGETS = {
    "cifar10": ["mnist", "cifar100", "tiny-imagenet", "eurosat"],  # table 6
    "cifar100": ["mnist", "cifar10", "tiny-imagenet", "eurosat"],  # table 19
    "tiny-imagenet": ["mnist", "cifar10", "cifar100", "eurosat"],  # table 20
}
PAIR = {"mu0": 0.0, "mu09": 0.9}
SIZES = {"bs100": 100, "bs256": 256}
STARTS = {"init": 0, "rewind2": 2}
FOUR = [f"{mu}-{bs}-init" for mu, bs in product(PAIR, SIZES)]  # as in tables 4 and 15
EIGHT = ["-".join(labels) for labels in product(PAIR, SIZES, STARTS)]


def grid(
    momentum: dict[str, float], sizes: dict[str, int], starts: dict[str, int]
) -> dict[str, dict[str, Any]]:
    """Variants by name: section 3.1 without the training's duration."""
    return {
        f"{mu}-{bs}-{start}": {
            "train": {"momentum": momentum[mu], "batch_size": sizes[bs]},
            "rewind": {"epochs": starts[start]},
        }
        for mu, bs, start in product(momentum, sizes, starts)
    }


def accelerated(
    epochs: list[int], momentum: dict[str, float], sizes: dict[str, int]
) -> dict[str, dict[str, Any]]:
    """Section 4.3: mask searches of fewer epochs, without pretraining."""
    return {
        f"aimp{count}-{mu}-{bs}-init": {
            "train": {"epochs": count, "momentum": momentum[mu], "batch_size": sizes[bs]},
            "rewind": {"epochs": 0},
        }
        for count, mu, bs in product(epochs, momentum, sizes)
    }


def images(name: str) -> dict[str, Any]:
    """A data set of the paper's, a tenth of it held out."""
    if name == "tiny-imagenet":
        return {
            "source": "folder",
            "path": "../tiny-imagenet-200",
            "watch": "../tiny-imagenet-200.txt",
            "val_fraction": 0.1,
        }
    folder = {"source": name, "path": f"downloads/{name}", "download": True}
    return folder | {"watch": "constraints.txt", "val_fraction": 0.1}


def steps(count: int) -> list[dict[str, Any]]:
    """The binary search's probes, one after the other."""
    return [{"step": k, "after": k - 1 if k > 1 else "start"} for k in range(1, count + 1)]


def pairs(chosen: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"masks": masks, "training": training} for masks, training in chosen]


def section(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The section sgd_noise with the given keys changed in each of its own sections."""
    result = dict(base)
    for key, value in changes.items():
        result[key] = base[key] | value if isinstance(value, dict) else value
    return result


def published(base: dict[str, Any], model: str, dataset: str) -> dict[str, Any]:
    """sgd_noise of a published setting."""
    unlike = [
        (masks, training)
        for masks in ("mu0-bs256-init", "mu09-bs100-init")  # table 4
        for training in FOUR
        if masks != training
    ]
    shorter = {
        "cifar10": FOUR,  # table 16
        "tiny-imagenet": ["mu0-bs256-init", "mu09-bs100-init"],  # table 3
    }.get(dataset, [])
    crossed = [(f"aimp{epochs}-{name}", name) for epochs in (20, 50) for name in shorter]
    crossed += unlike if shorter else []
    changes: dict[str, Any] = {
        "starts": ["rewind", 5, 10],
        "crossed": pairs(crossed),
        "crossed_tickets": [5, 10, 15, 20] if crossed else [],
        "probes": {"tickets": [0, 5, 10] if dataset == "tiny-imagenet" else [0, 10, 15]},
        "few_shot": {"tickets": [0, 10], "percent": [1, 2, 5, 10]},
        "stable_rewind": {"variants": FOUR, "steps": steps(9)},
    }
    if model != "vgg16":
        changes["transfer"] = {"tickets": [0, 10], "targets": TARGETS[dataset]}
    if dataset == "cifar10":
        removed = [f"{which}-{share}" for which in ("easiest", "hardest") for share in (10, 20, 30)]
        changes["subsets"] = {"variants": ["mu0-bs256-init"], "removed": removed}
        changes["few_shot"]["selections"] = ["least-forgotten", "most-forgotten"]
    return section(base, **changes)
