"""`python -m tasks.export`: what it writes computes what the ticket computes, on real images."""

import errno
import json
import re
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from lp_core import exporting
from lp_core.data.build import build_dataset
from lp_core.data.spec import DatasetSpec
from lp_core.data.store import Dataset
from lp_core.models.factory import build
from lp_core.models.structure import prunable
from lp_core.sparsity.magnitude import magnitude_mask
from lp_core.tables import write_table
from lp_core.tickets import Ticket
from tasks import pool
from tasks.export.__main__ import main
from tasks.export.card import Card
from tasks.kit import paths
from tasks.kit.rows import read_rows
from tests.lp_core.strategies import bits
from tests.tasks.small_run import METHOD, small_run

pytestmark = pytest.mark.usefixtures("one_thread")

KINDS = {"state_dict": "pt", "safetensors": "safetensors", "onnx": "onnx", "torch-export": "pt2"}
POOLED = paths.pooled("base", 0, METHOD, 2)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working directory of a run on the digits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("run"))
        small_run("digits")
        yield Path.cwd()


def _pixels(name: str) -> Tensor:
    """All test images, normalised by hand, as the model card says."""
    dataset = Dataset.load(paths.dataset(name))
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (dataset.mean, dataset.std))
    return ((dataset.split("test").images / 255 - mean) / std).contiguous()


def _as_the_card_says(file: Path, images: Tensor, patch: pytest.MonkeyPatch) -> Tensor:
    """The logits that the card's own lines compute, in the folder of the file."""
    card = file.with_name(f"{file.name}.md").read_text()
    [lines] = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert len([line for line in lines.splitlines() if line]) <= 5
    names: dict[str, Any] = {"images": images}
    patch.chdir(file.parent)
    with torch.no_grad():
        exec(compile(lines, str(file), "exec"), names)
    return torch.as_tensor(names["logits"])


@pytest.mark.parametrize(
    ("kind", "source"),
    [*((kind, POOLED) for kind in KINDS), ("state_dict", paths.ticket("base", 0, 0))],
)
@pytest.mark.usefixtures("run")
def test_the_file_gives_the_networks_logits_on_every_test_image(source, kind, monkeypatch):
    ticket, images = Ticket.load(source), _pixels("digits")
    main([str(source), "--to", kind, "--output", f"out-{kind}"])
    file = (Path(f"out-{kind}") / source).with_suffix(f".{KINDS[kind]}").resolve()
    with torch.no_grad():
        expected = ticket.network()(images)
    found = _as_the_card_says(file, images, monkeypatch)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name, f"{file.name}.md"]
    said = _said_by(file)
    assert said is None or said["digest"] == ticket.digest
    assert (said is None) == (kind == "state_dict")


def _said_by(file: Path) -> dict[str, Any] | None:
    """What a file says of itself, where its kind has a place for that."""
    text = {"lottery_pools": "null"}
    if file.suffix == ".safetensors":
        with safe_open(file, framework="pt") as opened:
            text = opened.metadata()
    elif file.suffix == ".pt2":
        torch.export.load(file, extra_files=text)
    elif file.suffix == ".onnx":
        import onnxruntime

        text = onnxruntime.InferenceSession(file).get_modelmeta().custom_metadata_map
    said: dict[str, Any] | None = json.loads(text["lottery_pools"])
    return said


@pytest.mark.parametrize("kind", ["state_dict", "safetensors"])
@pytest.mark.usefixtures("run")
def test_a_file_of_weights_has_the_tickets_weights(kind):
    main([str(POOLED), "--to", kind])
    file = (Path("exports") / POOLED).with_suffix(f".{KINDS[kind]}")
    if kind == "state_dict":
        found = dict(torch.load(file))
    else:
        with safe_open(file, framework="pt") as opened:
            found = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        about, meta = _said_by(file), Ticket.load(POOLED).meta
        assert about is not None
        assert all(about[name] == meta[name] for name in ("network", "members", "variant"))
    expected = Ticket.load(POOLED).state_dict()
    assert sorted(bits(found).items()) == sorted(bits(expected).items())


@pytest.mark.usefixtures("run")
def test_a_folder_is_all_its_tickets_but_the_rewind_point():
    main(["tickets", str(POOLED.parent), "--to", "state_dict", "--output", "all"])
    files = {path.relative_to("all").as_posix() for path in Path("all").rglob("*.pt")}
    tickets = {f"tickets/base/0/{number}.pt" for number in range(3)}
    assert files == tickets | {f"pools/base/0/{METHOD}/{number}.pt" for number in range(3)}


@pytest.mark.usefixtures("run")
def test_the_card_tells_accuracies_costs_and_members():
    run = {"dataset": "digits", "model": "resnet8", "variant": "base", "seed": 0, "ticket": 2}
    ticket = Ticket.load(POOLED)
    run |= {"method": METHOD, "density": ticket.density, "digest": ticket.digest}
    scores = {"nll": 0.0, "ece": 0.0}
    pools = scores | {"members": 2, "gain": 0.0, "flops": 1, "parameters": 1}
    rows = [run | pools | {"split": s, "accuracy": a} for s, a in (("val", 0.5), ("test", 0.25))]
    # Of one that it has taken the place of.
    other = rows[1] | {"digest": "0" * 32, "accuracy": 0.125}
    write_table("pools", [*rows, other], paths.RESULTS, {"run": "x"})
    ood = [run | scores | {"ending": None, "corruption": c, "severity": s, "accuracy": a}
           for c, s, a in (("fog", 1, 0.75), ("fog", 2, 0.5), ("snow", 1, 0.25))]  # fmt: skip
    write_table("ood", ood, paths.RESULTS, {"run": "x"})
    main([str(POOLED), "--to", "state_dict", "--output", "told"])
    card = (Path("told") / POOLED).with_suffix(".pt.md").read_text()
    for line in (
        "| held-out images | 50.00% |",
        "| test images | 25.00% |",
        "| corrupted test images (mean; corruptions: 2, severities: 2) | 50.00% |",
        "| data set | digits, 10 classes |",
        "| input | float32, N×1×8×8, any number N of images |",
        f"| density | {ticket.density:.2%}: {ticket.kept:,} of {ticket.prunable:,} weights |",
        f"digest {ticket.digest} |",
        f"tickets {', '.join(map(str, ticket.meta['members']))}, pooled by the method {METHOD}",
    ):
        assert line in card, line
    main([str(paths.ticket("base", 0, 1)), "--to", "state_dict", "--output", "told"])
    card = (Path("told") / paths.ticket("base", 0, 1)).with_suffix(".pt.md").read_text()
    assert "The results tables have no rows with the digest of this ticket" in card


@pytest.mark.parametrize(("precision", "told"), [("bf16", ", measured in bf16;"), ("fp32", ".\n")])
@pytest.mark.usefixtures("run")
def test_the_card_tells_where_its_accuracies_are_of_another_precision(precision, told):
    ticket = Ticket.load(POOLED)
    ticket.meta["precision"] = precision
    path = POOLED.with_name(f"{precision}.safetensors")
    ticket.save(path)
    run = {name: ticket.meta[name] for name in ("dataset", "model", "variant", "seed", "ticket")}
    row = run | {"density": ticket.density, "digest": ticket.digest, "method": METHOD}
    row |= {"members": 2, "gain": 0.0, "flops": 1, "parameters": 1, "nll": 0.0, "ece": 0.0}
    write_table("pools", [row | {"split": "test", "accuracy": 0.5}], paths.RESULTS, {"run": "x"})
    main([str(path), "--to", "state_dict", "--output", "told"])
    path.unlink()
    card = (Path("told") / path).with_suffix(".pt.md").read_text()
    assert re.search(rf"\nFrom [^\n]*\.parquet`{re.escape(told)}", card)


@pytest.mark.usefixtures("run")
def test_a_ticket_that_was_made_anew_has_none_of_the_accuracies_of_the_one_before():
    pool.main(Namespace(variant="base", seed=0, method=METHOD))
    rows = [
        {"dataset": "digits", "model": "resnet8", "variant": "base", "seed": 0, "gain": 0.0} | row
        for row in read_rows(paths.rows("pool", "base", 0, METHOD)).tables["pools"]
    ]
    write_table("pools", rows, paths.RESULTS, {"run": "x"})
    card = (Path("anew") / POOLED).with_suffix(".pt.md")
    main([str(POOLED), "--to", "state_dict", "--output", "anew"])
    assert [f"| {row['accuracy']:.2%} |" in card.read_text() for row in rows[-2:]] == [True, True]
    before = Ticket.load(POOLED)
    anew = replace(before, weights={n: w * 0.9 for n, w in before.weights.items()})
    assert anew.density == before.density
    anew.save(POOLED)
    main([str(POOLED), "--to", "state_dict", "--output", "anew"])
    before.save(POOLED)
    assert "| test images |" not in card.read_text()
    assert "The results tables have no rows with the digest of this ticket" in card.read_text()


def _save(name: str, network: nn.Module, meta: dict[str, Any]) -> Path:
    path = paths.ticket("base", 0, name)
    Ticket.from_state_dict(network.state_dict(), network=network, meta=meta).save(path)
    return path


def _errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    if isinstance(ended.value.code, str):
        return 1, ended.value.code
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return int(ended.value.code or 0), said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "the following arguments are required"),
        (["x.safetensors"], "the following arguments are required: --to"),
        (["x.safetensors", "--to", "pickle"], "invalid choice: 'pickle'"),
        (["absent.safetensors", "--to", "onnx"], "absent.safetensors: no such ticket"),
        (["params.yaml", "--to", "onnx"], "params.yaml: not a whole ticket"),
        (["data", "--to", "onnx"], "data: no ticket below it"),
        ([str(POOLED), "--to", "safetensors", "--output", "."], "is the ticket itself"),
        ([str(POOLED), "--to", "onnx", "--output", "params.yaml"], "cannot be written"),
    ],
)
@pytest.mark.usefixtures("run")
def test_what_cannot_be_exported_is_one_line_and_exit_code_2(arguments, told, capsys):
    code, said = _errors(arguments, capsys)
    assert code == 2
    assert said.startswith("error: ")
    assert told in said


@pytest.mark.usefixtures("run")
def test_a_ticket_that_could_not_be_checked_is_not_exported(capsys):
    meta = Ticket.load(POOLED).meta
    network = Ticket.load(POOLED).network()
    for name, changed, told in (
        ("elsewhere", {"dataset": "gone"}, "to be checked on test images, but data/gone holds no"),
        ("nowhere", {"dataset": None}, "does not say of which data set it is"),
        ("old", {"network": None}, "does not say of which network it is"),
    ):
        path = _save(name, network, meta | changed)
        code, said = _errors([str(path), "--to", "onnx"], capsys)
        assert code == 2
        assert told in said
        assert not (Path("exports") / path).with_suffix(".onnx").exists()
        path.unlink()


@pytest.mark.parametrize("kind", ["state_dict", "torch-export"])
@pytest.mark.usefixtures("run")
def test_a_file_that_computes_something_else_never_appears(kind, monkeypatch, capsys):
    form = exporting.FORMATS[kind]
    read = form.read

    def off(path: Path, make: Callable[[], nn.Module]) -> exporting.Run:
        exported = read(path, make)
        return lambda images: exported(images) * 1.001

    monkeypatch.setattr(form, "read", off)
    code, said = _errors([str(POOLED), "--to", kind, "--output", f"wrong-{kind}"], capsys)
    assert code == 1
    assert re.search(f"the {kind} file gives other logits than the network", said)
    assert not [path for path in Path(f"wrong-{kind}").rglob("*") if path.is_file()]


@pytest.mark.usefixtures("run")
def test_a_disk_that_is_full_before_the_card_leaves_what_was_there(monkeypatch, capsys):
    def full(*_: Any) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    files = [Path("full") / POOLED, Path("full") / f"{POOLED}.md"]
    main([str(POOLED), "--to", "safetensors", "--output", "full"])
    before = [file.stat().st_ino for file in files]
    monkeypatch.setattr(Card, "text", full)
    code, said = _errors([str(POOLED), "--to", "safetensors", "--output", "full"], capsys)
    assert (code, said.endswith("cannot be written (No space left on device)\n")) == (2, True)
    assert [file.stat().st_ino for file in files] == before
    assert sorted(files[0].parent.iterdir()) == files


@pytest.mark.usefixtures("run")
def test_ctrl_c_is_one_line_and_leaves_no_file(monkeypatch, capsys):
    def interrupted(*_: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(Card, "text", interrupted)
    code, said = _errors([str(POOLED), "--to", "state_dict", "--output", "ended"], capsys)
    assert (code, said) == (130, "Ended by SIGINT; run again\n")
    assert not [path for path in Path("ended").rglob("*") if path.is_file()]


@pytest.mark.usefixtures("run")
def test_a_network_that_diverged_is_not_exported(capsys):
    ticket = Ticket.load(POOLED)
    ticket.weights["head.2.bias"].fill_(float("nan"))
    path = paths.ticket("base", 0, "diverged")
    ticket.save(path)
    code, said = _errors([str(path), "--to", "state_dict"], capsys)
    assert code == 2
    assert "its logits are NaN or infinite" in said
    path.unlink()


@pytest.mark.usefixtures("run")
def test_without_onnx_the_line_says_how_to_install_it(monkeypatch, capsys):
    monkeypatch.setattr(exporting.Onnx, "packages", ("no_such_package",))
    code, said = _errors([str(POOLED), "--to", "onnx"], capsys)
    assert code == 2
    assert "onnx needs no_such_package; install them: pip install" in said


def test_cifar_images_give_the_same_logits_from_every_file(real_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = DatasetSpec(source="parquet", path=str(real_data / "cifar10"), watch="x",
                       train_images=200, test_images=100)  # fmt: skip
    dataset = build_dataset("cifar10-jpeg", spec)
    dataset.save(paths.dataset("cifar10-jpeg"))
    network = build("resnet8", 10, 3, 32, seed=0)
    weights = {name: network.get_parameter(name) for name in prunable(network)}
    mask = magnitude_mask(weights, sum(map(torch.numel, weights.values())) // 2)
    about = {"name": "resnet8", "classes": dataset.classes, "channels": 3, "size": 32}
    about |= {"mean": dataset.mean, "std": dataset.std, "stem": "auto", "arguments": {}}
    ticket = Ticket.of(network, mask, {"dataset": "cifar10-jpeg", "network": about})
    source = paths.ticket("base", 0, 1)
    Ticket.from_state_dict(ticket.state_dict(), mask, network, ticket.meta).save(source)
    images = _pixels("cifar10-jpeg")
    with torch.no_grad():
        expected = Ticket.load(source).network()(images)
    for kind, suffix in KINDS.items():
        monkeypatch.chdir(tmp_path)
        main([str(source), "--to", kind])
        file = (Path("exports") / source).with_suffix(f".{suffix}").resolve()
        found = _as_the_card_says(file, images, monkeypatch)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


_NETS = """
import torch
from torch import nn

class Tied(nn.Module):
    def __init__(self, width, classes, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.one, self.two = nn.Linear(width, width), nn.Linear(width, width)
        self.two.weight = self.one.weight
        self.head = nn.Linear(width, classes)
        self.register_buffer("shift", torch.ones(width), persistent=False)
        self.drop = nn.Dropout()

    def forward(self, x):
        x = self.norm(self.conv(x)).relu().mean((2, 3)) + self.shift
        return self.head(self.drop(self.two(self.one(x).relu())))

class Branching(Tied):
    def forward(self, x):
        logits = super().forward(x)
        return logits if logits.sum() > 0 else 2 * logits

class Counting(Tied):
    def forward(self, x):
        return super().forward(x) + torch.zeros(1, 1).expand(len(x), -1)
"""


@pytest.fixture
def own(run: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Saves a ticket of one of those networks, trained by nobody."""
    monkeypatch.syspath_prepend(run)
    (run / "mine_nets.py").write_text(_NETS)

    def saved(name: str) -> Path:
        about = Ticket.load(POOLED).meta["network"]
        about = about | {"name": f"mine_nets:{name}", "arguments": {"width": 6}}
        meta = {"dataset": "digits", "network": about}
        network = build(f"mine_nets:{name}", 10, 1, 8, arguments={"width": 6}, seed=1)
        network(_pixels("digits")[:50])  # statistics that are not the constructor's
        return _save(f"own-{name}", network, meta)

    return saved


@pytest.mark.parametrize("kind", KINDS)
def test_an_own_network_with_tied_weights_and_unlisted_buffers_is_exported(kind, own, monkeypatch):
    source, images = own("Tied"), _pixels("digits")
    main([str(source), "--to", kind])
    with torch.no_grad():
        expected = Ticket.load(source).network()(images)
    file = (Path("exports") / source).with_suffix(f".{KINDS[kind]}").resolve()
    found = _as_the_card_says(file, images, monkeypatch)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["onnx", "torch-export"])
def test_a_network_that_cannot_be_traced_is_one_line(kind, own, capsys):
    code, said = _errors([str(own("Branching")), "--to", kind], capsys)
    assert code == 2
    assert f"cannot be exported to {kind}: " in said


@pytest.mark.parametrize("kind", ["onnx", "torch-export"])
def test_a_file_for_a_fixed_number_of_images_never_appears(kind, own, capsys):
    source = own("Counting")
    code, said = _errors([str(source), "--to", kind], capsys)
    assert code in (1, 2)
    assert "let it ask for images.shape[0]" in said
    assert not (Path("exports") / source).with_suffix(f".{KINDS[kind]}").exists()


def test_a_network_whose_module_is_gone_is_one_line(own, capsys):
    source = own("Tied")
    ticket = Ticket.load(source)
    ticket.meta["network"]["name"] = "no_such_module:Tied"
    ticket.save(source)
    code, said = _errors([str(source), "--to", "state_dict"], capsys)
    assert code == 2
    assert "its network cannot be built again: no_such_module:Tied: no_such_module cannot" in said
