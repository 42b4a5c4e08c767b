import pytest

from lp_core.data.build import build_dataset
from lp_core.data.sources.folder import read_folder, read_imagenet
from lp_core.data.spec import DatasetSpec


def _labels_match_folders(published) -> None:
    for part in published.splits.values():
        for picture, label in zip(part.images, part.labels, strict=True):
            assert f"/{published.classes[label]}/" in picture.data


def test_train_and_val_by_class(cifar_folder):
    published = read_folder(str(cifar_folder))
    assert published.classes == [f"class{i}" for i in range(10)]
    assert {name: len(part) for name, part in published.splits.items()} == {
        "train": 300,
        "val": 100,
    }
    _labels_match_folders(published)
    assert read_imagenet(str(cifar_folder)).classes == published.classes


def test_classes_alone_are_split_by_fraction(tmp_path, folder_writer, cifar_rows):
    folder_writer(tmp_path, cifar_rows)
    (tmp_path / "README.txt").write_text("no image")
    (tmp_path / ".cache").mkdir()
    published = read_folder(str(tmp_path))
    assert set(published.splits) == {"train"}
    _labels_match_folders(published)
    dataset = build_dataset("alone", DatasetSpec(source="folder", watch="pins", path=str(tmp_path)))
    assert [len(dataset.split(name)) for name in ("train", "val", "test")] == [288, 32, 80]


def test_train_val_and_test_stay_as_published(tmp_path, folder_writer, cifar_rows):
    folder_writer(tmp_path / "train", cifar_rows[:200])
    folder_writer(tmp_path / "val", cifar_rows[200:240])
    folder_writer(tmp_path / "test", cifar_rows[240:300])
    dataset = build_dataset("three", DatasetSpec(source="folder", watch="pins", path=str(tmp_path)))
    assert [len(dataset.split(name)) for name in ("train", "val", "test")] == [200, 40, 60]


@pytest.fixture
def tiny(tmp_path, folder_writer, cifar_rows):
    """Tiny ImageNet's layout: boxes beside the images, annotated val, test without labels."""
    folder_writer(tmp_path / "train", cifar_rows[:300], inner="images")
    for home in (tmp_path / "train").iterdir():
        (home / f"{home.name}_boxes.txt").write_text("0000.jpg\t0\t0\t9\t9\n")
    lines = []
    for split in ("val", "test"):
        (tmp_path / split / "images").mkdir(parents=True)
        for index, (data, label) in enumerate(cifar_rows[300:]):
            (tmp_path / split / "images" / f"{split}_{index}.JPEG").write_bytes(data)
            if split == "val":
                lines.append(f"val_{index}.JPEG\tclass{label}\t0\t0\t31\t31\n")
    (tmp_path / "val/val_annotations.txt").write_text("".join(lines))
    return tmp_path


def test_tiny_imagenets_layout_is_understood(tiny, cifar_rows):
    published = read_folder(str(tiny))
    assert {name: len(part) for name, part in published.splits.items()} == {
        "train": 300,
        "val": 100,
    }
    assert published.splits["val"].labels.tolist() == [label for _, label in cifar_rows[300:]]
    dataset = build_dataset("tiny", DatasetSpec(source="folder", watch="pins", path=str(tiny)))
    assert [len(dataset.split(name)) for name in ("train", "val", "test")] == [270, 30, 100]


@pytest.mark.parametrize(
    ("text", "message"),
    [("val_0.JPEG\tdodo\t0", "line 1: .*dodo"), ("val_0.JPEG", "line 1"), ("", "lists no images")],
)
def test_annotations_that_cannot_be_right_are_named(tiny, text, message):
    (tiny / "val/val_annotations.txt").write_text(text)
    with pytest.raises(ValueError, match=rf"val_annotations\.txt.*{message}"):
        read_folder(str(tiny))


def test_an_annotated_image_that_is_not_there_is_named(tiny):
    (tiny / "val/images/val_3.JPEG").unlink()
    with pytest.raises(ValueError, match=r"val_3\.JPEG cannot be read"):
        build_dataset("tiny", DatasetSpec(source="folder", watch="pins", path=str(tiny)))


def test_an_empty_class_is_named(tmp_path, folder_writer, cifar_rows):
    folder_writer(tmp_path, cifar_rows[:50])
    (tmp_path / "dodo").mkdir()
    (tmp_path / "dodo/notes.txt").write_text("extinct")
    with pytest.raises(ValueError, match="dodo holds no images"):
        read_folder(str(tmp_path))


def test_a_class_unknown_to_training_is_named(tmp_path, folder_writer, cifar_rows):
    folder_writer(tmp_path / "train", [row for row in cifar_rows if row[1] != 4])
    folder_writer(tmp_path / "val", cifar_rows[:100])
    with pytest.raises(ValueError, match="val/class4 is a class that the training images do not"):
        read_folder(str(tmp_path))


def test_a_validation_folder_without_classes_is_named(tmp_path, folder_writer, cifar_rows):
    folder_writer(tmp_path / "train", cifar_rows[:50])
    (tmp_path / "val").mkdir()
    (tmp_path / "val/0.jpg").write_bytes(cifar_rows[0][0])
    with pytest.raises(ValueError, match="val holds no folders"):
        read_folder(str(tmp_path))


def test_missing_folders_are_named(tmp_path, folder_writer, cifar_rows):
    with pytest.raises(FileNotFoundError, match="nowhere is not a folder"):
        read_folder(str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="holds no folders"):
        read_folder(str(tmp_path))
    folder_writer(tmp_path / "val", cifar_rows[:5])
    with pytest.raises(FileNotFoundError, match=r"has val/ but no train/"):
        read_folder(str(tmp_path))
    with pytest.raises(FileNotFoundError, match="has no train/; ImageNet needs"):
        read_imagenet(str(tmp_path))


def test_a_corrupted_jpeg_is_named(tmp_path, folder_writer, cifar_rows):
    folder_writer(tmp_path, cifar_rows[:50])
    broken = sorted(tmp_path.glob("*/*.jpg"))[7]
    broken.write_bytes(broken.read_bytes()[:100])
    with pytest.raises(ValueError, match=f"^{broken} cannot be read as an image"):
        build_dataset("broken", DatasetSpec(source="folder", watch="pins", path=str(tmp_path)))
