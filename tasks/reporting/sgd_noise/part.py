"""The report's part on the flow sgd-noise."""

from pathlib import Path

from tasks.kit.params import Params
from tasks.reporting.frames import Frames
from tasks.reporting.part import Part, Section, draw_chapters
from tasks.reporting.sgd_noise.figures.catalogue import CHAPTERS
from tasks.reporting.sgd_noise.headline import sentences
from tasks.reporting.sgd_noise.numbers import stability, tickets
from tasks.reporting.sgd_noise.numbers.papers import paper_tables
from tasks.reporting.sgd_noise.results import Results
from tasks.reporting.sgd_noise.rows import ran, unconverged_sentences, without_unconverged

_ABOUT = (
    "Trainings fork from one start under different SGD noise; how far the error rises between them "
    "is set beside momentum, batch size and pretraining, and beside what their tickets can do. "
    "This carries out the paper “The Influence of SGD noise on Lottery Ticket Performance”."
)


def part(frames: Frames, params: Params, folder: Path) -> Part | None:
    """Draw this flow's figures into `folder`; None where the flow is switched off.

    frames: every table of `lp_core.tables`, whole.
    """
    if not ran(frames):
        return None
    results = Results(without_unconverged(frames), params)
    numbers = {
        "Stability in numbers": [
            *stability.effect_tables(results),
            *stability.barrier_tables(results),
            *stability.forgetting_tables(results),
            *stability.rewind_tables(results),
        ],
        "Tickets in numbers": [
            *tickets.accuracy_tables(results),
            *tickets.crossed_tables(results),
            *tickets.probe_tables(results),
            *tickets.transfer_tables(results),
            *tickets.few_shot_tables(results),
            *tickets.predictor_tables(results),
        ],
        "The paper's numbers beside ours": paper_tables(results),
    }
    return Part(
        "sgd-noise",
        "SGD noise",
        _ABOUT,
        results.setting,
        sentences(results, unconverged_sentences(frames)),
        [
            *draw_chapters(CHAPTERS, results, folder),
            *(Section(heading, tables) for heading, tables in numbers.items() if tables),
        ],
    )
