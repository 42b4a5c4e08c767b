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
from tasks.reporting import style
from tasks.reporting.imp_pool.part import part as imp_pool
from tasks.reporting.page import render
from tasks.reporting.sgd_noise.part import part as sgd_noise
from tasks.reporting.sup_tickets.part import part as sup_tickets

FIGURES = paths.RESULTS / "figures"
PAGE = paths.RESULTS / "report.html"


def main(_: Namespace) -> None:
    """Draw every figure that the tables have rows for; the page says why one is left out."""
    frames = {name: _table(name) for name in TABLES}
    params = Params()
    with style.reproducible_files():
        of_flows = [part(frames, params, FIGURES) for part in (imp_pool, sup_tickets, sgd_noise)]
    parts = [part for part in of_flows if part is not None]
    page = render(parts, frames["stages"], params.path.read_text())
    with atomic_write(PAGE) as temporary:
        temporary.write_text(page, encoding="utf-8")
    pictures = [p for part in parts for section in part.sections for p in section.pictures]
    count = sum(len(picture.files) for picture in pictures)
    print(f"report: {count} figures in {FIGURES}/, {PAGE}", flush=True)


def _table(name: str) -> pd.DataFrame:
    path = paths.RESULTS / f"{name}.parquet"
    if not path.is_file():
        raise MissingInputError(f"{path}: not there; run the stage `tables` first")
    try:
        return pq.read_table(path, page_checksum_verification=True).to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise DamagedError(path, f"not a whole table ({' '.join(str(error).split())})") from error


if __name__ == "__main__":
    run(main)
