"""What the stages `few_shot` and `few_shot_forgotten` do alike: train an untrained network on a
part of the images (SGD noise, section 5.2)."""

from argparse import Namespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lp_core.errors import InputError
from tasks.kit import paths, resume
from tasks.kit.provenance import provenance
from tasks.kit.rows import write_rows
from tasks.kit.rows_only import few_shot_name, forget_cached
from tasks.kit.starts import start_files
from tasks.kit.ticket_run import score_rows, train_ticket
from tasks.kit.training import StageTrainer
from tasks.kit.untrained import untrained


class FewShot:
    """One training on a part of the images, chosen by `selection`.

    As a ticket's but for that: it sees the noise of the ticket's number, and all the images in the
    place of the part would give the ticket itself.
    """

    def __init__(self, arguments: Namespace, selection: str) -> None:
        """arguments: the stage's command line.

        Raises InputError for a percentage that is none of a part.
        """
        if not 1 <= arguments.percent <= 100:
            raise InputError(f"--percent is {arguments.percent}; give 1 to 100")
        self.variant, self.seed = arguments.variant, arguments.seed
        self.number, self.network = arguments.ticket, arguments.network
        self.columns: dict[str, Any] = {
            "ticket": self.number,
            "network": self.network,
            "percent": arguments.percent,
            "selection": selection,
        }
        name = few_shot_name(self.variant, self.seed, **self.columns)
        self.trainer = StageTrainer(name, self.variant, self.seed, self.number)
        self.labels: NDArray[np.int64] = self.trainer.bench.dataset.labels("train").numpy()
        self.share = arguments.percent / 100

    def train(self, part: NDArray[np.int64]) -> None:
        """Train on these images of the training split, and write the scores' rows."""
        trainer, columns = self.trainer, self.columns
        trainer.train_on(part)
        start = untrained(self.variant, self.seed, self.number, self.network)
        trained = train_ticket(trainer, start, start_files(self.variant, self.seed, self.number))
        if trained is None:
            return
        whole = columns | {"images": len(part)}
        item = "-".join(map(str, columns.values()))
        ran = provenance("few_shot", item, trainer.compute, trained.finished.seconds)
        write_rows(
            paths.rows("few_shot", self.variant, self.seed, *columns.values()),
            trainer.bench.head("few_shot", self.variant, self.seed, **columns),
            {
                "few_shot": [whole | scores for scores in score_rows(trainer, trained)],
                "stages": [ran],
            },
        )
        forget_cached("few_shot")
        resume.finish(trained.finished.state)
