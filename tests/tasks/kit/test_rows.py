import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.kit.rows import read_rows, write_rows

cells = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text()
)
rows = st.dictionaries(
    st.text(), st.lists(st.dictionaries(st.text(), cells, max_size=4), max_size=4), max_size=3
)


@settings(deadline=None)
@given(written=rows)
def test_rows_come_back_exactly(tmp_path_factory, written):
    path = tmp_path_factory.mktemp("rows") / "deeper" / "0.json"
    write_rows(path, written)
    assert read_rows(path) == written
    assert json.loads(path.read_text()) == written


def test_numbers_that_a_diverged_run_leaves_come_back(tmp_path):
    write_rows(tmp_path / "0.json", {"curves": [{"loss": math.nan, "nll": math.inf}]})
    row = read_rows(tmp_path / "0.json")["curves"][0]
    assert math.isnan(row["loss"])
    assert row["nll"] == math.inf


def test_a_row_is_a_line(tmp_path):
    write_rows(tmp_path / "0.json", {"a": [{"x": 1}, {"x": 2}], "b": [{"y": 3}]})
    assert [
        x for x in (tmp_path / "0.json").read_text().splitlines() if '"x"' in x or '"y"' in x
    ] == [
        '{"x": 1},',
        '{"x": 2}',
        '{"y": 3}',
    ]


@pytest.mark.parametrize("text", ["", "{", "ticket,accuracy\n0,0.5\n", '{"a": [{"x": 1}'])
def test_a_file_that_holds_no_rows_is_an_error_that_names_it(tmp_path, text):
    path = tmp_path / "3.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"3\.json: not table rows"):
        read_rows(path)


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"3\.json"):
        read_rows(tmp_path / "3.json")
