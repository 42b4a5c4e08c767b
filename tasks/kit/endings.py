"""The tickets that an ending left."""

from pathlib import Path

from lp_core.tickets import Ticket
from tasks.kit import paths
from tasks.kit.bench import Bench


def load_ended(
    bench: Bench, variant: str, seed: int, method: str, ending: str, file: str = paths.END
) -> Ticket:
    """What a training came to, or one of its cheap tickets, where the network is.

    Raises DamagedError where another ticket lies in its place.
    """
    path = paths.ending(variant, method, ending, seed) / file
    whose: dict[str, str | int] = {"variant": variant, "seed": seed, "method": method}
    return bench.load(path, **whose, ending=ending, part=Path(file).stem)
