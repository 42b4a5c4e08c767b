import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.checksums import sealed
from lp_core.errors import DamagedError
from tasks.kit.rows import read_all, read_rows, write_rows

HEAD = {"stage": "imp", "dataset": "digits", "model": "resnet8", "variant": "base", "seed": 0}
cells = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text()
)
tables = st.dictionaries(
    st.text(), st.lists(st.dictionaries(st.text(), cells, max_size=4), max_size=4), max_size=3
)


@settings(deadline=None, max_examples=50)
@given(written=tables, ticket=st.integers(0, 99))
def test_rows_and_their_head_come_back_exactly(tmp_path_factory, written, ticket):
    path = tmp_path_factory.mktemp("rows") / "deeper" / "0.json"
    write_rows(path, HEAD | {"ticket": ticket}, written)
    file = read_rows(path)
    assert (file.path, file.head, file.tables) == (path, HEAD | {"ticket": ticket}, written)
    assert json.loads(path.read_text())["tables"] == written


def test_numbers_that_a_diverged_run_leaves_come_back(tmp_path):
    write_rows(tmp_path / "0.json", HEAD, {"curves": [{"loss": math.nan, "nll": math.inf}]})
    row = read_rows(tmp_path / "0.json").tables["curves"][0]
    assert math.isnan(row["loss"])
    assert row["nll"] == math.inf


def test_a_row_is_a_line(tmp_path):
    write_rows(tmp_path / "0.json", HEAD, {"a": [{"x": 1}, {"x": 2}], "b": [{"y": 3}]})
    lines = (tmp_path / "0.json").read_text().splitlines()
    assert [line for line in lines if '"x"' in line or '"y"' in line] == [
        '{"x": 1},',
        '{"x": 2}',
        '{"y": 3}',
    ]


def test_a_bit_that_was_changed_on_disk_is_noticed(tmp_path):
    path = tmp_path / "3.json"
    write_rows(path, HEAD, {"a": [{"accuracy": 0.5}]})
    whole = path.read_bytes()
    for position in range(len(whole)):
        for bit in range(8):
            changed = bytearray(whole)
            changed[position] ^= 1 << bit
            path.write_bytes(changed)
            with pytest.raises(DamagedError, match=r"3\.json: not table rows .*make it anew$"):
                read_rows(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"ticket,accuracy\n0,0.5\n",
        b'{"head": {}, "tables": {"a": []}}',
        sealed('{"head": {}}').encode(),
        b"\xff\xfe\x00",
    ],
)
def test_a_file_that_holds_no_rows_is_an_error_that_names_it(tmp_path, content):
    path = tmp_path / "3.json"
    path.write_bytes(content)
    with pytest.raises(DamagedError, match=r"3\.json: not table rows .*make it anew$"):
        read_rows(path)


def test_a_folder_is_read_whole_in_the_order_of_its_paths(tmp_path):
    for name in ("imp/b/0/1", "imp/a/0/2", "pool/a/0/swa"):
        write_rows(tmp_path / f"{name}.json", HEAD | {"variant": name}, {})
    variants = [file.head["variant"] for file in read_all(tmp_path)]
    assert variants == ["imp/a/0/2", "imp/b/0/1", "pool/a/0/swa"]
    assert read_all(tmp_path / "none") == []
