"""The Sup-tickets paper's settings: the section `sup_tickets` of each preset that has them."""

from typing import Any

SPARSITIES = (95, 90, 80)
# Sections 3.2.1 and 4.1, and the commands that the authors publish.
DYNAMIC: dict[str, Any] = {"interval": 1000, "decay": "constant"}
SETTINGS: dict[str, dict[str, Any]] = {
    "snip": {},
    "erk": {},
    "set": DYNAMIC,
    "rigl": DYNAMIC,
    "granet": DYNAMIC | {"until": 110},
}
METHODS = {
    "vgg16": ("set", "rigl", "granet"),  # table 1
    "resnet50": ("snip", "erk", "set", "rigl", "granet"),  # table 2
    "wrn28_10": ("set", "rigl", "granet"),  # 18 of the 66 cases that section 4.3 counts
}


def cia(tickets: int, cycle: int, **more: Any) -> dict[str, Any]:
    return {"tickets": tickets, "cycle": cycle} | more


# Figure 3, tables 5 and 7, appendix F; and the search of the other paper.
OF_RIGL: dict[str, dict[str, Any]] = {
    "caa": cia(3, 8, average="caa"),
    **{
        f"cima-{round(100 * beta)}": cia(3, 8, average="cima", beta=beta)
        for beta in (0.9, 0.8, 0.5, 0.2, 0.1)
    },
    **{f"cycle-{cycle}": cia(24 // cycle, cycle) for cycle in (2, 4, 12)},
    **{schedule: cia(3, 8, schedule=schedule) for schedule in ("fge", "swa")},
    "re-estimated": cia(3, 8, batch_norm="re-estimate"),
    "search": cia(3, 8, average="search"),
}
FIGURE_4 = {f"tickets-{count}": cia(count, 8) for count in (2, 4, 7)}


def section(
    training: dict[str, dict[str, Any]],
    ending: dict[str, Any],
    start: int,
    **changes: Any,
) -> dict[str, Any]:
    """Endings are the plain one and `ending`, unless `changes` have ablations."""
    ablations = changes.pop("ablations", {})
    return {
        "variants": ["base"],
        "methods": list(training),
        "endings": ["plain", "cia"],
        "corrupted": ["plain", "cia"],
        "ablated": changes.pop("ablated", []),
        "ablations": list(ablations),
        "ensembles": ["dense"],
        "efficient_ensembles": [],
        "siblings": {"methods": [], "ending": "cia", "pool": "interpolation"},
        "prunable": "conv+linear",
        "start": start,
        "training": training,
        "ending": {"plain": {"tickets": 0}, "cia": ending} | ablations,
    } | changes


def on_cifar(model: str, dataset: str) -> dict[str, Any]:
    """250 epochs, three cycles of 8 after epoch 226; ablations on CIFAR-100."""
    training: dict[str, dict[str, Any]] = {"dense": {"recipe": "dense"}}
    for method in METHODS[model]:
        for sparsity in SPARSITIES:
            density = round(1 - sparsity / 100, 2)
            settings = {"recipe": method, "density": density} | SETTINGS[method]
            training[f"{method}-{sparsity}"] = settings
    changes: dict[str, Any] = {}
    start = 226
    if dataset == "cifar100":
        changes["ablated"] = [f"rigl-{sparsity}" for sparsity in SPARSITIES]
        changes["ablations"] = FIGURE_4 if model == "wrn28_10" else OF_RIGL
        start = 250 - 7 * 8 if model == "wrn28_10" else start
    elif model == "wrn28_10":
        changes["efficient_ensembles"] = ["tree-net", "batch-ensemble"]  # table 6
    return section(training, cia(3, 8), start, **changes)


def on_imagenet() -> dict[str, Any]:
    """100 epochs, four cycles of 2 after epoch 92; one run."""
    training: dict[str, dict[str, Any]] = {"dense": {"recipe": "dense"}}
    for method, more in (("rigl", {}), ("granet", {"until": 30})):
        for sparsity in SPARSITIES[1:]:
            density = round(1 - sparsity / 100, 2)
            settings = {"recipe": method, "density": density, "interval": 4000} | more
            training[f"{method}-{sparsity}"] = settings
    return section(training, cia(4, 2, lr1=1e-4, lr2=5e-4), 92, ensembles=[])


def on_two_cores() -> dict[str, Any]:
    """Six epochs, two cycles of one after epoch 4; the ablations on RigL."""
    training: dict[str, dict[str, Any]] = {"dense": {"recipe": "dense"}}
    for method, more in (("erk", {}), ("set", {"interval": 50}), ("rigl", {"interval": 50})):
        training[method] = {"recipe": method, "density": 0.1} | more
    training["granet"] = {"recipe": "granet", "density": 0.1, "interval": 50, "until": 3}
    ablations = {
        "re-estimated": cia(2, 1, batch_norm="re-estimate"),
        "search": cia(2, 1, average="search"),
    }
    return section(training, cia(2, 1), 4, ablated=["rigl"], ablations=ablations)
