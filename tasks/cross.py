"""Stage `cross`: a mask that one variant's search found, trained as another variant (SGD noise,
section 4.4 and table 4; section 4.3 and tables 3 and 16, where the search has fewer epochs).

Weights, batch norm and first epoch are those of the mask variant's rewind point; all else, to the
end of the schedule, is the training variant's. The noise is that of the ticket's number and the
seed, so a variant crossed with itself gives its own ticket again.
"""

from argparse import Namespace

from tasks.kit import paths, resume
from tasks.kit.cli import run
from tasks.kit.provenance import provenance
from tasks.kit.rows import write_rows
from tasks.kit.rows_only import cross_name, forget_cached
from tasks.kit.starts import start_files, start_point
from tasks.kit.ticket_run import score_rows, train_ticket
from tasks.kit.torchrun import under_torchrun
from tasks.kit.training import StageTrainer


def main(arguments: Namespace) -> None:
    """Train one ticket's mask, and score what comes of it."""
    masks, training = arguments.masks, arguments.training
    seed, number = arguments.seed, arguments.ticket
    trainer = StageTrainer(cross_name(masks, training, seed, number), training, seed, number)
    start = start_point(masks, seed, number)
    trained = train_ticket(trainer, start, start_files(masks, seed, number))
    if trained is None:
        return
    whose = {"training": training, "ticket": number}
    ran = provenance("cross", f"{training}-{number}", trainer.compute, trained.finished.seconds)
    write_rows(
        paths.rows("cross", masks, seed, training, number),
        trainer.bench.head("cross", masks, seed, **whose),
        {
            "crossed": [whose | scores for scores in score_rows(trainer, trained)],
            "stages": [ran],
        },
    )
    forget_cached("cross")
    resume.finish(trained.finished.state)


if __name__ == "__main__":
    run(
        under_torchrun(main, variant="training"),
        masks="variants",
        training="variants",
        seed=int,
        ticket=int,
        code=("cross", "networks/{training}"),
    )
