"""Stage `few_shot`: a ticket trained on a class-balanced part of the images, drawn at random (SGD
noise, section 5.2; tables 7, 21 and 22)."""

from argparse import Namespace

from lp_core.data.subsets import class_balanced_part
from tasks.kit.cli import run
from tasks.kit.few_shot import FewShot
from tasks.kit.torchrun import under_torchrun


def main(arguments: Namespace) -> None:
    """Train one network. The part of a seed is the same for all variants, tickets and networks."""
    few_shot = FewShot(arguments, "random")
    labels, share = few_shot.labels, few_shot.share
    few_shot.train(class_balanced_part(labels, share, "random", arguments.seed))


if __name__ == "__main__":
    run(
        under_torchrun(main),
        variant="variants",
        seed=int,
        ticket=int,
        network="sgd_noise.few_shot.networks",
        percent=int,
        code=("few_shot", "networks/{variant}"),
    )
