import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.resources import Slots, visible_gpus


def shares(slots: Slots) -> list[list[str]]:
    from contextlib import ExitStack

    with ExitStack() as stack:
        places = [stack.enter_context(slots.take()) for _ in range(slots.count)]
    return [p.get("CUDA_VISIBLE_DEVICES", "").split(",") if p else [] for p in places]


@given(count=st.integers(2, 12), gpus=st.integers(0, 12))
def test_places_share_the_gpus_evenly(count: int, gpus: int) -> None:
    names = [str(g) for g in range(gpus)]
    got = shares(Slots(count, names))
    used = [name for share in got for name in share]
    if not gpus:
        assert used == []
    elif count <= gpus:
        assert sorted(used, key=int) == names  # each once
        assert max(map(len, got)) - min(map(len, got)) <= 1
    else:
        assert all(len(share) == 1 for share in got)
        most, least = (f(used.count(n) for n in names) for f in (max, min))
        assert 1 <= least <= most <= least + 1


def test_by_default_each_gpu_is_a_place_and_without_gpus_there_is_one() -> None:
    assert shares(Slots(None, ["0", "GPU-1a2b"])) == [["0"], ["GPU-1a2b"]]
    assert shares(Slots(None, [])) == [[]]


@given(count=st.none() | st.integers(1, 12), gpus=st.integers(1, 16), devices=st.integers(2, 8))
def test_where_stages_train_on_several_gpus_each_place_has_them_to_itself(
    count: int | None, gpus: int, devices: int
) -> None:
    names = [str(g) for g in range(gpus)]
    slots = Slots(count, names, devices)
    assert slots.count == min(count or gpus, max(1, gpus // devices))
    if slots.count > 1:
        got = shares(slots)
        assert all(len(share) >= devices for share in got)
        assert sorted((name for share in got for name in share), key=int) == names  # each once


@pytest.mark.parametrize("devices", [1, 4])
def test_without_gpus_there_are_as_many_places_as_asked_for(devices: int) -> None:
    assert Slots(None, [], devices).count == 1
    assert Slots(3, [], devices).count == 3


def test_a_single_place_sees_every_gpu() -> None:
    with Slots(1, ["0", "1", "2"]).take() as environment:
        assert environment == {}


def test_a_place_is_free_again_after_a_failure() -> None:
    slots = Slots(1, [])
    for _ in range(3):
        with pytest.raises(KeyError), slots.take():
            raise KeyError


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", []), ("-1", []), ("0", ["0"]), ("2, 3", ["2", "3"]), ("0,-1,1", ["0"])],
)
def test_cuda_visible_devices_is_obeyed(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: list[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert visible_gpus() == expected


def test_gpus_are_counted_as_nvidia_smi_lists_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\necho 'GPU 0: H200 (UUID: GPU-a)'; echo 'GPU 1: H200 (UUID: GPU-b)'\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + os.environ["PATH"])
    assert visible_gpus() == ["0", "1"]
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert visible_gpus() == []
