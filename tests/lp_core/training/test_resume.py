import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from lp_core.compute_spec import ComputeSpec
from lp_core.models.factory import build
from lp_core.tickets import Ticket
from lp_core.training.curve import Epoch
from lp_core.training.resume import StateError, load_state
from tests.lp_core.strategies import bits, state
from tests.lp_core.tiny import LONG, ROOT, TinyRun, plain_network, residual_network, without_time

COMPUTE = {
    "fp32-contiguous": ComputeSpec("cpu", "fp32", channels_last=False, threads=1),
    "bf16-channels_last": ComputeSpec("cpu", "bf16", channels_last=True, threads=1),
}
EPOCHS = 4


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.fixture(scope="module", params=COMPUTE)
def undisturbed(request: pytest.FixtureRequest) -> tuple[TinyRun, list[Epoch]]:
    run = TinyRun(epochs=EPOCHS, compute=COMPUTE[request.param])
    return run, run.train()


@pytest.mark.parametrize("last", range(EPOCHS))
def test_resumed_after_any_epoch_a_run_gives_the_same_bytes(undisturbed, last, tmp_path):
    run, curve = undisturbed

    def stop(epoch: Epoch) -> None:
        if epoch.epoch == last:
            raise KilledError

    with pytest.raises(KilledError):
        run.again(state=tmp_path / "state", on_epoch=stop).train()
    told: list[Epoch] = []
    resumed = run.again(state=tmp_path / "state", on_epoch=told.append)
    assert without_time(resumed.train()) == without_time(curve)
    assert [epoch.epoch for epoch in told] == list(range(last + 1, EPOCHS))
    assert state(resumed.ticket()) == state(run.ticket())


def test_a_run_killed_at_any_step_gives_the_same_bytes(undisturbed, tmp_path_factory):
    run, curve = undisturbed

    @settings(deadline=None, max_examples=8)
    @given(steps=st.lists(st.integers(1, 5 * EPOCHS), max_size=3))
    def check(steps: list[int]) -> None:
        folder = tmp_path_factory.mktemp("steps")
        for step in steps:
            killed = run.again(state=folder / "state")
            left = [step]

            def count(*_: object, left: list[int] = left) -> None:
                left[0] -= 1
                if left[0] == 0:
                    raise KilledError

            killed.model.register_forward_pre_hook(count)
            try:
                killed.train()
            except KilledError:
                continue
        resumed = run.again(state=folder / "state")
        assert without_time(resumed.train()) == without_time(curve)
        assert state(resumed.ticket()) == state(run.ticket())

    check()


def test_the_state_holds_the_momentum_of_every_weight(undisturbed, tmp_path):
    run, curve = undisturbed
    run.again(state=tmp_path / "state", stop=2).train()
    with safe_open(tmp_path / "state", framework="pt") as file:
        momenta = {k for k in file.keys() if k.startswith("momentum:")}  # noqa: SIM118
        assert momenta == {f"momentum:{name}" for name, _ in run.model.named_parameters()}
        assert all(file.get_tensor(name).any() for name in momenta)
        rows = json.loads(file.metadata()["run"])["head"]["curve"]
    assert without_time([Epoch(**row) for row in rows]) == without_time(curve)[:2]


def _another_head(path: Path, head: str) -> None:
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    save_file(tensors, path, {"run": head})


def _flip(path: Path, share: float) -> None:
    """One bit, `share` of the file's length from its beginning."""
    content = bytearray(path.read_bytes())
    content[int(share * (len(content) - 1))] ^= 1
    path.write_bytes(content)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _another_networks(path: Path) -> None:
    path.unlink()
    TinyRun(epochs=2, stop=1, network=plain_network, state=path).train()


def _wider_networks(path: Path) -> None:
    """The same names, other shapes."""
    path.unlink()
    TinyRun(epochs=2, stop=1, network=lambda: build("resnet8", 7, 3, 8, seed=0), state=path).train()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:7]),
        lambda path: path.write_bytes(path.read_bytes()[:200]),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_text("no space left on device"),
        lambda path: save_file({"model:x": torch.ones(2)}, path),
        lambda path: save_file({"model:x": torch.ones(2)}, path, {"format": "pt"}),
        lambda path: _another_head(path, "[{"),
        lambda path: _another_head(path, '{"head": {}}'),
        lambda path: _another_head(path, "5"),
        lambda path: _flip(path, 0),
        lambda path: _flip(path, 0.5),
        lambda path: _flip(path, 0.9),
        lambda path: _flip(path, 1),
        _folder,
        _another_networks,
        _wider_networks,
    ],
    ids=[
        *("empty", "length-cut", "header-cut", "one-byte-short", "text", "no-metadata"),
        *("other-metadata", "bad-json", "no-digest", "a-number", "first-bit", "middle-bit"),
        *("late-bit", "last-bit", "folder", "another-networks", "another-shape"),
    ],
)
def test_from_a_spoilt_state_a_run_starts_over_and_says_so(spoil, tmp_path, capsys):
    run = TinyRun(epochs=2)
    run.train()
    before = run.again(state=tmp_path / "state", stop=1)
    before.train()
    spoil(tmp_path / "state")
    told: list[Epoch] = []
    again = run.again(state=tmp_path / "state", on_epoch=told.append)
    again.train()
    assert [epoch.epoch for epoch in told] == [0, 1]
    assert state(again.ticket()) == state(run.ticket())
    printed = capsys.readouterr().out
    assert printed.startswith(f"{tmp_path / 'state'}: ")
    assert printed.endswith("; the run starts over\n")
    assert printed.count("\n") == 1


@pytest.fixture(scope="module")
def whole_state(tmp_path_factory: pytest.TempPathFactory) -> tuple[TinyRun, bytes]:
    state = tmp_path_factory.mktemp("run") / "state"
    run = TinyRun(epochs=1, network=plain_network, state=state)
    run.train()
    return run, state.read_bytes()


@settings(deadline=None, max_examples=60)
@given(share=st.floats(0, 1), bit=st.integers(0, 7))
def test_a_state_with_one_bit_wrong_is_never_taken_for_another(whole_state, share, bit):
    run, content = whole_state
    path = run.state.with_name("flipped")
    flipped = bytearray(content)
    flipped[int(share * (len(content) - 1))] ^= 1 << bit
    path.write_bytes(flipped)
    before = bits(run.model.state_dict())
    with suppress(StateError):  # some bits, such as those of white space, mean nothing
        load_state(path, run.trainer.progress)
    assert bits(run.model.state_dict()) == before


def test_without_a_state_a_run_begins_and_says_nothing(tmp_path, capsys):
    TinyRun(epochs=1, state=tmp_path / "state").train()
    assert capsys.readouterr().out == ""


def test_a_state_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    run = TinyRun(epochs=3)
    run.train()
    run.again(state=tmp_path / "state", stop=1).train()
    before = (tmp_path / "state").read_bytes()

    def full(_: int) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            run.again(state=tmp_path / "state").train()
    assert (tmp_path / "state").read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "state"]
    resumed = run.again(state=tmp_path / "state")
    resumed.train()
    assert state(resumed.ticket()) == state(run.ticket())


def test_a_finished_run_is_read_back_without_training(tmp_path):
    for network in (plain_network, residual_network):
        path = tmp_path / network.__name__
        run = TinyRun(network=network, state=path)
        curve = run.train()
        told: list[Epoch] = []
        again = run.again(on_epoch=told.append)
        assert again.train() == curve
        assert told == []
        assert bits(again.model.state_dict()) == bits(run.model.state_dict())


def test_a_run_killed_by_the_system_at_any_moment_gives_the_same_file(tmp_path):
    command = [sys.executable, "-m", "tests.lp_core.tiny", tmp_path / "state", tmp_path / "ticket"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "epoch 0\n"
        time.sleep(np.random.default_rng().uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        finished = 1 + len(process.stdout.read().splitlines())
    assert process.returncode == -signal.SIGKILL, f"it ended after {finished} epochs"
    assert not (tmp_path / "ticket").exists()
    rest = subprocess.check_output(command, cwd=ROOT, text=True)
    # The epoch whose line the kill cut off may be finished already.
    assert int(rest.split()[1]) in (finished, finished + 1)
    run = TinyRun(**LONG)
    run.train()
    run.ticket().save(tmp_path / "undisturbed")
    same = (tmp_path / "ticket").read_bytes() == (tmp_path / "undisturbed").read_bytes()
    assert same, f"killed after {finished} epochs"
    assert Ticket.load(tmp_path / "ticket").density == pytest.approx(0.5, abs=0.01)
