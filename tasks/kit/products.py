"""Variants by the product of settings: what `products` in params.yaml stands for.

DVC needs its lists in full. So the variants that products make stand under `variants`, too, where
`presets.products` writes them.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations, product
from typing import Any

from tasks.kit.faults import no_names
from tasks.kit.params import overlay, shown

# A dotted param, and its values by label: {"train.momentum": {"mu0": 0.0, "mu09": 0.9}}.
Product = Mapping[str, Mapping[str, Any]]

EXPAND = "python -m presets --expand"

_LABEL = re.compile(r"[A-Za-z0-9_-]+")
_MOST = 1000  # variants of all products: no experiment trains so many, and they would take minutes


def settings(products: Sequence[Product]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each labelled value by itself: the product, and what a variant of that value changes."""
    for number, factors in enumerate(products):
        for dotted, labelled in factors.items():
            for value in labelled.values():
                yield f"products.{number}", _nested(dotted, value)


def made(products: Sequence[Product]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The variants that products make: names, which are labels joined by hyphens, and changes.

    The last param varies fastest. Two products may make a variant twice.
    """
    for factors in products:
        for labels in product(*factors.values()):
            over: dict[str, Any] = {}
            for (dotted, labelled), label in zip(factors.items(), labels, strict=True):
                over = overlay(over, _nested(dotted, labelled[label]))
            yield "-".join(labels), over


def own_faults(products: Sequence[Product]) -> list[str]:
    """What is wrong in products themselves, whatever stands under `variants`."""
    faults = [
        f"products.{number}: no settings; give a dotted param with labelled values, such as "
        "train.momentum: {mu0: 0.0, mu09: 0.9}"
        for number, factors in enumerate(products)
        if not factors or not all(factors.values())
    ]
    faults += [
        f"products.{number}: {inner} is a part of {outer}; give one of them"
        for number, factors in enumerate(products)
        for outer, inner in permutations(factors, 2)
        if inner.startswith(f"{outer}.")
    ]
    faults += [
        f"products.{number}.{dotted}.{shown(label)}: a label has letters, digits, - and _"
        for number, factors in enumerate(products)
        for dotted, labelled in factors.items()
        for label in labelled
        if not _LABEL.fullmatch(label)
    ]
    count = sum(math.prod(map(len, factors.values())) for factors in products)
    if count > _MOST:
        faults.append(f"products: they make {count} variants; give at most {_MOST}")
    return faults or [*no_names({"products": dict(made(products))})[:1], *_unlike(products)]


def unwritten(products: Sequence[Product], variants: Mapping[str, Any]) -> list[str]:
    """One line where variants that sound products make are missing, or have other values."""
    for name, over in made(products):
        if name in variants and (variants[name] or {}) != over:
            return [
                f"variants.{name}: {_told(variants[name] or {})}, but products make it "
                f"{_told(over)}; remove it here or mend products, then run `{EXPAND}`"
            ]
    missing = [name for name in dict(made(products)) if name not in variants]
    if not missing:
        return []
    more = f" and {len(missing) - 1} more" if missing[1:] else ""
    return [f"products: variants lacks {missing[0]}{more}; run `{EXPAND}`"]


def _unlike(products: Sequence[Product]) -> list[str]:
    known: dict[str, dict[str, Any]] = {}
    for name, over in made(products):
        first = known.setdefault(name, over)
        if first != over:
            return [
                f"products: {name} would be both {_told(first)} and {_told(over)}; "
                "give other labels"
            ]
    return []


def _nested(dotted: str, value: Any) -> dict[str, Any]:
    for key in reversed(dotted.split(".")):
        value = {key: value}
    return dict(value)


def _told(over: Mapping[str, Any]) -> str:
    return shown(json.dumps(over).replace('"', ""))
