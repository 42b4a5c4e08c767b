"""The report's part on the flow imp-pool."""

from pathlib import Path

from tasks.kit.params import Params
from tasks.reporting.frames import Frames
from tasks.reporting.imp_pool.converged import unconverged_sentences, without_unconverged
from tasks.reporting.imp_pool.figures.catalogue import CHAPTERS
from tasks.reporting.imp_pool.headline import sentences
from tasks.reporting.imp_pool.numbers import (
    accuracy_tables,
    claims_tables,
    paired_table,
    paper_tables,
)
from tasks.reporting.imp_pool.published import read_published
from tasks.reporting.imp_pool.results import Results
from tasks.reporting.imp_pool.rows import own
from tasks.reporting.imp_pool.summary import paired_tests
from tasks.reporting.part import Part, Section, draw_chapters

_ABOUT = (
    "A dense network is pruned round by round, and each ticket is pooled with its siblings. This "
    "carries out the paper “Lottery Pools: Winning More by Interpolating Tickets without "
    "Increasing Training or Inference Cost”."
)


def part(frames: Frames, params: Params, folder: Path) -> Part | None:
    """Draw this flow's figures into `folder`; None where the flow is switched off.

    frames: every table of `lp_core.tables`, whole.
    """
    mine = own(frames)
    if mine["tickets"].empty:
        return None
    results = Results(without_unconverged(mine), params, read_published())
    tests = paired_tests(results.frames)
    paper = [*paper_tables(results), *claims_tables(results)]
    none_paired = "" if len(tests) else "there is no pair of a pooled and an unpooled ticket"
    return Part(
        "imp-pool",
        "Lottery Pools",
        _ABOUT,
        f"{results.models(results.variants)} on {results.dataset}",
        sentences(results, tests, unconverged_sentences(mine)),
        [
            Section("Accuracy in numbers", accuracy_tables(results)),
            *draw_chapters(CHAPTERS, results, folder),
            Section("Paired test", [paired_table(tests)] if len(tests) else [], (), none_paired),
            *([Section("The paper's numbers beside ours", paper)] if paper else []),
        ],
    )
