"""Stage `report`: every figure, and the page that shows them beside their numbers."""

from argparse import Namespace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lp_core.errors import DamagedError, MissingInputError
from lp_core.files import atomic_write
from lp_core.tables import TABLES
from tasks.kit import paths
from tasks.kit.cli import run
from tasks.kit.params import Params
from tasks.reporting import summary
from tasks.reporting.converged import unconverged_sentences, without_unconverged
from tasks.reporting.figures import style
from tasks.reporting.figures.catalogue import CHAPTERS, Entry
from tasks.reporting.figures.results import NoData, Results
from tasks.reporting.page import Picture, render
from tasks.reporting.published import read_published

FIGURES = paths.RESULTS / "figures"
PAGE = paths.RESULTS / "report.html"


def main(_: Namespace) -> None:
    """Draw every figure that the tables have rows for; the page says why one is left out."""
    frames = {name: _table(name) for name in TABLES}
    converged = without_unconverged(frames)
    results = Results(converged, Params(), read_published())
    with style.reproducible_files():
        chapters = {
            chapter.heading: [_draw(entry, results) for entry in chapter.entries]
            for chapter in CHAPTERS
        }
    page = render(results, summary.paired_tests(converged), chapters, unconverged_sentences(frames))
    with atomic_write(PAGE) as temporary:
        temporary.write_text(page, encoding="utf-8")
    count = sum(len(picture.files) for pictures in chapters.values() for picture in pictures)
    print(f"report: {count} figures in {FIGURES}/, {PAGE}", flush=True)


def _table(name: str) -> pd.DataFrame:
    path = paths.RESULTS / f"{name}.parquet"
    if not path.is_file():
        raise MissingInputError(f"{path}: not there; run the stage `tables` first")
    try:
        return pq.read_table(path, page_checksum_verification=True).to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise DamagedError(path, f"not a whole table ({' '.join(str(error).split())})") from error


def _draw(entry: Entry, results: Results) -> Picture:
    try:
        figures = entry.draw(results)
    except NoData as reason:
        return Picture(entry.heading, entry.caption, {}, str(reason))
    for name, figure in figures.items():
        style.save(figure, FIGURES / name)
    files = {name: FIGURES / f"{name}.svg" for name in figures}
    return Picture(entry.heading, entry.caption, files)


if __name__ == "__main__":
    run(main)
