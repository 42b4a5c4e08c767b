"""What a stage needs of the worker that it runs on: how many GPUs it has to itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lp_core.errors import InputError


def gpus_needed(keys: Sequence[str], params: Mapping[str, Any], has_gpus: bool) -> int:
    """The GPUs that a stage asks for which depends on these keys of params.yaml.

    A stage that depends on `compute` computes on `compute.device`; one that depends on the whole of
    `train` trains, on `train.devices` GPUs, of the largest of its variants. has_gpus: whether there
    are any, which is what `auto` goes by.
    """
    device = _section(params, "compute").get("device", "auto")
    if "compute" not in keys or device == "cpu" or (device == "auto" and not has_gpus):
        return 0
    if "train" not in keys:
        return 1
    names = [key.removeprefix("variants.") for key in keys if key.startswith("variants.")]
    variants = [_section(_section(params, "variants"), name) for name in names]
    return max(_devices(section) or _devices(params) or 1 for section in variants or [params])


def refuse_numbered_device(params: Mapping[str, Any]) -> None:
    """InputError where `compute.device` is one certain GPU: workers deal theirs out."""
    device = str(_section(params, "compute").get("device", "auto"))
    if device.startswith("cuda:"):
        raise InputError(
            f"params.yaml: compute.device is {device}, but a stage on a Dask worker sees only "
            "the GPUs that are its own; give cuda or auto"
        )


def _devices(section: Mapping[str, Any]) -> int | None:
    devices = _section(section, "train").get("devices")
    return devices if isinstance(devices, int) and devices > 0 else None


def _section(params: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = params.get(name)
    return section if isinstance(section, Mapping) else {}
