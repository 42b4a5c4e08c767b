import subprocess
import sys

import numpy as np
import pytest
import torch

from lp_core.data.build import build_dataset
from lp_core.data.loading import eval_batches, load_images, normalised_batches
from lp_core.data.spec import DatasetSpec


@pytest.fixture(scope="module")
def digits():
    return build_dataset("digits", DatasetSpec(source="digits", watch="pins"))


@pytest.fixture(scope="module", params=["memory", "stream"])
def either(request, cifar_folder):
    stream = request.param == "stream"
    return build_dataset(
        "f",
        DatasetSpec(source="folder", watch="pins", path=str(cifar_folder), size=16, stream=stream),
    )


def test_evaluation_covers_the_split_in_order(either):
    batches = list(eval_batches(either, "test", 32, "cpu"))
    assert [len(labels) for _, labels in batches] == [32, 32, 32, 4]
    assert torch.equal(torch.cat([labels for _, labels in batches]), either.labels("test"))
    assert all(i.is_contiguous(memory_format=torch.channels_last) for i, _ in batches)


def test_evaluated_images_are_the_stored_ones_normalised(either):
    split = load_images(either, "val")
    mean = torch.tensor(either.mean).view(3, 1, 1)
    std = torch.tensor(either.std).view(3, 1, 1)
    images = torch.cat([images for images, _ in eval_batches(either, "val", 8, "cpu")])
    torch.testing.assert_close(images, (split.images / 255 - mean) / std, atol=3e-6, rtol=0)


def test_indices_choose_images_in_their_own_order(either):
    chosen = np.array([7, 2, 2, 19])
    whole, some = load_images(either, "val"), load_images(either, "val", chosen)
    assert some.images.dtype == torch.uint8
    assert torch.equal(some.images, whole.images[chosen])
    assert torch.equal(some.labels, whole.labels[chosen])
    ((images, labels),) = eval_batches(either, "val", 8, "cpu", torch.from_numpy(chosen))
    (expected,) = normalised_batches(some.images, some.labels, either.mean, either.std, 8, "cpu")
    assert torch.equal(images, expected[0])
    assert torch.equal(labels, expected[1])


def test_training_images_have_zero_mean_and_unit_deviation(digits):
    images = torch.cat([images for images, _ in eval_batches(digits, "train", 500, "cpu")])
    assert abs(images.double().mean()) < 1e-6
    assert abs(images.double().std(correction=0) - 1) < 1e-6


def test_training_from_memory_imports_no_reader_and_no_torchvision():
    code = (
        "import sys; import lp_core.data.loading, lp_core.data.subsets;"
        "ours = ('lp_core.data.sources', 'lp_core.data.build', 'lp_core.data.spec');"
        "loaded = {m.split('.')[0] for m in sys.modules} & {'torchvision', 'pyarrow', 'sklearn'};"
        "loaded |= {m for m in sys.modules if m.startswith(ours)};"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_package_hands_out_its_public_names():
    import lp_core.data as face

    for name in vars(face)["__all__"]:
        assert callable(getattr(face, name))
