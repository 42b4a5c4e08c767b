import math
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.build import build_dataset
from lp_core.data.crops import centre_crop, random_resized_crop
from lp_core.data.loading import eval_batches, load_images, train_loader
from lp_core.data.spec import DatasetSpec
from lp_core.data.store import Dataset
from lp_core.data.stream import StreamLoader

BOTH = AugmentSpec(crop=1, flip=True)


@pytest.fixture(scope="module")
def streamed(cifar_folder) -> Dataset:
    spec = DatasetSpec(source="folder", watch="pins", path=str(cifar_folder), size=16, stream=True)
    return build_dataset("folder", spec)


def _epoch(dataset, seed=0, augment=BOTH, **where):
    return list(train_loader(dataset, 32, augment, "cpu", **({"workers": 0} | where)).epoch(seed))


def _same(batches, others) -> bool:
    pairs = zip(batches, others, strict=True)
    return all(torch.equal(a, b) for pair in pairs for a, b in zip(*pair, strict=True))


def test_an_epoch_is_the_same_for_any_number_of_workers(streamed):
    alone = _epoch(streamed)
    assert isinstance(train_loader(streamed, 32, BOTH, "cpu"), StreamLoader)
    assert _same(alone, _epoch(streamed, workers=2))
    assert not _same(alone, _epoch(streamed, seed=1))


def test_an_epoch_leaves_the_global_generator_alone(streamed):
    before = torch.get_rng_state()
    _epoch(streamed)
    assert torch.equal(before, torch.get_rng_state())


def test_the_ranks_shares_together_are_the_single_process_batch(streamed):
    shares = [_epoch(streamed, rank=rank, world=2) for rank in range(2)]
    for batches in zip(_epoch(streamed), *shares, strict=True):
        for whole, first, second in zip(*batches, strict=True):
            assert torch.equal(whole, torch.cat([first, second]))


def test_a_batch_knows_which_samples_it_holds(streamed):
    labels = streamed.labels("train")
    batches = _epoch(streamed)
    assert all(torch.equal(batch.labels, labels[batch.indices]) for batch in batches)
    assert len(torch.cat([batch.indices for batch in batches]).unique()) == 8 * 32


def test_an_epoch_of_a_subset_holds_these_samples_alone_and_varies_them_alike(streamed):
    """What happens to an image depends on the epoch and the image, not on who else takes part."""
    subset = np.arange(0, 270, 4)[:64]
    batches = _epoch(streamed, subset=subset)
    assert sorted(torch.cat([batch.indices for batch in batches]).tolist()) == subset.tolist()
    whole = {
        index: image
        for batch in _epoch(streamed)
        for index, image in zip(batch.indices.tolist(), batch.images, strict=True)
    }
    for batch in batches:
        for index, image in zip(batch.indices.tolist(), batch.images, strict=True):
            assert index not in whole or torch.equal(image, whole[index])


def test_batches_have_the_shape_and_layout_of_those_in_memory(streamed):
    loader = train_loader(streamed, 32, BOTH, "cpu")
    batches = list(loader.epoch(0))
    assert len(batches) == len(loader) == 270 // 32
    for images, labels, _ in batches:
        assert images.shape == (32, 3, 16, 16)
        assert images.dtype == torch.float32
        assert labels.dtype == torch.int64
        assert images.is_contiguous(memory_format=torch.channels_last)


def test_without_augmentation_training_sees_what_evaluation_sees(streamed):
    plain = _epoch(streamed, augment=AugmentSpec(crop=0, flip=False))
    order = torch.randperm(270, generator=torch.Generator().manual_seed(0))
    evaluated = eval_batches(streamed, "train", 32, "cpu", order[: 32 * len(plain)])
    assert _same([batch[:2] for batch in plain], list(evaluated))


def test_an_unreadable_image_is_named_with_and_without_workers(cifar_folder, tmp_path):
    shutil.copytree(cifar_folder, tmp_path / "set")
    spec = DatasetSpec(
        source="folder", watch="pins", path=str(tmp_path / "set"), size=16, stream=True
    )
    dataset = build_dataset("folder", spec)
    broken = dataset.listing("train").path(5)
    with open(broken, "r+b") as file:
        file.truncate(300)
    for workers in (0, 1):
        with pytest.raises(ValueError, match="cannot be read") as caught:
            _epoch(dataset, workers=workers)
        assert str(caught.value).startswith(broken)
        assert "Traceback" not in str(caught.value)
    with pytest.raises(ValueError, match=broken):
        load_images(dataset, "train")


def test_a_centre_crop_sees_the_middle_seven_eighths_of_the_shorter_side():
    ramp = np.tile(np.arange(256, dtype=np.uint8), (128, 1))  # 128 high, 256 wide
    pixels = np.asarray(centre_crop(Image.fromarray(ramp), 112))
    assert pixels.shape == (112, 112, 3)
    assert abs(int(pixels[0, 0, 0]) - 72) <= 1
    assert abs(int(pixels[0, -1, 0]) - 183) <= 1


@settings(deadline=None, max_examples=60)
@given(
    width=st.integers(1, 90), height=st.integers(1, 90), seed=st.integers(0, 2**32), size=st.just(7)
)
def test_a_random_crop_of_any_image_has_the_asked_size(width, height, seed, size):
    image = Image.new("L", (width, height), 9)
    crop = random_resized_crop(image, size, np.random.default_rng(seed))
    assert crop.size == (size, size)
    assert crop.mode == "RGB"
    assert np.unique(np.asarray(crop)).tolist() == [9]


def test_random_crops_cover_the_recipes_range_of_areas_and_shapes(monkeypatch):
    boxes = []

    def note(image: Image.Image, *_: object, box: tuple[int, ...]) -> Image.Image:
        boxes.append(box)
        return image

    monkeypatch.setattr(Image.Image, "resize", note)
    image = Image.new("RGB", (200, 200))
    for seed in range(400):
        random_resized_crop(image, 8, np.random.default_rng(seed))
    wide = np.array([right - left for left, _, right, _ in boxes])
    high = np.array([bottom - top for _, top, _, bottom in boxes])
    assert all(
        0 <= left < right <= 200 and 0 <= top < low <= 200 for left, top, right, low in boxes
    )
    shares, aspects = wide * high / 200**2, np.log(wide / high)
    assert shares.min() > 0.07
    assert shares.min() < 0.12
    assert shares.max() > 0.9
    assert np.abs(aspects).max() < math.log(4 / 3) + 0.03
    assert abs(aspects.mean()) < 0.03
