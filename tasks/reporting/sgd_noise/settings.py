"""What sets one variant apart from another: the settings that the paper varies, and all others."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

Factor = Literal["momentum", "batch_size", "rewind"]

# In words, and the sign of what the paper finds when the factor rises: momentum raises the error
# barrier, larger batches and a later rewind point lower it (sections 4.1 and 6.1).
FACTORS: dict[Factor, tuple[str, int]] = {
    "momentum": ("Momentum", 1),
    "batch_size": ("Batch size", -1),
    "rewind": ("Rewinding", -1),
}


@dataclass(frozen=True)
class Setting:
    """A variant's settings.

    rewind: epochs of pretraining; None where a search finds them. epochs: of a whole training.
    lr: the highest learning rate. rest: all else that a variant may change, as JSON.
    """

    momentum: float
    batch_size: int
    rewind: int | None
    epochs: int
    schedule: str
    lr: float
    model: str
    rest: str

    def without(self, factor: Factor) -> "Setting":
        """What two variants have in common that differ in one factor alone."""
        changed: dict[Factor, dict[str, Any]] = {
            "momentum": {"momentum": 0.0},
            "batch_size": {"batch_size": 0},
            "rewind": {"rewind": 0},
        }
        return replace(self, **changed[factor])

    def value(self, factor: Factor) -> float | None:
        """The factor's value; None for a rewind point that a search finds."""
        return {
            "momentum": self.momentum,
            "batch_size": self.batch_size,
            "rewind": self.rewind,
        }[factor]

    @property
    def rewound(self) -> str:
        """Where trainings fork, in words."""
        if self.rewind is None:
            return "rewound to the stable epoch"
        return f"rewound to epoch {self.rewind}" if self.rewind else "from initialisation"


def setting_of(params: Mapping[str, Any]) -> Setting:
    """The setting that a params file gives, as a variant sees it."""
    train, rewind = dict(params["train"]), dict(params["rewind"])
    schedule = dict(train.pop("schedule", {}))
    model = dict(params["model"])
    stable = rewind.pop("mode", "fixed") == "stable"
    momentum, batch_size, epochs = (train.pop(k) for k in ("momentum", "batch_size", "epochs"))
    kind, lr, name = schedule.pop("kind", ""), schedule.pop("lr", math.nan), model.pop("name")
    rest = {"train": train, "schedule": schedule, "model": model, "imp": params.get("imp")}
    return Setting(
        momentum=float(momentum),
        batch_size=int(batch_size),
        rewind=None if stable else int(rewind["epochs"]),
        epochs=int(epochs),
        schedule=str(kind),
        lr=float(lr),
        model=str(name),
        rest=json.dumps(rest, sort_keys=True, default=str),
    )
