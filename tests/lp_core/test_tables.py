import json
import math
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.tables import ORIGIN, TABLES, write_table

RUN: dict[str, Any] = {"run": "0123abcd", "commit": None, "params": {"seeds": [0]}}

_VALUES = {
    pa.string(): st.text(),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.bool_(): st.booleans(),
}


def _row(name: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({f.name: st.none() | _VALUES[f.type] for f in _fields(name)})


def _any_row(name: str) -> dict[str, Any]:
    values = {pa.string(): "x", pa.int64(): 1, pa.float64(): 0.5, pa.bool_(): True}
    return {field.name: values[field.type] for field in _fields(name)}


def _fields(name: str) -> list[pa.Field]:
    """Of the columns that a stage gives: all but `run`."""
    return [field for field in TABLES[name] if field.name != "run"]


@pytest.mark.parametrize("name", TABLES)
def test_rows_come_back_as_they_were_written(name, tmp_path_factory):
    folder = tmp_path_factory.mktemp(name)

    @settings(deadline=None, max_examples=10)
    @given(rows=st.lists(_row(name), max_size=4))
    def check(rows: list[dict[str, Any]]) -> None:
        # In any order of columns.
        written = write_table(name, (dict(reversed(row.items())) for row in rows), folder, RUN)
        read = pq.read_table(folder / f"{name}.parquet")
        expected = [row | {"run": RUN["run"]} for row in rows]
        assert read.to_pylist() == written.to_pylist() == expected
        assert read.schema.equals(TABLES[name])

    check()


def test_a_diverged_runs_numbers_stay_what_they_are(tmp_path):
    row = _any_row("curves") | {"loss": math.nan, "lr": math.inf, "ticket": None}
    write_table("curves", [row], tmp_path, RUN)
    back = pq.read_table(tmp_path / "curves.parquet").to_pylist()[0]
    assert math.isnan(back["loss"])
    assert back["lr"] == math.inf
    assert back["ticket"] is None


@pytest.mark.parametrize("name", TABLES)
def test_every_table_starts_with_the_run_it_is_of_and_ends_with_its_short_name(name):
    assert TABLES[name].names[:4] == ["dataset", "model", "variant", "seed"]
    assert TABLES[name].names[-1] == "run"


def test_a_table_keeps_all_that_was_told_of_its_origin(tmp_path):
    write_table("ood", [_any_row("ood")], tmp_path, RUN)
    metadata = pq.read_schema(tmp_path / "ood.parquet").metadata
    assert json.loads(metadata[ORIGIN]) == RUN


def test_a_row_that_lacks_a_column_is_an_error_that_names_it(tmp_path):
    row = _any_row("ood")
    del row["severity"]
    with pytest.raises(ValueError, match=r"table ood: .*\['severity'\]"):
        write_table("ood", [_any_row("ood"), row], tmp_path, RUN)
    assert not list(tmp_path.iterdir())


def test_a_row_with_a_column_too_many_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ValueError, match=r"table pools: .*\['colour'\]"):
        write_table("pools", [_any_row("pools") | {"colour": "red"}], tmp_path, RUN)


@pytest.mark.parametrize(
    ("column", "value"), [("severity", 1.5), ("severity", "one"), ("corruption", 3), ("nll", "x")]
)
def test_a_value_of_the_wrong_type_is_an_error_that_names_the_table(column, value, tmp_path):
    with pytest.raises(ValueError, match="table ood: "):
        write_table("ood", [_any_row("ood") | {column: value}], tmp_path, RUN)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_table(tmp_path):
    write_table("ood", [_any_row("ood")], tmp_path, RUN)
    before = (tmp_path / "ood.parquet").read_bytes()
    with pytest.raises(ValueError, match="ood"):
        write_table("ood", [{}], tmp_path, RUN)
    assert (tmp_path / "ood.parquet").read_bytes() == before


def test_an_empty_table_has_its_columns(tmp_path):
    write_table("pool_search", [], tmp_path, RUN)
    read = pq.read_table(tmp_path / "pool_search.parquet")
    assert (len(read), read.schema.names) == (0, TABLES["pool_search"].names)
