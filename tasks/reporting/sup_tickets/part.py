"""The report's part on the flow sup-tickets."""

from pathlib import Path

from tasks.kit.params import Params
from tasks.reporting.frames import Frames
from tasks.reporting.part import Part, Section, draw_chapters
from tasks.reporting.sup_tickets.figures.catalogue import CHAPTERS
from tasks.reporting.sup_tickets.headline import sentences
from tasks.reporting.sup_tickets.numbers import ending_tables, method_tables, paper_tables
from tasks.reporting.sup_tickets.results import Results
from tasks.reporting.sup_tickets.rows import own, unconverged_sentences, without_unconverged

_ABOUT = (
    "Networks are trained sparsely from scratch; in the last epochs several cheap tickets are made "
    "and superposed into one. This carries out the paper “Superposing Many Tickets into One: A "
    "Performance Booster for Sparse Neural Network Training”."
)


def part(frames: Frames, params: Params, folder: Path) -> Part | None:
    """Draw this flow's figures into `folder`; None where the flow is switched off.

    frames: every table of `lp_core.tables`, whole.
    """
    mine = own(frames)
    if mine["sup_tickets"].empty:
        return None
    results = Results(without_unconverged(mine), params)
    models = dict.fromkeys(results.model(variant) for variant in results.variants)
    paper = paper_tables(results)
    return Part(
        "sup-tickets",
        "Sup-tickets",
        _ABOUT,
        f"{', '.join(models)} on {results.dataset}",
        sentences(results, unconverged_sentences(mine)),
        [
            Section("Accuracy in numbers", method_tables(results)),
            *draw_chapters(CHAPTERS, results, folder),
            Section("Every ending in numbers", ending_tables(results)),
            *([Section("The paper's numbers beside ours", paper)] if paper else []),
        ],
    )
