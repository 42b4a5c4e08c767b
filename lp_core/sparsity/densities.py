"""How a network's density is shared out among its layers, and to how many weights that comes."""

import math
from collections.abc import Mapping, Sequence

from lp_core.errors import InputError

Shapes = Mapping[str, Sequence[int]]


def uniform_densities(shapes: Shapes, density: float) -> dict[str, float]:
    """The same density for each layer. shapes: of its weights, by name.

    Raises InputError for a density outside 0–1.
    """
    _require_density(density)
    return dict.fromkeys(shapes, density)


def erk_densities(shapes: Shapes, density: float) -> dict[str, float]:
    """Erdős-Rényi-Kernel densities of the layers: RigL (Evci et al. 2020), section 3, part 1.

    shapes: of the weights, by name; outputs × inputs, × height × width for a convolution. density:
    of them all together, above 0, at most 1.

    A layer's density is proportional to the sum of its dimensions over their product. Where that
    comes to more than 1, the layer is dense and the others share what it leaves. Raises InputError
    for a density outside 0–1.
    """
    _require_density(density)
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    shares = {name: sum(shape) / sizes[name] for name, shape in shapes.items()}
    left = density * sum(sizes.values())  # weights that the layers which are not dense keep
    sparse = dict(shares) if density < 1 else {}
    while sparse:
        scale = left / sum(share * sizes[name] for name, share in sparse.items())
        largest = max(sparse.values())
        if scale * largest <= 1:
            break
        for name in [name for name, share in sparse.items() if share == largest]:
            del sparse[name]
            left -= sizes[name]
    return {name: scale * shares[name] if name in sparse else 1.0 for name in shapes}


def kept_counts(shapes: Shapes, densities: Mapping[str, float], keep: int) -> dict[str, int]:
    """How many weights each layer keeps, so that all together keep `keep`, their rounded sum.

    Rounded down, and the rest goes to the layers that lost most by it (largest remainders; of
    equals to the first). Raises InputError where a layer would keep none: nothing could pass it.
    """
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    exact = {name: densities[name] * size for name, size in sizes.items()}
    counts = {name: min(math.floor(count), sizes[name]) for name, count in exact.items()}
    left = keep - sum(counts.values())
    by_remainder = sorted(
        (name for name in counts if counts[name] < sizes[name]),
        key=lambda name: counts[name] - exact[name],
    )
    for name in by_remainder[:left]:
        counts[name] += 1
    for name, count in counts.items():
        if not count:
            raise InputError(
                f"density is too small: at {densities[name]:.2g} no weight is left of the "
                f"{sizes[name]} of {name}; give more"
            )
    return counts


def _require_density(density: float) -> None:
    if not 0 < density <= 1:
        raise InputError(f"density is {density}; it must lie in 0 … 1, above 0")
