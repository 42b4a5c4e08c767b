"""Settings of pooling: how tickets are scored, and what each method does with them."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from lp_core.errors import InputError

# Lottery Pools, appendix, table 1.
_COEFFICIENTS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]


@dataclass(frozen=True)
class PoolSpec:
    """How interpolated tickets are scored, whatever the method.

    search: `halving` over class-balanced slices of the held-out set, or `exact` (Algorithm 2).
    batch_norm: `re-estimate` the statistics of an interpolated ticket, or `average` its parents'.
    calibration_images: training images that the statistics are re-estimated on, again for each
    interpolation that is scored. final_calibration_images: the same, once for the pooled ticket.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    search: Literal["halving", "exact"] = "halving"
    batch_norm: Literal["re-estimate", "average"] = "re-estimate"
    calibration_images: int = 512
    final_calibration_images: int = 4096

    def __post_init__(self) -> None:
        for name in ("calibration_images", "final_calibration_images"):
            if getattr(self, name) < 2:
                raise InputError(f"{name} is {getattr(self, name)}; batch norm needs at least 2")


@dataclass(frozen=True)
class MethodSpec:
    """One way to pool; an ablation is another one with other numbers.

    recipe: `search` (Lottery Pools), the baselines `swa` and `ema`, or `greedy-soup` and
    `uniform-soup` (Wortsman et al. 2022).
    coefficients: alphas that `search` tries, the weight of the best so far; [0.5] is Lottery Pools
    (Average).
    candidates: number of nearest siblings to walk, whatever the recipe; None for all.
    prune: `during` the `search` or `after` it.
    decay: weight of the running average in `ema`.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    recipe: Literal["search", "swa", "ema", "greedy-soup", "uniform-soup"] = "search"
    coefficients: list[float] = field(default_factory=lambda: list(_COEFFICIENTS))
    candidates: int | None = None
    prune: Literal["during", "after"] = "during"
    decay: float = 0.95

    def __post_init__(self) -> None:
        for name, reader, default in (
            ("coefficients", "search", _COEFFICIENTS),
            ("prune", "search", MethodSpec.prune),
            ("decay", "ema", MethodSpec.decay),
        ):
            found = getattr(self, name)
            if self.recipe != reader and found != default:
                raise InputError(
                    f"{name} is {found!r}, but recipe {self.recipe} does not read it; "
                    f"remove it, or give recipe: {reader}"
                )
        if not self.coefficients or any(not 0 <= c < 1 for c in self.coefficients):
            raise InputError(
                f"coefficients is {self.coefficients}; give some from 0 up to but not 1, "
                "which would leave the ticket as it is and always be accepted"
            )
        if len(set(self.coefficients)) < len(self.coefficients):
            raise InputError(f"coefficients is {self.coefficients}; give each once")
        if self.candidates is not None and self.candidates < 1:
            raise InputError(f"candidates is {self.candidates}; give at least 1, or null for all")
        if not 0 <= self.decay <= 1:
            raise InputError(f"decay is {self.decay}; it must lie between 0 and 1")


@dataclass(frozen=True)
class EnsembleSpec:
    """method: the one whose pooled tickets are held against an ensemble of their outputs."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    method: str
