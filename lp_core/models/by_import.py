"""Networks named by an import path (`own.nets:MyNet`), or by their name in torchvision or timm.

The name leads to a constructor, which is given its arguments and the shapes that it asks for. That
what it makes is a network for these images is found by running it (`lp_core.models.checks`).
"""

import importlib
import importlib.util
import inspect
import sysconfig
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from lp_core.errors import InputError, typed_line
from lp_core.models.checks import require_classifies
from lp_core.models.from_source import compile_anew
from lp_core.models.spec import ModelSpec

# What a constructor may call what every network is told, where its arguments do not.
_CLASSES = ("classes", "num_classes")
_CHANNELS = ("channels", "in_channels", "in_chans")
_SIZE = ("size", "image_size", "img_size")

_OF_A_CONVOLUTION = ("kernel_size", "stride", "padding", "dilation", "padding_mode")

# Arguments by which the libraries would download weights.
_DOWNLOADS = ("weights", "weights_backbone", "pretrained", "checkpoint_path")


def skeleton(spec: ModelSpec, classes: int, channels: int, height: int, width: int) -> nn.Module:
    """The network as its constructor makes it, in training mode.

    Raises InputError where there is no such constructor, it refuses the arguments, or what it makes
    is no network for such images.
    """
    make = constructor(spec)
    given = dict(spec.arguments)
    library = spec.name.partition(":")[0]
    if library == "torchvision":
        given |= {"weights": None, "num_classes": classes}
        if "weights_backbone" in _parameters(make):  # detection and segmentation download these
            given["weights_backbone"] = None
    elif library == "timm":
        given |= {"pretrained": False, "num_classes": classes, "in_chans": channels}
    else:
        size = height if height == width else (height, width)
        given |= _asked_for(make, given, {_CLASSES: classes, _CHANNELS: channels, _SIZE: size})
    try:
        model = make(**given)
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{spec.name}: cannot be built with {_told(given)}: {_where(error)}; it takes "
            f"{_signature(make)}; mend model.arguments, or the network"
        ) from error
    if not isinstance(model, nn.Module):
        raise InputError(
            f"{spec.name}: gives a {type(model).__name__}; name a class of nn.Module, or a "
            "function that returns one"
        )
    if library == "torchvision" and channels != 3:
        _take_channels(model, channels, spec.name)
    model.train()
    require_classifies(model, spec.name, classes, channels, height, width)
    return model


def constructor(spec: ModelSpec) -> Callable[..., Any]:
    """What makes the network. Raises InputError where there is none, or where its signature does
    not take the arguments."""
    library, _, attribute = spec.name.partition(":")
    if library == "torchvision":
        make = _of_torchvision(attribute)
    elif library == "timm":
        make = _of_timm(attribute)
    else:
        make = _own(spec.name, library, attribute)
    refused = [name for name in spec.arguments if name in _DOWNLOADS and library != spec.own_module]
    if refused:
        raise InputError(
            f"{spec.name}: arguments.{refused[0]}: nothing is downloaded; give weights a file"
        )
    _require_takes(make, spec)
    return make


def _of_torchvision(name: str) -> Callable[..., Any]:
    from lp_core import torchvision_ops

    torchvision_ops.declare_missing_operators()
    from torchvision import models

    try:
        make: Callable[..., Any] = models.get_model_builder(name)
    except ValueError:
        raise InputError(
            f"torchvision:{name}: torchvision has no {name}{_near(name, models.list_models())}"
        ) from None
    return make


def _of_timm(name: str) -> Callable[..., Any]:
    from lp_core import torchvision_ops

    torchvision_ops.declare_missing_operators()
    try:
        import timm
    except ImportError as error:
        raise InputError(
            f"timm:{name}: timm cannot be imported ({error}); install it "
            "(pip install -c constraints.txt -e '.[timm]')"
        ) from None
    if not timm.is_model(name):
        raise InputError(f"timm:{name}: timm has no {name}{_near(name, timm.list_models())}")

    def make(**given: Any) -> Any:
        return timm.create_model(name, **given)

    return make


def _own(name: str, module: str, attribute: str) -> Callable[..., Any]:
    top = module.partition(".")[0]
    compile_anew(top)
    try:
        found: Any = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        cure = "mend the name or the module"
        if isinstance(error, ModuleNotFoundError) and error.name == top:
            cure = f"run in the folder of {top}, or put it on PYTHONPATH"
        raise InputError(f"{name}: {module} cannot be imported: {_where(error)}; {cure}") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            there = [key for key, value in vars(found).items() if _makes_networks(value, module)]
            raise InputError(f"{name}: {module} has no {attribute}{_near(part, there)}")
        found = getattr(found, part)
    if isinstance(found, type) and not issubclass(found, nn.Module):
        raise InputError(
            f"{name}: {attribute} is a class, but not of nn.Module; name one that is, or a function"
        )
    if isinstance(found, nn.Module) or not callable(found):
        raise InputError(
            f"{name}: {attribute} is a {type(found).__name__}; name a class of nn.Module, or a "
            "function that returns one"
        )
    make: Callable[..., Any] = found
    return make


def _makes_networks(value: Any, module: str) -> bool:
    own = getattr(value, "__module__", None) == module
    return own and (inspect.isfunction(value) or inspect.isclass(value))


def _asked_for(
    make: Callable[..., Any], given: Mapping[str, Any], offered: Mapping[tuple[str, ...], Any]
) -> dict[str, Any]:
    """Of what is offered: what the signature names and nobody has given, by its name there."""
    asked = {}
    for names, value in offered.items():
        named = [name for name in names if name in _parameters(make)]
        if named and not set(names) & set(given):
            asked[named[0]] = value
    return asked


def _parameters(make: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(make).parameters
    except (TypeError, ValueError):  # of what is not written in Python
        return {}


def _require_takes(make: Callable[..., Any], spec: ModelSpec) -> None:
    parameters = _parameters(make)
    if not parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        unknown = [] if parameters else list(spec.arguments)
    else:
        unknown = [name for name in spec.arguments if name not in parameters]
    if unknown:
        raise InputError(
            f"{spec.name}: arguments.{unknown[0]}: it takes no {unknown[0]}, but "
            f"{_signature(make)}; mend the spelling, or remove it"
        )


def _signature(make: Callable[..., Any]) -> str:
    return ", ".join(map(str, _parameters(make).values())) or "nothing"


def _told(given: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in given.items()) or "no arguments"


def _where(error: BaseException) -> str:
    """An error in a line, with the last place that is in nobody's package."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename != __file__ and not _installed(f.filename)]
    said = typed_line(error)
    return f"{said} ({own[-1].filename}, line {own[-1].lineno})" if own else said


def _installed(file: str) -> bool:
    places = [sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")]
    return file.startswith(("<", *places))


def _near(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, 3, 0.5) or known[:3]
    return f"; it has {', '.join(close)}" if close else ""


def _take_channels(model: nn.Module, channels: int, name: str) -> None:
    """Exchange the convolution that sees the images for one of so many channels."""
    for path, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            if module.in_channels == 3 and module.groups == 1:
                model.set_submodule(path, _with_channels(module, channels))
                return
            break
    raise InputError(
        f"{name}: takes colour images, and these have {channels} channels; choose another network"
    )


def _with_channels(conv: nn.Conv2d, channels: int) -> nn.Conv2d:
    same: Any = {name: getattr(conv, name) for name in _OF_A_CONVOLUTION}
    return nn.Conv2d(channels, conv.out_channels, bias=conv.bias is not None, **same)
