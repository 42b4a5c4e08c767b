"""Fingerprints: what a stage runs, and nothing else, decides them."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.errors import InputError
from tasks.kit.code import PROJECT, difference, fingerprint
from tasks.kit.meaning import meaning

SOURCE = """
import math


def area(radius: float, *, scale: float = 1.0) -> float:
    value = math.pi * radius**2
    if radius < 0:
        raise ValueError(f"radius is {radius!r}; {'give' + ' more'}")
    return value * scale
"""


@pytest.mark.parametrize(
    "same",
    [
        SOURCE.replace("import math\n", "# why\nimport math  # and how\n"),
        f'"""About areas."""\n{SOURCE}',
        SOURCE.replace("    value", '    """Of a circle."""\n\n    value', 1),
        SOURCE.replace("math.pi * radius**2", "(\n        math.pi\n        * radius ** 2\n    )"),
        SOURCE.replace(
            "area(radius: float, *, scale: float = 1.0)",
            "area(\n    radius: float,\n    *,\n    scale: float = 1.0,\n)",
        ),
        SOURCE.replace("    ", "  "),
        SOURCE.replace("\n", "\n\n"),
        SOURCE.replace("1.0", "1.00"),
    ],
)
def test_comments_docstrings_and_layout_have_no_meaning(same: str) -> None:
    ast.parse(same)
    assert meaning(same) == meaning(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("radius**2", "radius**3"),
        ("1.0", "1"),
        ("1.0", "2.0"),
        ("radius < 0", "radius <= 0"),
        ("!r", "!s"),
        ("give", "Give"),
        ("radius is", "radius was"),
        ("value * scale", "scale * value"),
        ("float = 1.0", "int = 1.0"),
        ("    return", "        return"),
        ("import math", "import cmath as math"),
    ],
)
def test_any_change_of_the_program_has(old: str, new: str) -> None:
    assert old in SOURCE
    assert meaning(SOURCE.replace(old, new)) != meaning(SOURCE)


def test_a_string_that_is_no_docstring_counts() -> None:
    assert meaning("x = 'a'") != meaning("x = 'b'")
    assert meaning("x = 'a'") == meaning('x = "a"')
    assert meaning("x = 1\n'a'") != meaning("x = 1\n'b'")


@settings(max_examples=50)
@given(a=st.text(), b=st.text())
def test_constants_mean_the_same_exactly_if_they_are_equal(a: str, b: str) -> None:
    assert (meaning(f"x = {a!r}") == meaning(f"x = {b!r}")) == (a == b)


def test_every_python_gives_the_same_fingerprints() -> None:
    """On those that are installed here (3.12, 3.13 or newer): of all files of the project."""
    script = (
        "import hashlib, sys, types; from pathlib import Path\n"
        "source = Path('tasks/kit/code.py').read_text().replace('from lp_core', '#')\n"
        "space = types.ModuleType('code_room'); sys.modules['code_room'] = space\n"
        "space.__file__ = str(Path('tasks/kit/code.py').resolve())\n"
        "exec(source, space.__dict__)\n"
        "tops = ('lp_core', 'tasks', 'flows', 'tests')\n"
        "files = sorted(p for top in tops for p in Path(top).rglob('*.py'))\n"
        "both = ''.join(space.meaning(p.read_text()) for p in files)\n"
        "print(hashlib.sha256(both.encode()).hexdigest())\n"
    )
    digests = {}
    for python in (sys.executable, *_other_pythons()):
        done = subprocess.run(
            [python, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        digests[python] = done.stdout
    if len(digests) == 1:
        pytest.skip("no other Python (3.11 or newer) is on the PATH")
    assert len(set(digests.values())) == 1, digests


def _other_pythons() -> list[str]:
    """One Python of each other minor version from 3.11 on, on the PATH or installed beside ours."""
    pythons = {}
    for minor in range(11, 20):
        name = f"python3.{minor}"
        beside = Path(sys.base_prefix).parent.glob(f"*/bin/{name}")
        for path in filter(None, [shutil.which(name), *map(str, beside)]):
            runs = subprocess.run([path, "-c", ""], capture_output=True, check=False)
            if runs.returncode == 0 and minor != sys.version_info.minor:
                pythons[minor] = path
    return list(pythons.values())


# The closure --------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "lp_core/__init__.py": "",
        "lp_core/__init__.pyi": "from .loop import step as step\n",
        "lp_core/loop.py": "import math\nfrom lp_core import rate\n",
        "lp_core/rate.py": "x = 1\n",
        "lp_core/late.py": "y = 1\n",
        "lp_core/hint.py": "z = 1\n",
        "lp_core/other.py": "w = 1\n",
        "tasks/__init__.py": "",
        "tasks/imp.py": (
            "from typing import TYPE_CHECKING\nfrom lp_core.loop import step\n"
            "if TYPE_CHECKING:\n    import lp_core.hint\n"
            "def main():\n    from lp_core.late import y\n"
        ),
        "tasks/report.py": "READS = (\n    'tasks/page.html',\n    'presets',\n)\n",
        "tasks/page.html": "<p>\n",
        "presets/a.csv": "1\n",
        "presets/deeper/b.csv": "2\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_closure_is_what_is_imported_also_late_but_not_for_type_checkers(root: Path) -> None:
    assert set(fingerprint(["tasks.imp"], root)) == {
        *("tasks/__init__.py", "tasks/imp.py", "lp_core/__init__.py"),
        *("lp_core/loop.py", "lp_core/rate.py", "lp_core/late.py"),
    }


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("from .rate import x\n", "lp_core/rate.py"),
        ("from . import rate\n", "lp_core/rate.py"),
        ("from .deep.inner import x\n", "lp_core/deep/inner.py"),
        ("from lp_core import step\n", "lp_core/loop.py"),
        ("if not TYPE_CHECKING:\n    import lp_core.hint\n", "lp_core/hint.py"),
    ],
)
def test_relative_imports_and_those_through_a_lazy_face_belong_to_the_closure(
    root: Path, text: str, file: str
) -> None:
    for name, content in {
        "deep/__init__.py": "",
        "deep/inner.py": "from ..late import y\n",
    }.items():
        (root / "lp_core" / name).parent.mkdir(exist_ok=True)
        (root / "lp_core" / name).write_text(content)
    (root / "lp_core" / "other.py").write_text(text)
    files = fingerprint(["lp_core.other"], root)
    assert file in files
    assert ("lp_core/late.py" in files) == ("deep" in text)


def test_where_a_package_and_a_module_have_one_name_the_package_counts_as_in_python(
    root: Path,
) -> None:
    before = fingerprint(["tasks.imp"], root)
    (root / "lp_core" / "rate").mkdir()
    (root / "lp_core" / "rate" / "__init__.py").write_text("x = 2\n")
    assert "lp_core/rate/__init__.py" in fingerprint(["tasks.imp"], root)
    assert fingerprint(["tasks.imp"], root) != before


def test_a_comment_between_f_strings_that_stand_side_by_side_has_no_meaning() -> None:
    code = 'x = (\n    f"a {b} "\n    f"c {d!r:>{w}}"\n    "é"\n)\n'
    same = 'x = (f"a {b} "  # why\n\n  f"c {d!r:>{w}}"\n "é")\n'
    assert meaning(same) == meaning(code)
    assert meaning(code.replace("c {", "C {")) != meaning(code)
    assert meaning(code.replace("{b} ", "{b}")) != meaning(code)


def test_files_that_a_module_reads_belong_to_it_as_they_lie_there(root: Path) -> None:
    before = fingerprint(["tasks.report"], root)
    assert {"tasks/page.html", "presets/a.csv", "presets/deeper/b.csv"} <= set(before)
    (root / "presets" / "deeper" / "b.csv").write_text("2 \n")
    after = fingerprint(["tasks.report"], root)
    assert difference(before, after) == "presets/deeper/b.csv"


def test_only_a_change_within_the_closure_changes_the_fingerprint(root: Path) -> None:
    before = fingerprint(["tasks.imp"], root)
    (root / "lp_core" / "other.py").write_text("w = 2\n")
    (root / "lp_core" / "__init__.pyi").write_text("from .other import w as w\n")
    (root / "lp_core" / "rate.py").write_text("x = 1  # still\n")
    assert fingerprint(["tasks.imp"], root) == before
    (root / "lp_core" / "rate.py").write_text("x = 2\n")
    assert difference(before, fingerprint(["tasks.imp"], root)) == "lp_core/rate.py"


def test_a_module_that_comes_or_goes_is_a_difference() -> None:
    assert difference({"a": "1"}, {"a": "1", "b": "2"}) == "b"
    assert difference({"a": "1", "b": "2"}, {"a": "1"}) == "b"
    assert difference({"a": "1"}, {"a": "1"}) is None


@pytest.mark.parametrize("memo", ["", "{", "[]", '{"of": 3}', '{"of": "x", "files": {"a": 1}}'])
def test_a_broken_memo_is_passed_over(root: Path, memo: str) -> None:
    expected = fingerprint(["tasks.imp"], root)
    (root / ".cache" / "code.json").write_text(memo)
    assert fingerprint(["tasks.imp"], root) == expected
    known = json.loads((root / ".cache" / "code.json").read_text())
    assert len(known["files"]) > 3


def test_what_is_no_python_is_an_error_that_names_the_file_and_the_line(root: Path) -> None:
    (root / "lp_core" / "rate.py").write_text("x = 1\ndef\n")
    with pytest.raises(InputError, match=r"rate\.py: line 2 is not Python"):
        fingerprint(["tasks.imp"], root)


def test_the_projects_stages_run_their_own_modules() -> None:
    files = fingerprint(["tasks.imp"])
    assert {"tasks/imp.py", "tasks/kit/training.py", "lp_core/training/trainer.py"} <= set(files)
    assert not [name for name in files if name.startswith(("tests/", "flows/"))]


@pytest.mark.parametrize("stage", ["pretrain", "imp", "pool", "ood", "ending", "tables"])
def test_no_training_or_measurement_depends_on_what_users_take_in_and_out(stage: str) -> None:
    files = fingerprint([f"tasks.{stage}"])
    rooms = ("lp_core/interchange.py", "lp_core/exporting.py", "lp_core/pooling/own.py",
             "lp_core/pooling/given.py", "lp_core/checkpoints/", "tasks/export/")  # fmt: skip
    assert not [name for name in files if name.startswith(rooms)]
