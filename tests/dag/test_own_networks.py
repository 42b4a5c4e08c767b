"""A user's own networks: trained, pooled and measured by the real DAG, which knows their code."""

import re
import subprocess
from pathlib import Path

import pytest

from flows.agreement import agree, agreement
from flows.processes import Commands
from lp_core.errors import InputError
from tests.dag.own_networks import add_networks
from tests.dag.project import Project


def _of(variant: str, pooled: bool) -> list[str]:
    """The stages of a variant of imp-pool."""
    stages = [f"pretrain@{variant}-0", f"landscape@{variant}-0"]
    stages += [f"{stage}@{variant}-0-round{k}" for stage in ("imp", "ood") for k in (0, 1)]
    if pooled:
        stages += [f"pool@{variant}-0-interpolation", f"ood_pool@{variant}-0-interpolation"]
        stages += [f"ensemble@{variant}-0"]
    return stages


ATTENTIVE, PLAIN = _of("attentive", pooled=True), _of("plain", pooled=False)


def test_an_own_network_is_trained_pooled_and_measured_and_alone_runs_again_after_an_edit(
    project: Project,
) -> None:
    before = project.table("tickets")
    add_networks(project)
    ran = project.repro("tables")
    assert sorted(ran) == sorted(["params", "code", *ATTENTIVE, *PLAIN, "tables"])

    tickets, pools = project.table("tickets"), project.table("pools")
    own = tickets[tickets["model"].str.startswith("own.")]
    assert set(own["variant"]) == {"attentive", "plain"}
    assert set(own["ticket"]) == {0, 1}
    assert (own["flops"] > 0).all()
    assert own.groupby("variant")["density"].min().between(0.79, 0.81).all()
    assert (own[own["split"] == "test"]["accuracy"] > 0.12).all()
    assert set(pools["variant"]) == {"base", "attentive"}
    others = tickets[~tickets["model"].str.startswith("own.")].reset_index(drop=True)
    assert others.drop(columns="run").equals(before.drop(columns="run"))

    # It is taken home: checked on real images against the network that its file describes.
    pooled = "pools/attentive/0/interpolation/1.safetensors"
    project.run("python", "-m", "tasks.export", pooled, "--to", "onnx", "--output", "home")
    assert list((project.root / "home").glob("**/*.onnx"))

    # What both networks' files say beside their code is nobody's business.
    for name in ("nets", "plain", "layers"):
        file = project.root / "own" / f"{name}.py"
        file.write_text(re.sub('(?m)^"""', '"""Reworded: ', file.read_text()) + "\n\n# why\n")
    (project.root / "own" / "notes.py").write_text("import tasks.no_such_thing\n")
    assert project.repro("tables") == ["code"]

    # What one imports belongs to it, and to no other.
    project.edit("own/layers.py", "torch.ones(features)", "torch.full((features,), 0.9)")
    project.dvc("repro", "code")
    assert sorted({*project.stale()} - {"report"}) == sorted(ATTENTIVE)
    project.edit("own/plain.py", "width=8", "width=9")
    project.dvc("repro", "code")
    assert sorted({*project.stale()} - {"report"}) == sorted([*ATTENTIVE, *PLAIN])


def test_another_stage_of_it_is_refused_while_the_file_is_not_what_dvc_knows(
    project: Project,
) -> None:
    add_networks(project)
    project.repro("pretrain@plain-0")
    project.edit("own/plain.py", "width=8", "width=9")
    output = project.dvc("repro", "--single-item", "--force", "pretrain@plain-0", check=False)
    told = "own/plain.py is not what code/networks/plain.json was made from"
    assert told in output
    # What is imported behind the closure's back is told, too.
    project.edit(
        "own/plain.py", "from torch import nn\n", "from torch import nn\n__import__('own.nets')\n"
    )
    output = project.dvc("repro", "pretrain@plain-0", check=False)
    assert "own/nets.py was loaded, but no fingerprint of this stage holds it" in output


def _git(root: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


def test_a_clone_without_the_file_or_with_another_is_refused_in_one_line(tmp_path: Path) -> None:
    """Git has the params that name it, and nobody has told git of the file."""
    (tmp_path / "here").mkdir()
    here, clone = Project(tmp_path / "here"), tmp_path / "clone"
    add_networks(here)
    here.run("dvc", "remote", "add", "--default", "between", str(tmp_path / "remote"))
    _git(here.root, "add", "--all", "--", ".", ":!own/nets.py")
    _git(here.root, "commit", "--quiet", "--message", "The experiment")
    here.repro("code")
    here.dvc("push", "-q")
    _git(tmp_path, "clone", "--quiet", str(here.root), "clone")
    wanted = agreement(here.root, ("params", "code"))
    with pytest.raises(InputError) as error:
        agree(wanted, clone, Commands())
    assert (
        "own.nets: there is no file own/nets.py; mend the name of the network, or add the"
        in str(error.value)
    )
    assert "\n" not in str(error.value)

    nets = (here.root / "own" / "nets.py").read_text()
    (clone / "own" / "nets.py").write_text(nets.replace("width=16", "width=24"))
    with pytest.raises(
        InputError, match=r"other code than the flow .* for networks/attentive; `git"
    ):
        agree(wanted, clone, Commands())
    (clone / "own" / "nets.py").write_text(f"{nets}# as it is here\n")
    agree(wanted, clone, Commands())
