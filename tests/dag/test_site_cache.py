"""What DVC knows of files by their inodes stays in the project, where nobody else may write."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.kit.code import PROJECT
from tests.dag.project import Project

# Notes every file that a process opens to write, and every folder and database that it makes.
WITNESS = """\
import os, sys

def witness(event, arguments):
    path = arguments[0] if arguments else None
    writes = event in ("os.mkdir", "sqlite3.connect") or (
        event == "open" and isinstance(arguments[2], int)
        and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    )
    if writes and isinstance(path, (str, bytes)):
        line = os.path.abspath(os.fsdecode(path)) + "\\n"
        os.write(notes, line.encode())

notes = os.open(os.environ["WITNESS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
sys.addaudithook(witness)
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What git would clone from this checkout, and no more."""
    names = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if not (PROJECT / ".git").exists():
        pytest.skip("this is no git checkout")
    listed = subprocess.run(names, cwd=PROJECT, check=True, capture_output=True, text=True)
    root = tmp_path / "clone"
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes((PROJECT / name).read_bytes())
    return root


def test_dvc_writes_nothing_outside_a_fresh_clone(clone: Path, tmp_path: Path) -> None:
    project = Project.at(clone)
    project.run("git", "init", "-q")
    (tmp_path / "witness").mkdir()
    (tmp_path / "witness" / "sitecustomize.py").write_text(WITNESS)
    notes = tmp_path / "notes"
    environment = {k: v for k, v in project.env.items() if k != "DVC_SITE_CACHE_DIR"}
    environment |= {"PYTHONPATH": f"{tmp_path / 'witness'}:{clone}", "WITNESS": str(notes)}

    def dvc(*words: str, cwd: Path = clone) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "dvc", *words],
            cwd=cwd,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    dvc("repro", "params")
    dvc("status", cwd=clone / "lp_core")
    written = {Path(line) for line in notes.read_text().splitlines()} - {Path("/dev/null"), notes}
    assert any(path.is_relative_to(clone / ".site-cache") for path in written)
    assert [path for path in written if not path.is_relative_to(clone)] == []

    # Not even where nobody was to start it.
    untracked = project.run("git", "status", "--porcelain", "--untracked-files=all")
    assert "cache.db" not in untracked
    assert (clone / "lp_core" / ".site-cache").exists()
    code = dvc("ls", ".", "lp_core", "--recursive") + dvc("check-ignore", "lp_core/.site-cache")
    assert "cache.db" not in code

    shared = [
        folder
        for folder in (clone / ".site-cache").rglob("*")
        if folder.is_dir() and folder.stat().st_mode & stat.S_IWOTH
    ]
    assert shared == []
