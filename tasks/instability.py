"""Stage `instability`: whether the forks of one start lie in one basin (SGD noise, equation 3).

Every pair of forks, the straight line between them and its barrier; and of each fork its scores,
its speed of convergence (equation 4) and what it forgot.
"""

from argparse import Namespace

from tasks.kit.cli import run
from tasks.kit.instability import measure


def main(arguments: Namespace) -> None:
    """Write the rows of one start's forks."""
    measure("instability", arguments.variant, arguments.seed, arguments.start)


if __name__ == "__main__":
    run(
        main,
        variant="variants",
        seed=int,
        start="sgd_noise.starts",
        code=("instability", "networks/{variant}"),
    )
