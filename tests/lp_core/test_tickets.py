import io
import json
import re
from pathlib import Path

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from lp_core import packing
from lp_core import tickets as tickets_room
from lp_core.checksums import sealed
from lp_core.errors import InputError
from lp_core.files import atomic_write
from lp_core.models.factory import build
from lp_core.models.structure import prunable
from lp_core.sparsity.magnitude import magnitude_mask
from lp_core.tickets import Ticket, TicketError, read_digest, read_meta
from tests.lp_core.strategies import bits, json_values, state, tickets


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tickets")


@settings(deadline=None, max_examples=60)
@given(ticket=tickets(), meta=st.dictionaries(st.text(), json_values, max_size=4))
def test_a_saved_ticket_comes_back_bit_for_bit(folder, ticket, meta):
    ticket.meta |= meta
    ticket.save(folder / "one.safetensors")
    loaded = Ticket.load(folder / "one.safetensors")
    assert sorted(bits(loaded.buffers).items()) == sorted(bits(ticket.buffers).items())
    loaded.buffers = {name: loaded.buffers[name] for name in ticket.buffers}
    assert state(loaded) == state(ticket)
    assert list(loaded.meta) == list(ticket.meta)
    assert loaded.meta == read_meta(folder / "one.safetensors") == ticket.meta
    assert loaded.digest == read_digest(folder / "one.safetensors") == ticket.digest


@settings(deadline=None, max_examples=30)
@given(ticket=tickets())
def test_equal_tickets_are_equal_files(folder, ticket):
    ticket.save(folder / "first.safetensors")
    Ticket.load(folder / "first.safetensors").save(folder / "second.safetensors")
    parts = (ticket.weights, ticket.mask, ticket.buffers)
    weights, mask, buffers = ({n: t.clone() for n, t in part.items()} for part in parts)
    Ticket(weights, mask, buffers, dict(ticket.meta)).save(folder / "third.safetensors")
    files = [folder / f"{name}.safetensors" for name in ("first", "second", "third")]
    assert len({file.read_bytes() for file in files}) == 1


def test_the_layout_in_memory_is_no_part_of_a_ticket(folder):
    weight = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    mask = weight > 0
    for name, layout in (("a", torch.contiguous_format), ("b", torch.channels_last)):
        ticket = Ticket({"w": weight * mask}, {"w": mask}).to(torch.device("cpu"), layout)
        ticket.save(folder / name)
        Ticket({"w": ticket.weights["w"]}, {}).save(folder / f"{name}-dense")
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()
    assert (folder / "a-dense").read_bytes() == (folder / "b-dense").read_bytes()


def test_a_trail_of_tickets_takes_less_than_a_third_of_its_dense_checkpoints(folder):
    model = build("resnet20", 10, 3, 32, seed=0)
    checkpoint = io.BytesIO()
    torch.save(model.state_dict(), checkpoint)
    weights = {n: p for n, p in model.named_parameters() if n in prunable(model, "conv")}
    total = sum(weight.numel() for weight in weights.values())
    sizes = []
    for k in range(20):
        ticket = Ticket.of(model, magnitude_mask(weights, round(total * 0.8**k)), {"ticket": k})
        ticket.save(folder / "trail")
        sizes.append((folder / "trail").stat().st_size)
    assert sum(sizes) <= 0.3 * 20 * len(checkpoint.getvalue())
    assert sizes == sorted(sizes, reverse=True)
    # What is left at 0.8¹⁹ = 1.4% is an eighth of a byte a weight, and what is never pruned.
    assert sizes[-1] < 0.1 * sizes[0]


def test_a_ticket_of_a_network_is_a_copy_that_loads_back():
    model = build("resnet8", 4, 1, 8, seed=1)
    mask = {n: torch.ones_like(model.get_parameter(n), dtype=torch.bool) for n in prunable(model)}
    ticket = Ticket.of(model, mask, {})
    before = state(ticket)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.add_(1)
    assert state(ticket) == before
    ticket.load_into(model)
    assert state(Ticket.of(model, mask, {})) == before
    assert ticket.density == 1.0
    assert ticket.kept == ticket.prunable == sum(m.numel() for m in mask.values())


def test_density_counts_what_the_mask_keeps():
    mask = {"a": torch.tensor([True, False, False]), "b": torch.tensor([[True], [False]])}
    ticket = Ticket({"a": torch.zeros(3), "b": torch.zeros(2, 1), "c": torch.zeros(9)}, mask)
    assert (ticket.kept, ticket.prunable, ticket.density) == (2, 5, 0.4)


def _saved(folder: Path) -> bytes:
    path = folder / "whole.safetensors"
    generator = torch.Generator().manual_seed(0)
    weights = {"conv": torch.randn(4, 3, 3, 3, generator=generator), "bias": torch.ones(4)}
    mask = {"conv": weights["conv"] > 0}
    Ticket({**weights, "conv": weights["conv"] * mask["conv"]}, mask, {}, {"ticket": 3}).save(path)
    return path.read_bytes()


@settings(deadline=None, max_examples=80)
@given(data=st.data())
def test_a_truncated_file_is_one_clear_error(folder, data):
    whole = _saved(folder)
    header = 8 + int.from_bytes(whole[:8], "little")
    kinds = st.sampled_from([0, 1, 7, 8, 9, header - 1, header, header + 1, len(whole) - 1])
    path = folder / "cut.safetensors"
    path.write_bytes(whole[: data.draw(kinds | st.integers(0, len(whole) - 1))])
    for read in (Ticket.load, read_meta, read_digest):
        with pytest.raises(TicketError, match=r"cut\.safetensors: not a whole ticket") as error:
            read(path)
        assert "\n" not in str(error.value)


def _foreign(path: Path, header: object, **tensors: torch.Tensor) -> None:
    save_file(tensors or {"x": torch.zeros(2)}, path, {"ticket": sealed(json.dumps(header))})


_GOOD = {
    "format": "lottery-pools ticket 3",
    "digest": "0" * 32,
    "layout": {"order": [], "prunable": [], "shapes": {}},
    "meta": {},
}


def _with_layout(path: Path, **changes: object) -> None:
    """A file of one masked weight whose digest is right, whatever is said of its layout."""
    tensors = {"mask:w": torch.tensor([255], dtype=torch.uint8), "kept:w": torch.zeros(2)}
    layout = {"order": ["w"], "prunable": ["w"], "shapes": {"w": [2]}} | changes
    digest = packing.digest(tensors, layout)
    _foreign(path, _GOOD | {"digest": digest, "layout": layout}, **tensors)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: save_file({"x": torch.zeros(2)}, path, {"ticket": "{not json"}),
        lambda path: _foreign(path, {"format": "lottery-pools ticket 99"}),
        lambda path: _foreign(path, []),
        lambda path: _foreign(path, 5),
        lambda path: _foreign(path, None),
        lambda path: _foreign(path, {k: v for k, v in _GOOD.items() if k != "meta"}),
        lambda path: _foreign(path, _GOOD | {"meta": None}),
        lambda path: _foreign(path, _GOOD | {"meta": [1]}),
        lambda path: _foreign(path, _GOOD | {"digest": None}),
        lambda path: _foreign(path, _GOOD | {"layout": None}),
        lambda path: _with_layout(path, order=["conv"]),
        lambda path: _with_layout(path, order=["conv"], shapes={"conv": [3]}),
        lambda path: _with_layout(path, order=5),
        lambda path: _with_layout(path, prunable=["conv"]),
        lambda path: _with_layout(path, shapes={"w": [3]}),
        lambda path: _with_layout(path, shapes={"w": [10**12, 10**12]}),
        lambda path: _with_layout(path, shapes={"w": [-1, -2]}),
        lambda path: _with_layout(path, shapes={"w": [0]}),
        lambda path: _with_layout(path, shapes={"w": "two"}),
        lambda path: _with_layout(path, shapes={"w": [[2]]}),
        lambda path: _with_layout(path, shapes={"w": [2.0]}),
        lambda path: _with_layout(path, shapes={"w": None}),
        lambda path: _with_layout(path, shapes=None),
        lambda path: path.write_text("epoch,accuracy\n1,0.5\n" * 99),
        lambda path: path.write_bytes(bytes(range(256)) * 9),
    ],
    ids=[
        *("bad-json", "other-format", "a-list", "a-number"),
        *("null", "no-meta", "meta-is-null", "meta-is-a-list", "digest-is-null", "layout-is-null"),
        *("no-such-weight", "no-such-mask", "order-is-a-number", "no-such-prunable"),
        *("too-few-values", "huge-shape", "negative-shape", "empty-shape", "shape-is-text"),
        *("nested-shape", "fractional-shape", "shape-is-null", "shapes-are-null"),
        *("text", "noise"),
    ],
)
def test_a_foreign_file_is_one_clear_error(tmp_path, write):
    path = tmp_path / "strange.safetensors"
    write(path)
    with pytest.raises(TicketError, match=r"strange\.safetensors: .*make it anew$"):
        Ticket.load(path)


@pytest.mark.parametrize(
    "write",
    [
        torch.save,
        save_file,
        lambda tensors, path: save_file(tensors, path, {"format": "pt"}),
    ],
    ids=["torch.save", "safetensors", "transformers"],
)
def test_somebodys_weights_are_not_said_to_be_made_anew(tmp_path, write):
    """The user has nothing but these: where a file is damaged, we say to remove it."""
    path = tmp_path / "model"
    write({"x": torch.zeros(2)}, path)
    for read in (Ticket.load, read_meta, read_digest):
        with pytest.raises(InputError, match=r"model: weights, but no ticket; .*from_state_dict$"):
            read(path)


def test_a_ticket_is_shown_in_a_line(tmp_path):
    _with_layout(tmp_path / "w")
    assert repr(Ticket.load(tmp_path / "w")) == f"<Ticket {tmp_path}/w: 2 of 2 weights in 1 layers>"


def test_a_layout_that_fits_is_no_error(tmp_path):
    _with_layout(tmp_path / "w", shapes={"w": [1, 2]})
    assert Ticket.load(tmp_path / "w").mask["w"].tolist() == [[True, True]]


@pytest.mark.parametrize("text", [json.dumps(_GOOD), sealed(json.dumps(_GOOD | {"format": "2"}))])
def test_a_file_of_an_older_format_says_to_make_it_anew(tmp_path, text):
    save_file({"x": torch.zeros(2)}, tmp_path / "old", {"ticket": text})
    for read in (Ticket.load, read_meta, read_digest):
        with pytest.raises(TicketError, match=r"old: not a whole ticket \(it .*make it anew$"):
            read(tmp_path / "old")


@settings(deadline=None, max_examples=200)
@given(share=st.floats(0, 1), bit=st.integers(0, 7))
def test_a_bit_that_was_changed_on_disk_is_noticed(folder, share, bit):
    """Wherever it is: in the tensors, in meta, in the header of the file format."""
    changed = bytearray(_saved(folder))
    changed[int(share * (len(changed) - 1))] ^= 1 << bit
    (folder / "changed").write_bytes(changed)
    with pytest.raises(TicketError, match=r"changed: .*; remove it and make it anew$") as error:
        Ticket.load(folder / "changed")
    assert "\n" not in str(error.value)


def test_a_changed_meta_is_noticed_by_who_reads_no_tensor(folder):
    whole = _saved(folder)
    (folder / "changed").write_bytes(whole.replace(b'ticket\\": 3', b'ticket\\": 4'))
    assert (folder / "changed").read_bytes() != whole
    for read in (read_meta, read_digest):
        with pytest.raises(TicketError, match=r"changed: .*damaged: its checksum is"):
            read(folder / "changed")


@settings(deadline=None, max_examples=40)
@given(ticket=tickets(), data=st.data())
def test_a_digest_stands_for_every_tensor_and_nothing_else(ticket, data):
    before = ticket.digest
    assert re.fullmatch("[0-9a-f]{32}", before)
    ticket.meta["accuracy"] = 0.5
    laid_out = ticket.to(torch.device("cpu"), torch.channels_last)
    assert laid_out.digest == ticket.digest == before
    part = data.draw(st.sampled_from([ticket.weights, ticket.mask, ticket.buffers]))
    name = data.draw(st.sampled_from(sorted(part)))
    change = data.draw(st.sampled_from(["value", "name", "shape"]))
    if change == "value" and part is not ticket.weights:
        part[name] = ~part[name] if part is ticket.mask else part[name] + 1e9
    elif change == "value":
        kept = ticket.mask.get(name, torch.tensor(True))
        assume(kept.any())
        part[name] = part[name].where(~kept, 7.25)
    elif change == "name":
        part[f"{name}.other"] = part.pop(name)
    elif part is ticket.buffers:
        part[name] = part[name][None]
    else:
        ticket.weights[name] = ticket.weights[name][None]
        if name in ticket.mask:
            ticket.mask[name] = ticket.mask[name][None]
    assert ticket.digest != before


def test_weights_that_the_mask_does_not_keep_are_no_part_of_a_digest(folder):
    mask = {"w": torch.tensor([True, False])}
    ticket = Ticket({"w": torch.tensor([1.0, 2.0])}, mask)
    ticket.save(folder / "unpruned")
    assert Ticket.load(folder / "unpruned").digest == ticket.digest
    assert Ticket({"w": torch.tensor([1.0, 0.0])}, mask).digest == ticket.digest


@pytest.mark.parametrize("read", [Ticket.load, read_meta, read_digest])
def test_a_missing_ticket_is_an_error_that_names_it(tmp_path, read):
    with pytest.raises(FileNotFoundError, match=r"absent\.safetensors"):
        read(tmp_path / "absent.safetensors")


def test_meta_and_digest_are_read_without_a_tensor(folder, monkeypatch):
    _saved(folder)
    digest = Ticket.load(folder / "whole.safetensors").digest
    monkeypatch.setattr(tickets_room, "unpacked", None)
    monkeypatch.setattr(tickets_room, "digest", None)
    monkeypatch.setattr(torch, "from_numpy", None)
    assert read_meta(folder / "whole.safetensors") == {"ticket": 3}
    assert read_digest(folder / "whole.safetensors") == digest


def test_an_interrupted_save_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "one.safetensors"
    Ticket({"w": torch.ones(3)}, {}).save(path)
    before = path.read_bytes()

    def half(_tensors, file, _metadata):
        Path(file).write_bytes(before[:20])
        raise KeyboardInterrupt

    monkeypatch.setattr(tickets_room, "save_file", half)
    with pytest.raises(KeyboardInterrupt):
        Ticket({"w": torch.zeros(3)}, {}).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deeper" / "file"
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    by_open = tmp_path / "by-open"
    by_open.touch()
    assert path.stat().st_mode == by_open.stat().st_mode


@pytest.mark.parametrize("changed", [("resnet20", 4, 1), ("resnet8", 5, 1), ("resnet8", 4, 3)])
def test_another_network_is_refused_and_left_as_it_was(changed: tuple[str, int, int]) -> None:
    ticket = Ticket.of(build("resnet8", 4, 1, 8, seed=0), {}, {})
    other = build(*changed, 8, seed=1)
    before = bits(other.state_dict())
    with pytest.raises(ValueError, match="of another network"):
        ticket.load_into(other)
    assert bits(other.state_dict()) == before


def test_a_network_that_lacks_a_layer_of_the_ticket_is_refused():
    model = build("resnet8", 4, 1, 8, seed=0)
    ticket = Ticket.of(model, {}, {})
    del model.block3
    with pytest.raises(ValueError, match=r"block3\."):
        ticket.load_into(model)
