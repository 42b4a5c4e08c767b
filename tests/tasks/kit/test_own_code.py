"""An own network: its code is that of its variant alone, and must lie where it counts."""

import json
import re
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch

from lp_core.errors import InputError
from lp_core.models.spec import ModelSpec
from tasks import code, params
from tasks.kit import network_faults, paths
from tasks.kit.code import PROJECT, difference, fingerprint
from tasks.kit.networks import code_of
from tasks.kit.params import Params, ParamsError, overlay
from tasks.kit.training import StageTrainer
from tests.tasks.kit.test_experiment import _fault, _write
from tests.tasks.tiny import PARAMS, make_tickets

NETS = "from torch import nn\n\nfrom . import layers\n\n\nclass Net(nn.Sequential):\n    ...\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "lp_core/__init__.py": "",
        "lp_core/loop.py": "rate = 1\n",
        "own/nets.py": NETS,
        "own/layers.py": "from lp_core.loop import rate\n",
        "own/other.py": "import own.layers\n",
        "own/table.csv": "1\n",
        "helpers.py": "x = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_code_of_an_own_network_is_its_file_and_what_that_imports(root: Path) -> None:
    before = fingerprint(["own.nets"], root)
    assert set(before) == {"own/nets.py", "own/layers.py", "lp_core/loop.py", "lp_core/__init__.py"}
    (root / "own" / "other.py").write_text("x = 2\n")
    (root / "own" / "layers.py").write_text("from lp_core.loop import rate  # why\n")
    assert fingerprint(["own.nets"], root) == before
    (root / "own" / "layers.py").write_text("import lp_core.loop\n")
    assert difference(before, fingerprint(["own.nets"], root)) == "own/layers.py"


def test_files_beside_the_code_count_by_their_bytes(root: Path) -> None:
    before = fingerprint(["own.nets"], root, ["own/table.csv"])
    (root / "own" / "table.csv").write_text("2\n")
    after = fingerprint(["own.nets"], root, ["own/table.csv"])
    assert difference(before, after) == "own/table.csv"


def test_an_import_of_what_nobody_watches_is_refused(root: Path) -> None:
    (root / "own" / "layers.py").write_text("import helpers\n")
    told = r"own/layers\.py imports helpers, but nobody would notice an edit of helpers\.py; move"
    with pytest.raises(InputError, match=told):
        fingerprint(["own.nets"], root)
    with pytest.raises(InputError, match=r"own\.nothing: there is no file own/nothing\.py; mend"):
        fingerprint(["own.nothing"], root)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("'own/table.csv'", "write out a tuple of paths"),
        ("tuple(names())", "line 8: READS is tuple"),
        ("(1,)", "write out a tuple of paths"),
        ("('table.csv',)", "READS has 'table.csv', where nobody would notice an edit; give a file"),
        ("('own/../helpers.py',)", "where nobody would notice an edit"),
        ("('own/tabel.csv',)", "READS has 'own/tabel.csv', but there is no such file; mend READS"),
    ],
)
def test_what_an_own_module_reads_is_there_and_watched(root: Path, value: str, told: str) -> None:
    (root / "own" / "nets.py").write_text(f"{NETS}READS = {value}\n")
    with pytest.raises(InputError, match=re.escape(told)):
        fingerprint(["own.nets"], root)


@pytest.mark.parametrize(
    "line",
    [
        "x = load_file('own/table.csv')",
        "x = open(b'own/table.csv')",
        "x = Path(__file__).with_name('table.csv')",
        "x = f'{HERE}/table.csv'",
        "subprocess.run(['cat', './table.csv'])",
    ],
)
def test_a_file_that_is_named_is_listed_however_it_is_read(root: Path, line: str) -> None:
    """Python hears of `open`, and of no reader that is written in C."""
    before = fingerprint(["own.other"], root)
    (root / "own" / "layers.py").write_text(f"{line}\n")
    told = r"^own/layers\.py names '.*', but nobody would notice an edit of own/table\.csv; list "
    for module in ("own.nets", "own.other"):
        with pytest.raises(InputError, match=told + r"it there: READS = \('own/table\.csv',\)$"):
            fingerprint([module], root)
    (root / "own" / "layers.py").write_text(f"READS = ('own/table.csv',)\n{line}\n")
    after = fingerprint(["own.other"], root)
    assert after.keys() - before.keys() == {"own/table.csv"}
    (root / "own" / "table.csv").unlink()
    (root / "own" / "layers.py").write_text(f"{line}\n")
    assert "own/table.csv" not in fingerprint(["own.other"], root)


def test_own_code_behind_a_link_to_a_folder_is_refused(root: Path) -> None:
    """DVC sees an edit behind a link to a file, and behind one that the folder itself is."""
    (root / "elsewhere").mkdir()
    (root / "elsewhere" / "deep.py").write_text("x = 1\n")
    (root / "own" / "deep.py").symlink_to(root / "elsewhere" / "deep.py")
    (root / "own" / "nets.py").write_text("import own.deep\n")
    assert "own/deep.py" in fingerprint(["own.nets"], root)
    (root / "own" / "sub").symlink_to(root / "elsewhere")
    for text in ("import own.sub.deep\n", "READS = ('own/sub/deep.py',)\n"):
        (root / "own" / "nets.py").write_text(text)
        with pytest.raises(InputError, match=r"own/sub is a link to a folder, and DVC does not"):
            fingerprint(["own.nets"], root)
    (root / "mine").symlink_to(root / "own")
    assert "mine/layers.py" in fingerprint(["mine.layers"], root)


def test_a_file_of_any_encoding_is_read_as_python_reads_it(root: Path) -> None:
    path = root / "own" / "nets.py"
    path.write_text("x = 'é'\n", encoding="utf-8")
    before = fingerprint(["own.nets"], root)
    path.write_text("# coding: latin-1\nx = 'é'\n", encoding="latin-1")
    assert fingerprint(["own.nets"], root) == before
    path.write_text("x = 'é'\n", encoding="utf-8-sig")
    assert fingerprint(["own.nets"], root) == before
    for content in (b"x = '\xe9'\n", b"x = '\0'\n", f"x = {'+'.join('1' * 9999)}\n".encode()):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"own/nets\.py: .* not Python"):
            fingerprint(["own.nets"], root)


def test_each_kind_of_network_has_the_code_that_makes_it_and_no_other() -> None:
    by_import = "lp_core.models.by_import"
    assert code_of(ModelSpec("resnet8")) == ["lp_core.models.networks.residual"]
    assert code_of(ModelSpec("torchvision:resnet18")) == [by_import]
    assert code_of(ModelSpec("own.nets:Net")) == [by_import, "own.nets"]
    from_file = "lp_core.models.initial_weights"
    assert code_of(ModelSpec("resnet8", weights="own/w.pt"))[1:] == [from_file]
    shared = fingerprint(["tasks.pretrain", "tasks.ood", "tasks.pool"])
    assert not {f"{name.replace('.', '/')}.py" for name in (by_import, from_file)} & set(shared)


def test_what_goes_with_a_network_does_not_go_with_another() -> None:
    base = {
        "model": {"name": "own.nets:Net", "stem": "auto", "arguments": {"a": 1}, "weights": "w"}
    }
    other = overlay(base, {"model": {"name": "resnet8"}})["model"]
    assert other == {"name": "resnet8", "stem": "auto"}
    same = overlay(base, {"model": {"name": "own.nets:Net", "arguments": {"b": 2}}})["model"]
    assert same == base["model"] | {"arguments": {"a": 1, "b": 2}}
    assert overlay(base, {"model": {"arguments": {"a": 3}}})["model"]["arguments"] == {"a": 3}


# What params.yaml may say -------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a folder `own`, whose modules can be imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("own").mkdir()
    Path("constraints.txt").touch()
    return tmp_path


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"model.name": "mine.nets:Net"},
            "model.name: mine.nets:Net lies outside own, where nobody",
        ),
        (
            {"variants.base": {"model": {"name": "mine:Net"}}},
            "variants.base.model.name: mine:Net lies outside own",
        ),
        ({"model.weights": "../w.pt"}, "model.weights: ../w.pt; give a file in own"),
        ({"model.weights": ""}, "model.weights is empty; give a file in own, or null"),
        ({"model.arguments": {"width": 2}}, "model.arguments are width, but resnet8 takes none"),
        ({"own_code": "lp_core"}, "own_code: lp_core; give the name of a folder"),
        ({"own_code": "results"}, "own_code: results overlaps results, which the stages write"),
        ({"own_code": "../own"}, "own_code: ../own; give the name of a folder"),
    ],
)
def test_networks_and_weights_must_lie_where_edits_are_noticed(
    changes: dict[str, Any], told: str
) -> None:
    assert f"params.yaml: {told}" in _fault(changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"own_code": "mine"}, "own_code: there is no folder mine; make it"),
        ({"own_code": "json"}, "own_code: Python finds "),
        ({"model.weights": "own/w.pt"}, "model.weights: there is no file own/w.pt; give one"),
        (
            {"model.name": "own.no_nets:Net"},
            "model: own.no_nets: there is no file own/no_nets.py; mend the name of the network, or",
        ),
        (
            {"variants.more": {"model": {"name": "torchvision:resnet81"}}},
            "variants.more.model: torchvision:resnet81: torchvision has no resnet81; it has resne",
        ),
    ],
)
def test_the_stage_params_finds_what_is_not_there(
    project: Path, changes: dict[str, Any], told: str
) -> None:
    (project / "json").mkdir()
    _write(changes)
    with pytest.raises(ParamsError) as error:
        params.main(Namespace())
    assert str(error.value).startswith(f"params.yaml: {told}")


def test_a_network_of_the_projects_own_packages_needs_no_folder(project: Path) -> None:
    network = {"name": "lp_core.models.networks.residual_blocks:resnet", "arguments": {"depth": 8}}
    _write({"model": network})
    params.main(Namespace())
    assert (project / "data" / "params.valid").is_file()


def test_the_stage_code_leaves_what_makes_each_variant(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "own" / "made_nets.py").write_text(NETS.replace("from . import layers", ""))
    monkeypatch.setattr(
        code, "fingerprint", lambda modules, files: {"of": sorted([*modules, *files])}
    )
    mine = {"name": "own.made_nets:Net", "weights": "own/w.pt"}
    _write({"variants.mine": {"model": mine}, "model.weights": None})
    code.main(Namespace())
    found = json.loads(paths.code("networks/mine").read_text())
    by_import, from_file = "lp_core.models.by_import", "lp_core.models.initial_weights"
    assert found["entries"] == []
    assert found["files"]["of"] == [by_import, from_file, "own.made_nets", "own/w.pt"]
    base = json.loads(paths.code("networks/base").read_text())
    assert base["entries"] == [["lp_core.models.networks", "resnet8"]]
    assert (base["modules"], base["reads"]) == ([], [])


def test_other_initial_weights_are_another_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tickets(tmp_path, monkeypatch, {})
    train: dict[str, Any] = {"epochs": 2, "batch_size": 8, "momentum": 0.9, "weight_decay": 0.0}
    train |= {"schedule": {"lr": 0.1}, "augment": {"crop": 0, "flip": False}}
    weights = tmp_path / "w.pt"
    model = {"name": "resnet8", "weights": str(weights)}
    Path("params.yaml").write_text(json.dumps(PARAMS | {"train": train, "model": model}))
    state = torch.load(_saved(weights, 1.0), weights_only=True)
    trainer = StageTrainer("imp@base-0-round1", "base", 0, 1)
    assert torch.equal(trainer.model.get_parameter("stem.0.weight"), state["stem.0.weight"])
    before = trainer.state({}, range(2))
    assert StageTrainer("imp@base-0-round1", "base", 0, 1).state({}, range(2)) == before
    _saved(weights, 2.0)
    assert StageTrainer("imp@base-0-round1", "base", 0, 1).state({}, range(2)) != before


def _saved(path: Path, scale: float) -> Path:
    from lp_core.models.factory import build
    from tests.lp_core.tiny import CLASSES

    model = build("resnet8", CLASSES, 3, 8, seed=0)
    for weight in model.parameters():
        weight.data *= scale
    torch.save(model.state_dict(), path)
    return path


def test_the_real_own_folder_is_where_the_default_params_say() -> None:
    assert (PROJECT / Params(path=PROJECT / "params.yaml").raw["own_code"]).is_dir()
    assert not list(network_faults.unusable(*_experiment()))


def _experiment() -> tuple[Any, Params]:
    from tasks.kit.experiment import validate

    path = PROJECT / "params.yaml"
    return validate(path), Params(path=path)
