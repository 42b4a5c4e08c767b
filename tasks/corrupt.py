"""Stage `corrupt`: the corrupted test sets of a data set."""

import shutil
from argparse import Namespace

from lp_core.corruptions.sets import chosen_images, generated, official, what_they_compare_with
from lp_core.corruptions.spec import CorruptSpec
from lp_core.data.corrupted import save_array, write_manifest
from lp_core.data.loading import load_images
from lp_core.data.store import Dataset
from tasks.kit import paths
from tasks.kit.cli import run
from tasks.kit.params import Params


def main(arguments: Namespace) -> None:
    """Write one array for each corruption, their labels, and a manifest."""
    name = arguments.dataset
    spec = Params().section(f"corrupt.{name}", CorruptSpec)
    dataset = Dataset.load(paths.dataset(name))
    labels = dataset.labels("test").numpy()
    chosen = chosen_images(labels, spec)
    if spec.source == "official":
        channels, height, width = dataset.input_shape
        sets = official(labels, (height, width, channels), chosen, spec)
    else:
        images = load_images(dataset, "test", chosen).images
        sets = generated(images.permute(0, 2, 3, 1).contiguous().numpy(), spec)
        print(f"corrupt@{name}: {what_they_compare_with(*images.shape[2:])}", flush=True)

    folder = paths.corrupted(name)
    unfinished = folder.with_name(f".{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        checksums = {}
        for number, (corruption, severities) in enumerate(sets, start=1):
            file = unfinished / f"{corruption}.npy"
            checksums[corruption] = save_array(file, severities, len(spec.severities))
            print(f"corrupt@{name}: {corruption} {number}/{len(spec.corruptions)}", flush=True)
        write_manifest(unfinished, labels[chosen], spec.severities, checksums)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


if __name__ == "__main__":
    run(main, dataset="datasets", code=("corrupt", "corruptions/{dataset}"))
