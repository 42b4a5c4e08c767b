"""Every preset is its paper's setting, as a whole file in which each key is explained."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from presets.__main__ import main
from presets.overlays import Entry, names, parsed, whole
from tests.tasks import sgd_settings, sup_settings

ROOT = Path(__file__).resolve().parents[2]
ALPHAS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
RECIPES: dict[str, dict[str, Any]] = {
    "interpolation": {"recipe": "search", "coefficients": ALPHAS},
    "average": {"recipe": "search", "coefficients": [0.5]},
    "swa": {"recipe": "swa"},
    "ema": {"recipe": "ema", "decay": 0.95},
    "ema-newcomer": {"recipe": "ema-newcomer", "weight": 0.95},
    **{f"candidates-{n}": {"recipe": "search", "candidates": n} for n in (1, 2, 4, 9)},
    "coefficients-3": {"recipe": "search", "coefficients": [0.05, 0.5, 0.95]},
    "coefficients-7": {"recipe": "search", "coefficients": [0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95]},
    "prune-after": {"recipe": "search", "prune": "after"},
    "greedy-soup": {"recipe": "greedy-soup"},
    "uniform-soup": {"recipe": "uniform-soup"},
}
FIRST = ["interpolation", "average", "swa", "ema", "ema-newcomer"]
# On corrupted images too: those that the paper has numbers of.
ON_CIFAR, ON_IMAGENET = FIRST[:4], [*FIRST[:3], FIRST[4]]
LAST = ["coefficients-3", "coefficients-7", "prune-after", "greedy-soup", "uniform-soup"]
FULL_SCORING = {"search": "exact", "batch_norm": "re-estimate"}
# Lottery Pools' settings leave the other flow as the default has it, and switch it off.
RIGL = {"density": 0.1, "interval": 10}
RE_ESTIMATED = {"tickets": 2, "cycle": 1, "calibration_images": 512}
NO_SUP_TICKETS: dict[str, Any] = {
    "variants": [],
    "methods": ["dense", "rigl", "granet"],
    "endings": ["plain", "cia"],
    "corrupted": ["plain", "cia"],
    "ablated": ["rigl"],
    "ablations": ["re-estimated", "search"],
    "ensembles": ["dense"],
    "efficient_ensembles": [],
    "siblings": {"methods": ["rigl"], "ending": "cia", "pool": "interpolation"},
    "prunable": "conv+linear",
    "start": 4,
    "training": {
        "dense": {"recipe": "dense"},
        "rigl": {"recipe": "rigl"} | RIGL,
        "granet": {"recipe": "granet", "until": 3} | RIGL,
    },
    "ending": {
        "plain": {"tickets": 0},
        "cia": {"tickets": 2, "cycle": 1},
        "re-estimated": RE_ESTIMATED | {"batch_norm": "re-estimate"},
        "search": RE_ESTIMATED | {"average": "search"},
    },
}
# So do all settings but those of the third flow.
NO_SGD_NOISE: dict[str, Any] = {
    "variants": [],
    "noise": [1, 2, 3],
    "starts": ["rewind", 3],
    "threshold": 0.02,
    "subsets": {"variants": [], "removed": ["easiest-30", "hardest-30"]},
    "crossed": [],
    "crossed_tickets": [3],
    "probes": {
        "tickets": [3],
        "epochs": 5,
        "batch_size": 128,
        "lr": 0.005,
        "momentum": 0.9,
        "weight_decay": 0.0001,
    },
    "transfer": {"tickets": [], "targets": []},
    "few_shot": {
        "tickets": [3],
        "networks": ["ticket", "permuted"],
        "percent": [10],
        "selections": [],
    },
    "stable_rewind": {"variants": [], "steps": []},
}


def setting(
    model: str,
    dataset: str,
    images: dict[str, Any],
    corrupted: int | None,
    seeds: int,
    rounds: int,
    methods: list[str],
    **sections: Any,
) -> dict[str, Any]:
    """What all settings have in common, and what tells them apart."""
    chain = [{"ticket": k, "parent": k - 1 if k else "rewind"} for k in range(rounds)]
    generated = {"source": "generate", "watch": "constraints.txt", "images": corrupted}
    return {
        "dataset": dataset,
        "datasets": {dataset: images},
        "corrupt": {dataset: generated},
        "seeds": list(range(seeds)),
        "grid": sections.get("grid", ["base", "no-rewind"]),
        "products": [],
        "variants": {"base": {}, "no-rewind": {"rewind": {"epochs": 0}}},
        "model": {"name": model},
        "compute": {
            "device": "auto",
            "precision": "auto",
            "channels_last": True,
            "threads": sections.get("threads", 0),
        },
        "train": {"momentum": 0.9, "init": None, "noise": None} | sections["train"],
        "rewind": {"mode": "fixed", "epochs": sections["rewind"]},
        "imp": {"fraction": 0.2, "rounds": chain}
        | sections.get("imp", {"prunable": "conv", "checkpoint": "last"}),
        "pooling": {
            "variants": ["base"],
            "methods": methods,
            "corrupted": sections.get("on_corrupted", ON_CIFAR),
            "ensemble": "candidates-2",
            "scoring": sections["scoring"],
            "recipes": {name: RECIPES[name] for name in methods},
        },
        "sup_tickets": NO_SUP_TICKETS,
        "sgd_noise": NO_SGD_NOISE,
    }


def train(
    epochs: int, batch: int, decay: float, lr: float, drops: list[int], warmup: float, crop: int
) -> dict[str, Any]:
    steps = {"kind": "step", "lr": lr, "drops": drops, "gamma": 0.1, "warmup": warmup}
    return {
        "epochs": epochs,
        "batch_size": batch,
        "weight_decay": decay,
        "schedule": steps,
        "augment": {"crop": crop, "flip": True},
        "devices": 1,
    }


def on_cifar(model: str, dataset: str) -> dict[str, Any]:
    """Lottery Pools, tables 1 and 3: 182 epochs, 19 densities, three seeds."""
    images = {"source": dataset, "path": f"downloads/{dataset}", "download": True}
    images |= {"watch": "constraints.txt", "val_fraction": 0.1}
    return setting(
        model,
        dataset,
        images,
        corrupted=None,
        seeds=3,
        rounds=19,
        methods=[*FIRST, "candidates-2", "candidates-4", "candidates-9", *LAST],
        grid=["base"] if dataset == "cifar10" else ["base", "no-rewind"],
        train=train(182, 128, 1e-4, 0.1, [91, 136], 0.0, 4),
        rewind=9,
        imp={"prunable": "conv", "checkpoint": "best"},
        scoring=FULL_SCORING | {"calibration_images": 1024},
    )


def on_imagenet(model: str) -> dict[str, Any]:
    """Lottery Pools, tables 1 and 3: 90 epochs, 9 densities, one run."""
    images = {"source": "folder", "path": "../imagenet", "watch": "../imagenet.txt", "size": 224}
    images |= {"val_fraction": 0.020294, "stream": True}
    expected = setting(
        model,
        "imagenet",
        images,
        corrupted=1000,
        seeds=1,
        rounds=9,
        methods=[*FIRST, "candidates-2", "greedy-soup", "uniform-soup"],
        grid=["base"],
        train=train(90, 1024, 1e-4, 0.4, [30, 60, 80], 5.0, 1) | {"devices": 4},
        rewind=5,
        imp={"prunable": "conv+linear", "checkpoint": "last"},
        on_corrupted=ON_IMAGENET,
        scoring=FULL_SCORING | {"calibration_images": 4096},
    )
    return expected | {"variants": {"base": {}}}


def on_two_cores() -> dict[str, Any]:
    """ResNet-8 on all of CIFAR-10: six epochs, six densities, two seeds."""
    folder = "../shared/data/cifar10"
    images = {"source": "parquet", "path": folder, "watch": folder, "val_fraction": 0.1}
    return setting(
        "resnet8",
        "cifar10-jpeg",
        images,
        corrupted=200,
        seeds=2,
        rounds=6,
        methods=[*FIRST, "candidates-1", "candidates-2", *LAST],
        threads=1,
        train=train(6, 128, 5e-4, 0.1, [4, 5], 0.0, 4),
        rewind=1,
        scoring={"search": "halving", "batch_norm": "re-estimate"} | {"calibration_images": 1024},
    )


def patient() -> dict[str, Any]:
    """The same trained longer and pruned further: 24 epochs, twelve densities."""
    whole = on_two_cores()
    chain = [{"ticket": k, "parent": k - 1 if k else "rewind"} for k in range(12)]
    methods = [*FIRST, "candidates-2", "coefficients-3", "prune-after", *LAST[-2:]]
    recipes = {name: RECIPES[name] for name in methods}
    generated = whole["corrupt"]["cifar10-jpeg"] | {"images": 1000}
    schedule = whole["train"]["schedule"] | {"drops": [12, 18]}
    return whole | {
        "corrupt": {"cifar10-jpeg": generated},
        "grid": ["base"],
        "train": whole["train"] | {"epochs": 24, "schedule": schedule},
        "rewind": {"mode": "fixed", "epochs": 2},
        "imp": whole["imp"] | {"rounds": chain},
        "pooling": whole["pooling"] | {"methods": methods, "recipes": recipes},
    }


def sup_tickets(
    model: str, dataset: str, images: dict[str, Any], section: dict[str, Any], **changes: Any
) -> dict[str, Any]:
    """What the settings of Sup-tickets have in common; imp-pool is off, and else the default."""
    expected = setting(
        model,
        dataset,
        images,
        corrupted=changes.get("corrupted"),
        seeds=changes.get("seeds", 3),
        rounds=4,
        methods=[*FIRST, "candidates-2", "coefficients-3", *LAST[-2:]],
        on_corrupted=FIRST[:2],
        grid=[],
        threads=changes.get("threads", 0),
        train=changes["train"],
        rewind=2,
        scoring={"search": "halving", "batch_norm": "re-estimate", "calibration_images": 512},
    )
    pooling = expected["pooling"] | {"variants": []}
    only_base = {"variants": {"base": {}}}
    return expected | only_base | {"pooling": pooling, "sup_tickets": section}


def sup_tickets_on_cifar(model: str, dataset: str) -> dict[str, Any]:
    """Sup-tickets, section 4.1: 250 epochs of batches of 128, three seeds."""
    images = on_cifar("vgg16", dataset)["datasets"][dataset]
    section = sup_settings.on_cifar(model, dataset)
    settings = train(250, 128, 5e-4, 0.1, [125, 187], 0.0, 4)
    return sup_tickets(model, dataset, images, section, train=settings)


def sup_tickets_on_imagenet() -> dict[str, Any]:
    """Sup-tickets, section 4.1: 100 epochs, one run."""
    images = on_imagenet("resnet18")["datasets"]["imagenet"]
    settings = train(100, 128, 1e-4, 0.1, [30, 60, 85], 5.0, 1) | {"devices": 2}
    section = sup_settings.on_imagenet()
    return sup_tickets(
        "resnet50", "imagenet", images, section, corrupted=1000, seeds=1, train=settings
    )


def sup_tickets_on_two_cores() -> dict[str, Any]:
    """ResNet-8 on 40,000 images of CIFAR-10: six epochs, two seeds."""
    images = on_two_cores()["datasets"]["cifar10-jpeg"] | {"val_fraction": 0.2}
    settings = train(6, 128, 5e-4, 0.1, [3, 4], 0.0, 4)
    section = sup_settings.on_two_cores()
    changes = {"corrupted": 100, "seeds": 2, "threads": 1, "train": settings}
    return sup_tickets("resnet8", "cifar10-jpeg", images, section, **changes)


def sgd_noise(
    model: str, dataset: str, variants: dict[str, Any], images: dict[str, Any], **changes: Any
) -> dict[str, Any]:
    """What the settings of SGD noise have in common: cosines, and two ways to pool."""
    measured = changes.get("measured", list(variants))
    epochs, batch, decay, lr, crop = changes["train"]
    training = train(epochs, batch, decay, lr, [], 0.0, crop)
    training["schedule"]["kind"] = "cosine"
    training["augment"]["flip"] = crop > 0
    methods = ["interpolation", "average"]
    expected = setting(
        model,
        dataset,
        images[dataset],
        corrupted=changes["corrupted"],
        seeds=changes["seeds"],
        rounds=changes["rounds"],
        methods=methods,
        on_corrupted=methods[:1],
        grid=list(variants),
        threads=changes["threads"],
        train=training | {"momentum": changes.get("momentum", 0.9)},
        rewind=0,
        scoring={"search": "halving", "batch_norm": "re-estimate"}
        | {"calibration_images": changes.get("calibration", 512)},
    )
    pooling = expected["pooling"] | {"variants": measured, "ensemble": "interpolation"}
    return expected | {
        "datasets": images,
        "products": changes["products"],
        "variants": variants,
        "pooling": pooling,
        "sgd_noise": sgd_settings.section(changes["sgd"], variants=measured),
    }


def sgd_noise_published(model: str, dataset: str) -> dict[str, Any]:
    """Section 3.3 and appendix G: 200 epochs, 25 rounds (20 on Tiny ImageNet), three seeds."""
    tiny = dataset == "tiny-imagenet"
    factors: list[dict[str, dict[str, Any]]] = [
        {
            "train.momentum": dict(sgd_settings.PAIR),
            "train.batch_size": dict(sgd_settings.SIZES),
            "rewind.epochs": dict(sgd_settings.STARTS),
        }
    ]
    shorter = {"train.epochs": {"aimp20": 20, "aimp50": 50}}
    init = {"rewind.epochs": {"init": 0}}
    if dataset == "cifar10":
        factors[0]["train.momentum"] = {"mu0": 0.0, "mu03": 0.3, "mu06": 0.6}
        factors[0]["train.momentum"] |= {"mu09": 0.9, "mu095": 0.95}
        sizes = (8, 32, 100, 256, 1024, 2048)
        factors[0]["train.batch_size"] = {f"bs{size}": size for size in sizes}
        both = {"train.momentum": sgd_settings.PAIR, "train.batch_size": sgd_settings.SIZES}
        factors.append(shorter | both | init)
    elif tiny:
        for momentum, size in ((("mu0", 0.0), 256), (("mu09", 0.9), 100)):
            one = {"train.momentum": dict([momentum]), "train.batch_size": {f"bs{size}": size}}
            factors.append(shorter | one | init)
    variants = sgd_settings.grid(*factors[0].values())
    for more in factors[1:]:
        variants |= sgd_settings.accelerated(
            [20, 50], more["train.momentum"], more["train.batch_size"]
        )
    names = [dataset] if model == "vgg16" else [dataset, *sgd_settings.TARGETS[dataset]]
    changes: dict[str, Any] = {"measured": sgd_settings.EIGHT} if dataset == "cifar10" else {}
    return sgd_noise(
        model,
        dataset,
        variants,
        {name: sgd_settings.images(name) for name in names},
        corrupted=1000,
        seeds=3,
        rounds=21 if tiny else 26,  # the dense network, and a ticket for each round of pruning
        threads=0,
        train=(200, 256, 1e-4, 0.2 if tiny else 0.1, 4),
        momentum=0.0,
        calibration=1024,
        products=factors,
        sgd=sgd_settings.published(NO_SGD_NOISE, model, dataset),
        **changes,
    )


def from_parquet(folder: str, **settings: Any) -> dict[str, Any]:
    """Images at hand, in the layout of the Hugging Face hub."""
    where = dict.fromkeys(("path", "watch"), f"../shared/data/{folder}")
    return {"source": "parquet", "val_fraction": 0.2} | where | settings


MNIST = from_parquet("mnist", train_images=2500, test_images=1000)
ON_TWO_CORES: dict[str, dict[str, Any]] = {
    "train.momentum": dict(sgd_settings.PAIR),
    "train.batch_size": {"bs32": 32, "bs128": 128},
    "rewind.epochs": {"init": 0, "rewind1": 1},
}
CROSSED = [("mu0-bs128-init", "mu09-bs32-init"), ("mu09-bs32-init", "mu0-bs128-init")]


def short_rounds(expected: dict[str, Any], images: int, kinds: list[str]) -> dict[str, Any]:
    """Rounds that remove half, and few corrupted images."""
    [corrupt] = expected["corrupt"].values()
    corrupt |= {"images": images, "corruptions": kinds, "severities": [3]}
    expected["imp"]["fraction"] = 0.5
    return expected


def of_five_coefficients(expected: dict[str, Any]) -> dict[str, Any]:
    fewer = {"recipe": "search", "coefficients": [0.1, 0.3, 0.5, 0.7, 0.9]}
    expected["pooling"]["recipes"]["interpolation"] = fewer
    return expected


KINDS = ["gaussian_noise", "defocus_blur", "brightness", "jpeg_compression"]


def sgd_noise_on_two_cores() -> dict[str, Any]:
    """ResNet-8 on 2,100 images of CIFAR-10: eight variants, and one search of three epochs."""
    cifar = from_parquet("cifar10", val_fraction=0.3, train_images=3000, test_images=2000)
    short: dict[str, dict[str, Any]] = {
        "train.epochs": {"aimp3": 3},
        "train.momentum": {"mu09": 0.9},
        "train.batch_size": {"bs32": 32},
        "rewind.epochs": {"init": 0},
    }
    variants = sgd_settings.grid(*ON_TWO_CORES.values())
    measured = list(variants)
    variants |= sgd_settings.accelerated([3], short["train.momentum"], short["train.batch_size"])
    crossed = [("aimp3-mu09-bs32-init", "mu09-bs32-init"), *CROSSED]
    expected = sgd_noise(
        "resnet8",
        "cifar10-jpeg",
        variants,
        {"cifar10-jpeg": cifar, "mnist": MNIST},
        corrupted=100,
        seeds=2,
        rounds=4,
        threads=1,
        train=(8, 128, 5e-4, 0.1, 4),
        products=[ON_TWO_CORES, short],
        measured=measured,
        sgd=sgd_settings.section(
            NO_SGD_NOISE,
            starts=["rewind", 3],
            subsets={"variants": ["mu0-bs128-init"]},
            crossed=sgd_settings.pairs(crossed),
            crossed_tickets=[3],
            probes={"tickets": [0, 3], "epochs": 25},
            transfer={"tickets": [3], "targets": ["mnist"]},
            few_shot={"tickets": [3]},
            stable_rewind={"variants": ["mu09-bs32-rewind1"], "steps": sgd_settings.steps(5)},
        ),
    )
    return of_five_coefficients(short_rounds(expected, 100, KINDS))


def sgd_noise_on_tiny_imagenet() -> dict[str, Any]:
    """The same eight variants on 40 classes at 32×32, forks from the rewind point alone."""
    images = from_parquet("tiny-imagenet", size=32, classes=40)
    expected = sgd_noise(
        "resnet8",
        "tiny-imagenet-40",
        sgd_settings.grid(*ON_TWO_CORES.values()),
        {"tiny-imagenet-40": images, "mnist": MNIST},
        corrupted=80,
        seeds=2,
        rounds=4,
        threads=1,
        train=(10, 128, 5e-4, 0.1, 4),
        products=[ON_TWO_CORES],
        sgd=sgd_settings.section(
            NO_SGD_NOISE,
            starts=["rewind"],
            crossed=sgd_settings.pairs(CROSSED),
            crossed_tickets=[3],
            probes={"tickets": [0, 3], "epochs": 25},
            transfer={"tickets": [3], "targets": ["mnist"]},
            few_shot={"tickets": [3]},
        ),
    )
    return of_five_coefficients(short_rounds(expected, 80, KINDS))


def sgd_noise_on_digits() -> dict[str, Any]:
    """Every measurement on the default's images: momentum and rewinding crossed."""
    digits: dict[str, Any] = {"source": "digits", "watch": "constraints.txt", "val_fraction": 0.2}
    factors: dict[str, dict[str, Any]] = {
        "train.momentum": dict(sgd_settings.PAIR),
        "rewind.epochs": {"init": 0, "rewind1": 1},
    }
    short = {
        "train.epochs": {"aimp2": 2},
        "train.momentum": {"mu09": 0.9},
        "rewind.epochs": {"init": 0},
    }
    variants: dict[str, Any] = {
        f"{mu}-{start}": {"train": {"momentum": momentum}, "rewind": {"epochs": epochs}}
        for mu, momentum in sgd_settings.PAIR.items()
        for start, epochs in (("init", 0), ("rewind1", 1))
    }
    measured = list(variants)
    search = {"train": {"epochs": 2, "momentum": 0.9}, "rewind": {"epochs": 0}}
    variants["aimp2-mu09-init"] = search
    crossed = [("aimp2-mu09-init", "mu09-init"), ("mu0-init", "mu09-init")]
    expected = sgd_noise(
        "resnet8",
        "digits",
        variants,
        {"digits": digits, "digits-0-to-4": digits | {"size": 16, "classes": 5}},
        corrupted=100,
        seeds=2,
        rounds=3,
        threads=1,
        train=(6, 32, 5e-4, 0.1, 1),
        products=[factors, short],
        measured=measured,
        sgd=sgd_settings.section(
            NO_SGD_NOISE,
            starts=["rewind", 2],
            subsets={"variants": ["mu0-init"]},
            crossed=sgd_settings.pairs(crossed),
            crossed_tickets=[2],
            probes={"tickets": [0, 2], "epochs": 25},
            transfer={"tickets": [2], "targets": ["digits-0-to-4"]},
            few_shot={"tickets": [2], "selections": ["most-forgotten"]},
            stable_rewind={"variants": ["mu09-rewind1"], "steps": sgd_settings.steps(4)},
        ),
    )
    expected["train"]["augment"]["flip"] = False
    expected["pooling"]["methods"] = ["interpolation"]
    del expected["pooling"]["recipes"]["average"]
    return short_rounds(expected, 100, ["gaussian_noise", "brightness"])


SETTINGS = {
    "cifar10-cpu-sgd": sgd_noise_on_two_cores(),
    "tiny-imagenet-cpu-sgd": sgd_noise_on_tiny_imagenet(),
    "digits-sgd": sgd_noise_on_digits(),
    **{
        f"sgd-{model}-{dataset}": sgd_noise_published(model, dataset)
        for model, dataset in (
            ("resnet18", "cifar10"),
            ("resnet18", "cifar100"),
            ("vgg16", "cifar100"),
            ("resnet34", "tiny-imagenet"),
        )
    },
    "cifar10-cpu-sup": sup_tickets_on_two_cores(),
    "sup-resnet50-imagenet": sup_tickets_on_imagenet(),
    **{
        f"sup-{m.replace('_', '-')}-{d}": sup_tickets_on_cifar(m, d)
        for m in sup_settings.METHODS
        for d in ("cifar10", "cifar100")
    },
    "cifar10-cpu": on_two_cores(),
    "cifar10-patient": patient(),
    **{f"{m}-{d}": on_cifar(m, d) for m in ("resnet18", "vgg16") for d in ("cifar10", "cifar100")},
    **{f"{m}-imagenet": on_imagenet(m) for m in ("resnet18", "resnet34")},
}


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "params.yaml"


def values(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text())


def test_params_yaml_is_the_default_preset_until_another_is_written():
    assert (ROOT / "params.yaml").read_text() == (ROOT / "presets" / "default.yaml").read_text()


def test_every_preset_has_its_setting_here():
    assert set(names()) == {"default", *SETTINGS}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_preset_is_its_papers_setting_in_every_value(name, params):
    main([name])
    assert values(params) == SETTINGS[name]


@pytest.mark.parametrize("network", ["resnet18", "resnet34"])
def test_26000_of_imagenets_training_images_are_held_out(network):
    """Lottery Pools, table 3. A split's total does not depend on the classes' sizes."""
    images = SETTINGS[f"{network}-imagenet"]["datasets"]["imagenet"]
    assert round(images["val_fraction"] * 1_281_167) == 26_000


@pytest.mark.parametrize("name", [name for name in SETTINGS if "sup" in name])
def test_superposing_takes_the_last_tenth_of_a_published_training(name):
    """Section 3.2.1: 24 epochs of 250, and 8 of 100. Every ending fits behind the common epochs."""
    settings = SETTINGS[name]
    endings = settings["sup_tickets"]["ending"]
    epochs, start = settings["train"]["epochs"], settings["sup_tickets"]["start"]
    superposing = {n: e["tickets"] * e.get("cycle", 0) for n, e in endings.items()}
    assert max(superposing.values()) == epochs - start
    if "cpu" not in name:
        assert superposing["cia"] == {250: 24, 100: 8}[epochs]


@pytest.mark.parametrize("before", names())
def test_what_stood_there_before_leaves_no_trace(before, params):
    main([before])
    main(["vgg16-cifar100"])
    assert params.read_text() == whole("vgg16-cifar100")


@pytest.mark.parametrize("name", names())
def test_every_key_of_a_setting_has_a_comment_on_its_line(name):
    """Names that a person chooses, and what stands below them, explain themselves."""
    text = whole(name)
    assert max(map(len, text.splitlines())) <= 100
    chosen = re.compile(
        r"(datasets|corrupt|variants)\.[^.]+|pooling\.recipes\..+|sup_tickets\.(training|ending)\..+"
    )
    keys = dict(first_lines(parsed(text)[1]))
    assert [at for at, line in keys.items() if "#" not in line and not chosen.fullmatch(at)] == []


def first_lines(entries: dict[str, Entry], above: str = "") -> Iterator[tuple[str, str]]:
    """Each key's dotted path and its line."""
    for key, entry in entries.items():
        yield above + key, entry.lines[0]
        yield from first_lines(entry.entries, f"{above}{key}.")


def test_a_preset_keeps_the_defaults_comments_and_adds_its_own(params):
    main(["resnet18-imagenet"])
    lines = params.read_text().splitlines()
    assert lines[0].startswith("# Lottery Pools: ResNet-18 on ImageNet")
    assert "  epochs: 90                  # passes over the training images" in "\n".join(lines)
    [crop] = [line for line in lines if "crop:" in line]
    assert "random-resized" in crop
    assert "scikit-learn" not in params.read_text()


def test_an_unknown_preset_is_refused_with_the_names_near_it(params, capsys):
    main(["default"])
    before = params.read_text()
    with pytest.raises(SystemExit) as end:
        main(["resnet-cifar10"])
    assert end.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "resnet18-cifar10" in line
    assert "imagenet" not in line
    assert params.read_text() == before


def test_without_a_name_the_presets_are_listed_with_what_they_are(params, capsys):
    main([])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == names()
    assert all("." in line for line in lines)
    assert not params.exists()


def test_the_user_is_told_what_was_replaced(params, capsys):
    main(["default", "--to", str(params)])
    params.write_text(params.read_text().replace("epochs: 6 ", "epochs: 9 "))
    capsys.readouterr()
    main(["cifar10-cpu"])
    text = capsys.readouterr().out
    assert "before it was: The default experiment" in text
    assert "train.epochs: 9 → 6" in text


def test_a_preset_with_a_fault_replaces_nothing(params, capsys, monkeypatch):
    main(["default"])
    before = params.read_text()
    broken = whole("vgg16-cifar10").replace("name: vgg16", "name: vgg61")
    monkeypatch.setattr("presets.__main__.whole", lambda _: broken)
    with pytest.raises(SystemExit) as end:
        main(["vgg16-cifar10"])
    assert end.value.code == 2
    assert "preset vgg16-cifar10: model" in capsys.readouterr().err
    assert params.read_text() == before
    assert [path.name for path in params.parent.iterdir()] == ["params.yaml"]
