"""lp_core as a library: with PyTorch alone, through its packages' faces."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import lp_core
from lp_core.pooling.greedy import search

ROOT = Path(lp_core.__file__).parent.parent
PACKAGES = ["lp_core"] + [
    module.name for module in pkgutil.walk_packages(lp_core.__path__, "lp_core.") if module.ispkg
]
ROOMS = [
    module.name
    for module in pkgutil.walk_packages(lp_core.__path__, "lp_core.")
    if not module.ispkg
]

# None there is what Python itself writes for a module that cannot be imported.
_BLOCK = """
import sys
BLOCKED = "prefect dvc pydantic yaml ruamel ruamel.yaml pandas matplotlib tqdm tasks flows".split()
sys.modules |= dict.fromkeys(BLOCKED)
"""

_TRAIN_PRUNE_POOL = """
import lp_core
assert callable(lp_core.pooling.search)

import torch
from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec

compute = Compute(ComputeSpec(device="cpu", threads=1))
generator = torch.Generator().manual_seed(0)
images = torch.randint(0, 256, (32, 8, 8, 3), dtype=torch.uint8, generator=generator)
split = lp_core.data.Split(images.permute(0, 3, 1, 2), torch.arange(32) % 4)
augment = lp_core.data.AugmentSpec(crop=1)
loader = lp_core.data.MemoryLoader(split, [0.5] * 3, [0.3] * 3, 16, augment, "cpu")
schedule = lp_core.training.schedules.Schedule(lr=0.1)
spec = lp_core.training.TrainSpec(1, 16, 0.9, 5e-4, schedule, augment)

def held_out():
    batches = lp_core.data.normalised_batches
    return batches(split.images, split.labels, [0.5] * 3, [0.3] * 3, 32, "cpu")

def ticket(mask, number):
    model = lp_core.models.build("resnet8", 4, 3, 8, seed=0)
    trainer = lp_core.training.Trainer(
        model, loader, spec, compute, noise=lambda epoch: number,
        validate=lambda network: lp_core.training.evaluate(network, held_out(), compute))
    curve = trainer.train(mask, range(1))
    assert len(curve) == 1 and curve[0].loss > 0
    return lp_core.tickets.Ticket.of(model, mask, {"ticket": number})

model = lp_core.models.build("resnet8", 4, 3, 8, seed=0)
names = lp_core.models.prunable(model)
mask = {name: torch.ones_like(model.get_parameter(name), dtype=torch.bool) for name in names}
dense = ticket(mask, 0)
sparse = ticket(lp_core.sparsity.next_mask(dense, 0.2), 1)
score = lp_core.pooling.HeldOut(model, [list(held_out())], [next(held_out())[0]], compute)
result = lp_core.pooling.search(sparse, [dense], [0.5], score)
assert result.ticket.kept == sparse.kept < dense.kept
"""

_EVERY_ROOM = """
import importlib
for name in {rooms!r}:
    importlib.import_module(name)
"""


def _run(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_lp_core_trains_prunes_and_pools_without_the_pipeline_and_no_room_imports_it():
    _run(_BLOCK + _TRAIN_PRUNE_POOL + _EVERY_ROOM.format(rooms=ROOMS))


def test_importing_lp_core_imports_nothing_heavy():
    _run("import sys, lp_core; assert not {'torch', 'numpy', 'cv2', 'pyarrow'} & set(sys.modules)")


def _promised(package: str) -> dict[str, str]:
    """Public name: where it comes from, with dots, as the stub has it.

    A stub has lines `from .room import name as name`, or, for what another package lends, `import
    package` and `name = package.name`.
    """
    stub = Path(*package.split("."), "__init__.pyi")
    names: dict[str, str] = {}
    for line in ast.parse((ROOT / stub).read_text()).body:
        if isinstance(line, ast.ImportFrom):
            assert line.level == 1
            for alias in line.names:
                assert alias.asname == alias.name, (
                    f"{stub}: {alias.name} needs an `as` to be public"
                )
                names[alias.name] = ".".join(filter(None, [package, line.module, alias.name]))
        elif isinstance(line, ast.Assign):
            names[ast.unparse(line.targets[0])] = ast.unparse(line.value)
        else:
            assert isinstance(line, ast.Import), f"{stub}: {ast.unparse(line)}"
    return names


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_that_a_face_promises_is_there(package):
    face = importlib.import_module(package)
    promised = _promised(package)
    assert promised
    for name, origin in promised.items():
        assert getattr(face, name) is pkgutil.resolve_name(origin)
    assert set(face.__all__) == set(promised) <= set(dir(face))
    with pytest.raises(AttributeError):
        _ = face.nothing_of_the_kind


@pytest.mark.parametrize("package", PACKAGES)
def test_no_room_is_called_as_a_name_of_its_package(package):
    """The room, once imported, would stand in the name's place."""
    rooms = {room.rpartition(".")[2] for room in ROOMS if room.rpartition(".")[0] == package}
    promised = _promised(package).items()
    assert not rooms & {name for name, origin in promised if origin != f"{package}.{name}"}


_SPECS = """
import sys
import lp_core.corruptions.spec, lp_core.data.spec, lp_core.models.spec, lp_core.pooling.spec
import lp_core.sparsity.method_spec, lp_core.superposing.spec, lp_core.analysis.probe_spec
from lp_core import faces
lp_core.models.spec.ModelSpec("resnet18", "imagenet").stem_for(224, 224)
lp_core.corruptions.spec.CorruptSpec(watch="constraints.txt")
for name in faces.names(lp_core.pooling.spec.RECIPES):
    lp_core.pooling.spec.recipe_class(name)(candidates=2)
for name in faces.names(lp_core.sparsity.method_spec.METHODS):
    more = {"until": 3} if name == "granet" else {}
    density = 1.0 if name == "dense" else 0.5
    method = lp_core.sparsity.method_spec.method_class(name)(density=density, **more)
    method.require_fits(epochs=10, superposing=9)
lp_core.analysis.probe_spec.ProbeSpec(epochs=5)
assert lp_core.analysis.StableSearch(200).next_probe == 100
assert lp_core.analysis.convergence_speed([1.0, 0.5, 0.0]) == 0.75
lp_core.superposing.spec.EndingSpec(tickets=3).require_fits(epochs=250, start=225)
for name in faces.names(lp_core.models.spec.NETWORKS):
    lp_core.models.spec.ModelSpec(name)
heavy = {"torch", "torchvision", "numpy", "cv2", "scipy", "PIL"} & set(sys.modules)
assert not heavy, heavy
"""


def test_what_settings_say_is_checked_without_the_machinery():
    _run(_SPECS)


def test_the_published_names_are_where_the_design_has_them():
    for name in (
        *("tickets.Ticket", "sparsity.magnitude_mask", "pooling.interpolate", "pooling.search"),
        *("data.corrupt", "analysis.expected_calibration_error", "tables.TABLES"),
        *("analysis.error_barrier", "analysis.disagreement", "analysis.kl_divergence"),
        *("sparsity.erk_densities", "sparsity.method_class", "pooling.superpose"),
        *("superposing.Superposing", "superposing.EndingSpec", "superposing.TrainingCost"),
        *("training.superposing_lr", "training.Trainer", "training.Hook", "compute.Compute"),
    ):
        found = lp_core
        for part in name.split("."):
            found = getattr(found, part)
    assert lp_core.pooling.search is search
