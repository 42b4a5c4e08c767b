import io
import os
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from lp_core.data import build as build_room
from lp_core.data.build import build_dataset
from lp_core.data.images import Picture, as_array, open_picture, read_all
from lp_core.data.normalise import mean_and_std
from lp_core.data.sources.examples import Examples, Published
from lp_core.data.spec import DatasetSpec
from lp_core.data.store import SPLITS, Dataset
from lp_core.errors import InputError


def _encoded(image: Image.Image, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


def _write(path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape)


def _two_classes(root, first: np.ndarray, second: np.ndarray) -> DatasetSpec:
    for index in range(20):
        _write(root / f"a/{index}.png", first)
        _write(root / f"b/{index}.png", second)
    return DatasetSpec(source="folder", watch="pins", path=str(root))


def test_digits_are_complete_grey_and_split_by_class():
    dataset = build_dataset("digits", DatasetSpec(source="digits", watch="pins"))
    assert dataset.input_shape == (1, 8, 8)
    assert dataset.classes == list("0123456789")
    assert [len(dataset.split(name)) for name in SPLITS] == [1294, 144, 359]
    images = torch.cat([dataset.split(name).images for name in SPLITS])
    assert images.min() == 0
    assert images.max() == 255
    assert len(images.unique()) == 17
    for name in SPLITS:
        counts = torch.bincount(dataset.labels(name))
        assert counts.max() - counts.min() <= 8


def test_a_stated_normalisation_replaces_the_measured_one(tmp_path):
    stated = {"mean": [0.5, 0.25, 0.125], "std": [0.5, 0.5, 1]}
    spec = _two_classes(tmp_path, _noise(6, 6, 3), _noise(6, 6, 3))
    spec = replace(spec, mean=stated["mean"], std=stated["std"])
    for each in (spec, replace(spec, stream=True, size=6)):
        dataset = build_dataset("own", each)
        assert {"mean": dataset.mean, "std": dataset.std} == stated


def test_a_stated_normalisation_has_a_number_for_each_channel(tmp_path):
    spec = _two_classes(tmp_path, _noise(6, 6), _noise(6, 6))
    with pytest.raises(InputError, match=r"mean has 3 numbers.* the images have 1 channel; give"):
        build_dataset("own", replace(spec, mean=[0.5] * 3, std=[0.5] * 3))


def test_the_split_seed_moves_images_between_splits_and_nothing_else():
    one, same, other = (
        build_dataset("d", DatasetSpec(source="digits", watch="pins", seed=s)) for s in (0, 0, 1)
    )
    assert torch.equal(one.split("val").images, same.split("val").images)
    assert not torch.equal(one.split("test").images, other.split("test").images)
    totals = [sum(d.split(n).images.sum() for n in SPLITS) for d in (one, other)]
    assert totals[0] == totals[1]


def test_images_are_resized_on_request():
    dataset = build_dataset("digits", DatasetSpec(source="digits", watch="pins", size=12))
    assert dataset.input_shape == (1, 12, 12)
    assert dataset.split("val").images.shape == (144, 1, 12, 12)


def test_grey_images_among_coloured_ones_become_coloured(tmp_path):
    grey = _noise(6, 6)
    dataset = build_dataset("mixed", _two_classes(tmp_path, grey, _noise(6, 6, 3)))
    assert dataset.channels == 3
    split = dataset.split("train")
    for channel in range(3):
        assert np.array_equal(split.images[split.labels == 0][0, channel], grey)
    assert np.array_equal(split.images[split.labels == 1][0].permute(1, 2, 0), _noise(6, 6, 3))


def test_grey_images_alone_stay_grey(tmp_path):
    dataset = build_dataset("grey", _two_classes(tmp_path, _noise(5, 7), _noise(5, 7)))
    assert dataset.input_shape == (1, 5, 7)
    assert dataset.size == [5, 7]


def test_real_tiny_imagenet_mixes_grey_and_colour(real_data):
    from lp_core.data.sources.parquet import read_parquet

    pictures = read_parquet(str(real_data / "tiny-imagenet")).splits["val"].images
    assert isinstance(pictures, list)
    assert {pixels.shape for pixels in read_all(pictures[:400], lambda image: image)} == {
        (64, 64, 1),
        (64, 64, 3),
    }


def test_a_label_that_no_class_has_is_named(monkeypatch):
    images, labels = np.zeros((3, 4, 4, 1), np.uint8), np.array([0, 1, 2])
    published = Published(["a", "b"], {"train": Examples(images, labels)})
    monkeypatch.setattr(build_room, "read_torchvision", lambda *_: published)
    spec = DatasetSpec(source="mnist", watch="pins", path="somewhere")
    with pytest.raises(InputError, match=r"^somewhere: label 2 of train's image 2 is out of"):
        build_dataset("mnist", spec)


def test_images_of_two_sizes_need_a_size(tmp_path):
    spec = _two_classes(tmp_path, _noise(6, 6, 3), _noise(8, 6, 3))
    with pytest.raises(ValueError, match=r"b/\d+\.png has 8×6 pixels.* 6×6; set size"):
        build_dataset("sizes", spec)
    resized = DatasetSpec(source="folder", watch="pins", path=str(tmp_path), size=4)
    assert build_dataset("sizes", resized).input_shape == (3, 4, 4)


def test_a_streamed_set_lists_every_file_once(cifar_folder):
    spec = DatasetSpec(source="folder", watch="pins", path=str(cifar_folder), size=16, stream=True)
    dataset = build_dataset("folder", spec)
    assert dataset.streamed
    assert dataset.input_shape == (3, 16, 16)
    listings = [dataset.listing(name) for name in SPLITS]
    found = sorted(part.path(i) for part in listings for i in range(len(part)))
    assert found == sorted(str(path) for path in cifar_folder.glob("*/*/*.jpg"))
    for part in listings:
        for index in range(len(part)):
            assert dataset.classes[part.labels[index]] in part.path(index)


def test_a_stored_streamed_set_differs_where_a_file_was_replaced(cifar_folder, tmp_path):
    photos = shutil.copytree(cifar_folder, tmp_path / "photos")
    spec = DatasetSpec(source="folder", watch="pins", path=str(photos), size=16, stream=True)

    def stored(name: str) -> list[bytes]:
        build_dataset("folder", spec).save(tmp_path / name)
        return [(tmp_path / name / f"{split}.parquet").read_bytes() for split in SPLITS]

    before = stored("before")
    assert stored("again") == before
    chosen = Dataset.load(tmp_path / "before").listing("test").path(3)
    Image.new("RGB", (40, 40)).save(chosen)
    after = stored("after")
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, False]


def test_cifar_from_parquet_holds_a_tenth_out(cifar_parquet):
    dataset = build_dataset(
        "cifar", DatasetSpec(source="parquet", watch="pins", path=str(cifar_parquet))
    )
    assert [len(dataset.split(name)) for name in SPLITS] == [360, 40, 100]
    assert dataset.classes[:3] == ["airplane", "automobile", "bird"]
    assert all(0.3 < mean < 0.6 for mean in dataset.mean)


@settings(deadline=None, max_examples=30)
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=4, max_dims=4, max_side=6)))
def test_mean_and_deviation_are_those_of_all_pixels(images):
    mean, std = mean_and_std(images)
    scaled = images.reshape(-1, images.shape[3]) / 255
    assert np.allclose(mean, scaled.mean(0))
    assert np.allclose(std, np.where(np.ptp(images, axis=(0, 1, 2)), scaled.std(0), 1))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("L", 1), ("1", 1), ("LA", 1), ("RGB", 3), ("RGBA", 3), ("P", 3), ("I;16", 1)],
)
def test_every_kind_of_pixel_becomes_eight_bit_grey_or_colour(mode, expected):
    image = Image.new(mode, (4, 3))
    assert as_array(open_picture(Picture(_encoded(image), "x"))).shape == (3, 4, expected)


def test_sixteen_bits_of_grey_keep_their_upper_eight():
    image = Image.fromarray(np.array([[0, 256, 65535]], dtype=np.uint16))
    assert as_array(open_picture(Picture(_encoded(image), "x"))).reshape(-1).tolist() == [0, 1, 255]


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_broken_file_raises_a_value_error_that_names_it(cifar_rows, data):
    whole = cifar_rows[0][0]
    cut = whole[: data.draw(st.integers(0, len(whole) // 2))]
    with pytest.raises(ValueError, match=r"^some/file\.jpg cannot be read as an image"):
        open_picture(Picture(cut, "some/file.jpg"))


def test_a_missing_file_is_named(tmp_path):
    path = str(tmp_path / "gone.png")
    with pytest.raises(ValueError, match=r"gone\.png cannot be read"):
        list(read_all([Picture(path, path)], lambda image: image))


def test_threads_keep_the_order_of_images(cifar_rows):
    pictures = [Picture(data, str(i)) for i, (data, _) in enumerate(cifar_rows)]
    arrays = read_all(pictures, lambda image: image)
    for picture, pixels in zip(pictures, arrays, strict=True):
        assert np.array_equal(as_array(open_picture(picture)), pixels)


def test_a_batch_of_images_keeps_every_core_busy(cifar_rows, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    together, known = threading.Barrier(16), threading.local()

    def meet(image: Image.Image) -> Image.Image:
        if not hasattr(known, "met"):
            known.met = together.wait(timeout=20)
        return image

    pictures = [Picture(data, str(i)) for i, (data, _) in enumerate(cifar_rows)]
    assert len(list(read_all(pictures, meet))) == len(pictures) < 500


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"val_fraction": 0.0}, "val_fraction is 0.0"),
        ({"test_fraction": 1.0}, "test_fraction is 1.0"),
        ({"size": 0}, "size is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"watch": ""}, "watch is empty; name a file"),
        ({"source": "folder"}, "path is empty; name the folder of source folder"),
        ({"path": "downloads"}, "path is 'downloads', but source digits reads none"),
        ({"classes": 0}, "classes is 0; give 1 or more, or null"),
        ({"train_images": 0}, "train_images is 0"),
        ({"test_images": -1}, "test_images is -1"),
        (
            {"source": "folder", "path": "a", "stream": True, "size": 8, "test_images": 9},
            "test_images is 9, but stream is true",
        ),
        ({"stream": True, "size": 8}, "only folder and imagenet"),
        ({"source": "imagenet", "path": "photos", "stream": True}, "without size"),
    ],
)
def test_impossible_settings_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DatasetSpec(**({"source": "digits", "watch": "pins"} | arguments))


@given(classes=st.integers(2, 10), train=st.integers(40, 200), test=st.integers(10, 60))
@settings(deadline=None, max_examples=10)
def test_the_first_classes_and_balanced_numbers_of_images_are_kept(classes, train, test):
    spec = DatasetSpec(
        source="digits", watch="pins", classes=classes, train_images=train, test_images=test
    )
    dataset = build_dataset("digits", spec)
    assert dataset.classes == list("0123456789")[:classes]
    assert len(dataset.labels("train")) + len(dataset.labels("val")) == train
    assert len(dataset.labels("test")) == test
    both = torch.cat([dataset.labels("train"), dataset.labels("val")])
    for labels in (both, dataset.labels("test")):
        counts = torch.bincount(labels, minlength=classes)
        assert len(counts) == classes
        assert counts.max() - counts.min() <= 1


def test_chosen_images_are_some_of_all_and_the_seed_chooses(cifar_parquet):
    def images(**arguments) -> list[set[bytes]]:
        spec = DatasetSpec(source="parquet", path=str(cifar_parquet), watch="pins", **arguments)
        dataset = build_dataset("cifar", spec)
        return [{image.numpy().tobytes() for image in dataset.split(s).images} for s in SPLITS]

    train, val, test = images()
    some, same, other = (images(train_images=40, test_images=20, seed=s) for s in (0, 0, 1))
    assert some == same != other
    assert some[0] | some[1] < train | val
    assert some[2] < test


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": 11}, "classes is 11; there are 10"),
        ({"train_images": 1439}, "train_images is 1439; give 10, one for each class, up to"),
        ({"test_images": 9}, "test_images is 9; give 10, one for each class, up to the 359"),
    ],
)
def test_more_than_there_is_cannot_be_kept(arguments, message):
    spec = DatasetSpec(source="digits", watch="pins", **arguments)
    with pytest.raises(InputError, match=message):
        build_dataset("digits", spec)
