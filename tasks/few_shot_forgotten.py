"""Stage `few_shot_forgotten`: a ticket trained on the images of each class that its forks forgot
least or most often (SGD noise, appendix F; table 23)."""

from argparse import Namespace

from lp_core.data.subsets import class_balanced_part
from tasks.kit.cli import run
from tasks.kit.difficulty import rewind_difficulty
from tasks.kit.few_shot import FewShot
from tasks.kit.torchrun import under_torchrun


def main(arguments: Namespace) -> None:
    """Train one network. How hard an image is: its mean over the forks at the rewind point."""
    variant, seed, selection = arguments.variant, arguments.seed, arguments.selection
    few_shot = FewShot(arguments, selection)
    hard = rewind_difficulty(variant, seed)
    labels, share = few_shot.labels, few_shot.share
    few_shot.train(class_balanced_part(labels, share, selection, seed, hard))


if __name__ == "__main__":
    run(
        under_torchrun(main),
        variant="variants",
        seed=int,
        ticket=int,
        network="sgd_noise.few_shot.networks",
        percent=int,
        selection="sgd_noise.few_shot.selections",
        code=("few_shot_forgotten", "networks/{variant}"),
    )
