"""What all presets have in common; the settings of Lottery Pools and of Sup-tickets as wholes."""

from typing import Any

from tests.tasks import sup_settings

ALPHAS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
RECIPES: dict[str, dict[str, Any]] = {
    "interpolation": {"recipe": "search", "coefficients": ALPHAS},
    "average": {"recipe": "search", "coefficients": [0.5]},
    "swa": {"recipe": "swa"},
    "ema": {"recipe": "ema", "decay": 0.95},
    "ema-newcomer": {"recipe": "ema-newcomer", "weight": 0.95},
    **{f"candidates-{n}": {"recipe": "search", "candidates": n} for n in (1, 2, 4, 9)},
    "coefficients-3": {"recipe": "search", "coefficients": [0.05, 0.5, 0.95]},
    "coefficients-7": {"recipe": "search", "coefficients": [0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95]},
    "prune-after": {"recipe": "search", "prune": "after"},
    "greedy-soup": {"recipe": "greedy-soup"},
    "uniform-soup": {"recipe": "uniform-soup"},
}
FIRST = ["interpolation", "average", "swa", "ema", "ema-newcomer"]
# On corrupted images too: those that the paper has numbers of.
ON_CIFAR, ON_IMAGENET = FIRST[:4], [*FIRST[:3], FIRST[4]]
LAST = ["coefficients-3", "coefficients-7", "prune-after", "greedy-soup", "uniform-soup"]
FULL_SCORING = {"search": "exact", "batch_norm": "re-estimate"}
# Lottery Pools' settings leave the other flow as the default has it, and switch it off.
RIGL = {"density": 0.1, "interval": 10}
RE_ESTIMATED = {"tickets": 2, "cycle": 1, "calibration_images": 512}
NO_SUP_TICKETS: dict[str, Any] = {
    "variants": [],
    "methods": ["dense", "rigl", "granet"],
    "endings": ["plain", "cia"],
    "corrupted": ["plain", "cia"],
    "ablated": ["rigl"],
    "ablations": ["re-estimated", "search"],
    "ensembles": ["dense"],
    "efficient_ensembles": [],
    "siblings": {"methods": ["rigl"], "ending": "cia", "pool": "interpolation"},
    "prunable": "conv+linear",
    "start": 4,
    "training": {
        "dense": {"recipe": "dense"},
        "rigl": {"recipe": "rigl"} | RIGL,
        "granet": {"recipe": "granet", "until": 3} | RIGL,
    },
    "ending": {
        "plain": {"tickets": 0},
        "cia": {"tickets": 2, "cycle": 1},
        "re-estimated": RE_ESTIMATED | {"batch_norm": "re-estimate"},
        "search": RE_ESTIMATED | {"average": "search"},
    },
}
# So do all settings but those of the third flow.
NO_SGD_NOISE: dict[str, Any] = {
    "variants": [],
    "noise": [1, 2, 3],
    "starts": ["rewind", 3],
    "threshold": 0.02,
    "subsets": {"variants": [], "removed": ["easiest-30", "hardest-30"]},
    "crossed": [],
    "crossed_tickets": [3],
    "probes": {
        "tickets": [3],
        "epochs": 5,
        "batch_size": 128,
        "lr": 0.005,
        "momentum": 0.9,
        "weight_decay": 0.0001,
    },
    "transfer": {"tickets": [], "targets": []},
    "few_shot": {
        "tickets": [3],
        "networks": ["ticket", "permuted"],
        "percent": [10],
        "selections": [],
    },
    "stable_rewind": {"variants": [], "steps": []},
}


def setting(
    model: str,
    dataset: str,
    images: dict[str, Any],
    corrupted: int | None,
    seeds: int,
    rounds: int,
    methods: list[str],
    **sections: Any,
) -> dict[str, Any]:
    """What all settings have in common, and what tells them apart."""
    chain = [{"ticket": k, "parent": k - 1 if k else "rewind"} for k in range(rounds)]
    generated = {"source": "generate", "watch": "constraints.txt", "images": corrupted}
    return {
        "dataset": dataset,
        "datasets": {dataset: images},
        "corrupt": {dataset: generated},
        "seeds": list(range(seeds)),
        "grid": sections.get("grid", ["base", "no-rewind"]),
        "imports": {},
        "products": [],
        "variants": {"base": {}, "no-rewind": {"rewind": {"epochs": 0}}},
        "model": {"name": model, "arguments": {}, "weights": None},
        "own_code": "own",
        "compute": {
            "device": "auto",
            "precision": "auto",
            "channels_last": True,
            "threads": sections.get("threads", 0),
        },
        "train": {"momentum": 0.9, "init": None, "noise": None} | sections["train"],
        "rewind": {"mode": "fixed", "epochs": sections["rewind"]},
        "imp": {"fraction": 0.2, "rounds": chain}
        | sections.get("imp", {"prunable": "conv", "checkpoint": "last"}),
        "pooling": {
            "variants": ["base"],
            "methods": methods,
            "corrupted": sections.get("on_corrupted", ON_CIFAR),
            "ensemble": "candidates-2",
            "scoring": sections["scoring"],
            "recipes": {name: RECIPES[name] for name in methods},
        },
        "sup_tickets": NO_SUP_TICKETS,
        "sgd_noise": NO_SGD_NOISE,
    }


def train(
    epochs: int, batch: int, decay: float, lr: float, drops: list[int], warmup: float, crop: int
) -> dict[str, Any]:
    steps = {"kind": "step", "lr": lr, "drops": drops, "gamma": 0.1, "warmup": warmup}
    return {
        "epochs": epochs,
        "batch_size": batch,
        "weight_decay": decay,
        "schedule": steps,
        "augment": {"crop": crop, "flip": True},
        "devices": 1,
    }


def on_cifar(model: str, dataset: str) -> dict[str, Any]:
    """Lottery Pools, tables 1 and 3: 182 epochs, 19 densities, three seeds."""
    images = {"source": dataset, "path": f"downloads/{dataset}", "download": True}
    images |= {"watch": "constraints.txt", "val_fraction": 0.1}
    return setting(
        model,
        dataset,
        images,
        corrupted=None,
        seeds=3,
        rounds=19,
        methods=[*FIRST, "candidates-2", "candidates-4", "candidates-9", *LAST],
        grid=["base"] if dataset == "cifar10" else ["base", "no-rewind"],
        train=train(182, 128, 1e-4, 0.1, [91, 136], 0.0, 4),
        rewind=9,
        imp={"prunable": "conv", "checkpoint": "best"},
        scoring=FULL_SCORING | {"calibration_images": 1024},
    )


def on_imagenet(model: str) -> dict[str, Any]:
    """Lottery Pools, tables 1 and 3: 90 epochs, 9 densities, one run."""
    images = {"source": "folder", "path": "../imagenet", "watch": "../imagenet.txt", "size": 224}
    images |= {"val_fraction": 0.020294, "stream": True}
    expected = setting(
        model,
        "imagenet",
        images,
        corrupted=1000,
        seeds=1,
        rounds=9,
        methods=[*FIRST, "candidates-2", "greedy-soup", "uniform-soup"],
        grid=["base"],
        train=train(90, 1024, 1e-4, 0.4, [30, 60, 80], 5.0, 1) | {"devices": 4},
        rewind=5,
        imp={"prunable": "conv+linear", "checkpoint": "last"},
        on_corrupted=ON_IMAGENET,
        scoring=FULL_SCORING | {"calibration_images": 4096},
    )
    return expected | {"variants": {"base": {}}}


def on_two_cores() -> dict[str, Any]:
    """ResNet-8 on all of CIFAR-10: six epochs, six densities, two seeds."""
    folder = "../shared/data/cifar10"
    images = {"source": "parquet", "path": folder, "watch": folder, "val_fraction": 0.1}
    return setting(
        "resnet8",
        "cifar10-jpeg",
        images,
        corrupted=200,
        seeds=2,
        rounds=6,
        methods=[*FIRST, "candidates-1", "candidates-2", *LAST],
        threads=1,
        train=train(6, 128, 5e-4, 0.1, [4, 5], 0.0, 4),
        rewind=1,
        scoring={"search": "halving", "batch_norm": "re-estimate"} | {"calibration_images": 1024},
    )


def patient() -> dict[str, Any]:
    """The same trained longer and pruned further: 24 epochs, twelve densities."""
    whole = on_two_cores()
    chain = [{"ticket": k, "parent": k - 1 if k else "rewind"} for k in range(12)]
    methods = [*FIRST, "candidates-2", "coefficients-3", "prune-after", *LAST[-2:]]
    recipes = {name: RECIPES[name] for name in methods}
    generated = whole["corrupt"]["cifar10-jpeg"] | {"images": 1000}
    schedule = whole["train"]["schedule"] | {"drops": [12, 18]}
    return whole | {
        "corrupt": {"cifar10-jpeg": generated},
        "grid": ["base"],
        "train": whole["train"] | {"epochs": 24, "schedule": schedule},
        "rewind": {"mode": "fixed", "epochs": 2},
        "imp": whole["imp"] | {"rounds": chain},
        "pooling": whole["pooling"] | {"methods": methods, "recipes": recipes},
    }


def sup_tickets(
    model: str, dataset: str, images: dict[str, Any], section: dict[str, Any], **changes: Any
) -> dict[str, Any]:
    """What the settings of Sup-tickets have in common; imp-pool is off, and else the default."""
    expected = setting(
        model,
        dataset,
        images,
        corrupted=changes.get("corrupted"),
        seeds=changes.get("seeds", 3),
        rounds=4,
        methods=[*FIRST, "candidates-2", "coefficients-3", *LAST[-2:]],
        on_corrupted=FIRST[:2],
        grid=[],
        threads=changes.get("threads", 0),
        train=changes["train"],
        rewind=2,
        scoring={"search": "halving", "batch_norm": "re-estimate", "calibration_images": 512},
    )
    pooling = expected["pooling"] | {"variants": []}
    only_base: dict[str, Any] = {"variants": {"base": {}}}
    return expected | only_base | {"pooling": pooling, "sup_tickets": section}


def sup_tickets_on_cifar(model: str, dataset: str) -> dict[str, Any]:
    """Sup-tickets, section 4.1: 250 epochs of batches of 128, three seeds."""
    images = on_cifar("vgg16", dataset)["datasets"][dataset]
    section = sup_settings.on_cifar(model, dataset)
    settings = train(250, 128, 5e-4, 0.1, [125, 187], 0.0, 4)
    return sup_tickets(model, dataset, images, section, train=settings)


def sup_tickets_on_imagenet() -> dict[str, Any]:
    """Sup-tickets, section 4.1: 100 epochs, one run."""
    images = on_imagenet("resnet18")["datasets"]["imagenet"]
    settings = train(100, 128, 1e-4, 0.1, [30, 60, 85], 5.0, 1) | {"devices": 2}
    section = sup_settings.on_imagenet()
    return sup_tickets(
        "resnet50", "imagenet", images, section, corrupted=1000, seeds=1, train=settings
    )


def sup_tickets_on_two_cores() -> dict[str, Any]:
    """ResNet-8 on 40,000 images of CIFAR-10: six epochs, two seeds."""
    images = on_two_cores()["datasets"]["cifar10-jpeg"] | {"val_fraction": 0.2}
    settings = train(6, 128, 5e-4, 0.1, [3, 4], 0.0, 4)
    section = sup_settings.on_two_cores()
    changes = {"corrupted": 100, "seeds": 2, "threads": 1, "train": settings}
    return sup_tickets("resnet8", "cifar10-jpeg", images, section, **changes)
