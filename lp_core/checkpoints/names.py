"""A file's names brought to those of a network: what wraps a network adds to them.

`DataParallel` and `AveragedModel` put `module.` before every name, `torch.compile` and FSDP put
their own marks somewhere in it, and a training framework has the network as an attribute of
something larger (`model.`, `net.`, `backbone.`): whatever stands before all names alike is theirs.
"""

from collections.abc import Collection, Mapping

from torch import Tensor

from lp_core.errors import InputError

# Anywhere in a name, since parts of a network can be wrapped.
_MARKS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
_COUNT, _OF_AVERAGE = "n_averaged", "module."  # torch.optim.swa_utils.AveragedModel


def matched(tensors: Mapping[str, Tensor], names: Collection[str]) -> dict[str, Tensor]:
    """The tensors by the network's names, as far as they are its own.

    names: of the network's parameters and buffers. Of the ways to shorten the file's names alike,
    that which makes most of them the network's; none is left out, so that the caller sees what the
    network has not.
    """
    plain = without_marks(tensors)
    prefix = _prefix(plain, set(names))
    return {name.removeprefix(prefix): tensor for name, tensor in plain.items()}


def without_marks(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors by names without the marks of `torch.compile`, FSDP and AveragedModel's count.

    Raises InputError where two come to the same name.
    """
    plain: dict[str, Tensor] = {}
    of_average = all(name.startswith(_OF_AVERAGE) for name in tensors if name != _COUNT)
    for name, tensor in tensors.items():
        if name == _COUNT and of_average:
            continue
        short = name
        for mark in _MARKS:
            short = short.replace(mark, "")
        if short in plain:
            raise InputError(f"{name} and {short} would be the same weight; save one network alone")
        plain[short] = tensor
    return plain


def _prefix(tensors: Mapping[str, Tensor], known: set[str]) -> str:
    """What stands before the network's names in most of the tensors'; "" where nothing does."""
    counts: dict[str, int] = {"": 0}
    for name in tensors:
        parts = name.split(".")
        for cut in range(len(parts)):
            if ".".join(parts[cut:]) in known:
                before = "".join(f"{part}." for part in parts[:cut])
                counts[before] = counts.get(before, 0) + 1
    return max(counts, key=lambda before: (counts[before], -len(before)))
