"""The settings of SGD noise as wholes: the paper's, and the short ones."""

from typing import Any

from tests.tasks import sgd_settings
from tests.tasks.imp_settings import NO_SGD_NOISE, setting, train


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
        both: dict[str, dict[str, Any]]
        both = {"train.momentum": sgd_settings.PAIR, "train.batch_size": sgd_settings.SIZES}
        factors.append(shorter | both | init)
    elif tiny:
        for momentum, size in ((("mu0", 0.0), 256), (("mu09", 0.9), 100)):
            one: dict[str, dict[str, Any]]
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
            transfer={"tickets": [0, 3], "targets": ["mnist"]},
            few_shot={"tickets": [0, 3]},
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
            transfer={"tickets": [0, 3], "targets": ["mnist"]},
            few_shot={"tickets": [0, 3]},
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
            transfer={"tickets": [0, 2], "targets": ["digits-0-to-4"]},
            few_shot={"tickets": [0, 2], "selections": ["most-forgotten"]},
            stable_rewind={"variants": ["mu09-init"], "steps": sgd_settings.steps(4)},
        ),
    )
    expected["train"]["augment"]["flip"] = False
    expected["pooling"]["methods"] = ["interpolation"]
    del expected["pooling"]["recipes"]["average"]
    return short_rounds(expected, 100, ["gaussian_noise", "brightness"])
