"""What a worker finds out about the folder that it was started in."""

import stat
from pathlib import Path

from flows.processes import Commands
from flows.workspace import Facts, find_workspace, leave_token


def test_another_host_has_a_site_cache_of_its_own_before_dvc_makes_one_for_everyone(
    tmp_path: Path,
) -> None:
    facts = Facts(str(tmp_path), "another-host", leave_token(tmp_path), None)
    folder = Path(find_workspace(facts, tmp_path, Commands()).environment["DVC_SITE_CACHE_DIR"])
    assert folder.parent == tmp_path / ".site-cache"
    for one in (folder, folder / "repo"):
        assert not one.stat().st_mode & stat.S_IWOTH
