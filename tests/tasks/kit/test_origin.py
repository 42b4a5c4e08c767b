"""Where tables come from: any other parameter or code is another run, a comment is none."""

import json
import subprocess
from pathlib import Path

import pytest

from tasks.kit import origin
from tasks.kit.params import Params

TEXT = "seeds: [0]  # a comment\nown_code: own\n"


def git(root: Path, *arguments: str) -> str:
    name = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(
        ["git", *name, *arguments], cwd=root, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One commit of a file of code and a file that is none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(origin, "PROJECT", tmp_path)
    Path("lp_core").mkdir()
    Path("lp_core", "loop.py").write_text("epochs = 1\n")
    Path("params.yaml").write_text(TEXT)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_the_commit_is_the_one_checked_out_whatever_the_params_are(repository):
    head = git(repository, "rev-parse", "HEAD")
    assert origin.commit() == head
    Path("params.yaml").write_text("seeds: [1]\n")
    assert origin.commit() == head


def test_code_that_was_not_committed_shows_and_differs_with_the_edit(repository):
    head = git(repository, "rev-parse", "HEAD")
    found = {origin.commit()}
    for edit in ("epochs = 2\n", "epochs = 3\n"):
        Path("lp_core", "loop.py").write_text(edit)
        found.add(origin.commit())
    git(repository, "checkout", "-q", ".")
    for new in ("", "epochs = 4\n", b"\xff"):
        Path("lp_core", "new.py").write_bytes(new if isinstance(new, bytes) else new.encode())
        found.add(origin.commit())
    git(repository, "add", ".")
    found.add(origin.commit())
    assert len(found) == 7
    assert all(str(commit).startswith(head) for commit in found)


def test_without_a_repository_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(origin, "PROJECT", tmp_path)
    assert origin.commit() is None


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (TEXT, True),
        ("own_code:\n  own\nseeds:\n- 0\n", True),
        (TEXT.replace("[0]", "[1]"), False),
        (TEXT + "note: 1\n", False),
    ],
)
@pytest.mark.usefixtures("repository")
def test_a_run_is_named_by_its_values_not_by_how_they_are_written(text, same):
    before = origin.origin(Params())
    Path("params.yaml").write_text(text)
    after = origin.origin(Params())
    assert (after["run"] == before["run"]) == same
    assert (after["params_digest"] == before["params_digest"]) == same
    assert json.loads(json.dumps(after)) == after


def test_the_commit_and_the_versions_shape_the_name_too(repository, monkeypatch):
    names = [origin.origin(Params())["run"]]
    Path("lp_core", "loop.py").write_text("epochs = 2\n")
    git(repository, "commit", "-qam", "second")
    names.append(origin.origin(Params())["run"])
    monkeypatch.setattr(origin, "version", lambda name: f"{name} 0")
    names.append(origin.origin(Params())["run"])
    assert len(set(names)) == 3
