"""What a worker finds out about the folder that it was started in."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from flows.processes import Commands
from flows.workspace import Facts, find_workspace, leave_token
from lp_core.errors import InputError


def test_another_host_has_a_site_cache_of_its_own_before_dvc_makes_one_for_everyone(
    tmp_path: Path,
) -> None:
    facts = Facts(str(tmp_path), "another-host", leave_token(tmp_path), None)
    folder = Path(find_workspace(facts, tmp_path, Commands()).environment["DVC_SITE_CACHE_DIR"])
    assert folder.parent == tmp_path / ".site-cache"
    for one in (folder, folder / "repo"):
        assert not one.stat().st_mode & stat.S_IWOTH


def test_a_worker_that_was_started_before_the_flows_changed_does_not_fit(tmp_path: Path) -> None:
    facts = Facts(str(tmp_path), "a-host", leave_token(tmp_path), None)
    older = replace(facts, flows="those of another version")
    with pytest.raises(InputError, match="runs other flows than the coordinator"):
        find_workspace(older, tmp_path, Commands())
