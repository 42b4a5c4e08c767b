import subprocess
from pathlib import Path

import pytest

from flows.origin import NoCommitError, committed, differences, page, summary


def git(root: Path, *words: str) -> None:
    settings = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(["git", *settings, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "params.yaml").write_text("imp: {fraction: 0.2}\n")
    git(tmp_path, "add", "params.yaml")
    git(tmp_path, "commit", "-q", "-m", "x")
    return tmp_path


def told(before: object, now: object, *overrides: str) -> list[str]:
    return [str(each) for each in differences({"x": before}, {"x": now}, overrides)]


def test_differences_are_named_by_dotted_key() -> None:
    assert told({"y": 0.2, "z": 1}, {"y": 0.1, "z": 1}) == ["x.y: 0.2 → 0.1"]
    assert told({"y": 1}, {"z": None}) == ["x.z: null (new)", "x.y: 1 → (removed)"]
    assert told([0, 1], [0]) == ["x: [0, 1] → [0]"]
    assert told({"y": {}}, {"y": {"z": 1}}) == ["x.y.z: 1 (new)", "x.y: {} → (removed)"]
    assert told(True, 1) == ["x: true → 1"]
    assert told("a", "a") == []
    rounds = [{"ticket": n, "parent": n - 1} for n in range(4)]
    assert told(rounds[:3], rounds) == ['x: 3 entries → 4 entries + {"ticket": 3, "parent": 2}']
    assert all(len(line) < 150 for line in told("a" * 1000, "b" * 1000))


def test_a_runs_own_overrides_are_told_from_older_ones() -> None:
    before = {"imp": {"fraction": 0.2}, "train": {"epochs": 6, "devices": 1}, "seeds": [0, 1]}
    now = {"imp": {"fraction": 0.1}, "train": {"epochs": 2}, "seeds": [0, 1], "new": {"a": 1}}
    found = differences(before, now, ["imp.fraction=0.1", "+new.a=1", "~train.devices"])
    assert {each.key: each.own for each in found} == {
        "imp.fraction": True,
        "train.epochs": False,
        "new.a": True,
        "train.devices": True,
    }
    assert summary("1a2b3c4", found) == (
        "params.yaml differs from commit 1a2b3c4; set for this run: imp.fraction: 0.2 → 0.1, "
        "new.a: 1 (new), train.devices: 1 → (removed); there before it: train.epochs: 6 → 2"
    )
    assert "| `train.epochs` | `6` | `2` | before this run |" in page("1a2b3c4", found)
    # One that names a part of a key names another key.
    assert not differences(before, now, ["imp.frac=0.1"])[0].own
    # What a whole section is set to is its keys'.
    assert differences(before, now, ["imp={fraction: 0.1}"])[0].own


def test_many_differences_are_a_line_all_the_same() -> None:
    found = differences({}, {str(n): n for n in range(100)})
    line = summary("1a2b3c4", found)
    assert line.endswith("7: 7 (new) and 92 more")
    assert page("1a2b3c4", found).count("before this run") == 100
    assert summary("1a2b3c4", []) == "params.yaml is as in commit 1a2b3c4"


def test_params_are_compared_with_the_commit_that_is_checked_out(repository: Path) -> None:
    assert committed(repository).params == {"imp": {"fraction": 0.2}}
    (repository / "params.yaml").write_text("imp: {fraction: 0.1}\n")
    git(repository, "add", "params.yaml")  # staged is not committed
    assert committed(repository).params == {"imp": {"fraction": 0.2}}

    below = repository / "below"
    below.mkdir()
    with pytest.raises(NoCommitError, match="is not in commit"):
        committed(below)
    (below / "params.yaml").write_text("a: 1\n")
    git(repository, "add", "below")
    git(repository, "commit", "-q", "-m", "y")
    assert committed(below).params == {"a": 1}


def test_a_link_to_a_preset_is_followed(repository: Path) -> None:
    (repository / "presets").mkdir()
    (repository / "presets" / "small.yaml").write_text("a: 1\n")
    (repository / "params.yaml").unlink()
    (repository / "params.yaml").symlink_to("presets/small.yaml")
    git(repository, "add", "presets", "params.yaml")
    git(repository, "commit", "-q", "-m", "x")
    (repository / "presets" / "small.yaml").write_text("a: 2\n")
    assert committed(repository).params == {"a": 1}


def test_where_there_is_no_commit_it_says_so(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(repository, "rm", "-q", "--cached", "params.yaml")
    git(repository, "commit", "-q", "-m", "x", "--allow-empty")
    with pytest.raises(NoCommitError, match=r"params\.yaml is not in commit"):
        committed(repository)

    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    alone = tmp_path / "alone"
    alone.mkdir()
    with pytest.raises(NoCommitError, match="git finds none"):
        committed(alone)
    git(alone, "init", "-q")
    with pytest.raises(NoCommitError, match="git finds none"):
        committed(alone)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NoCommitError, match="git finds none"):
        committed(repository)


def test_a_committed_file_that_is_no_yaml_is_not_compared_with(repository: Path) -> None:
    (repository / "params.yaml").write_text("a: [1\n")
    git(repository, "commit", "-q", "-a", "-m", "x")
    with pytest.raises(NoCommitError, match="is no YAML in commit"):
        committed(repository)
