"""The layer that makes a network's logits: evaluation runs it in float32."""

from collections.abc import Callable

from torch import Tensor, nn

# An attribute of a network: the name of that layer, "" for none. Else the order of layers tells.
_MARK = "_makes_logits"


def classifier(model: nn.Module) -> nn.Linear | None:
    """The linear layer whose output is the network's, where that is known.

    It is of a network that is marked; of any other it is the last layer with parameters, if that
    one is linear.
    """
    name = getattr(model, _MARK, None)
    if isinstance(name, str):
        found = model.get_submodule(name) if name else None
        return found if isinstance(found, nn.Linear) else None
    layers = [module for module in model.modules() if list(module.parameters(recurse=False))]
    return layers[-1] if layers and isinstance(layers[-1], nn.Linear) else None


def mark_classifier(model: nn.Module, run: Callable[[], Tensor]) -> Tensor:
    """What `run` gives, which calls the network once; marks the linear layer that has given it."""
    made: dict[str, Tensor] = {}
    handles = [
        module.register_forward_hook(lambda _m, _i, out, path=path: made.update({path: out}))
        for path, module in model.named_modules()
        if isinstance(module, nn.Linear) and path
    ]
    try:
        logits = run()
    finally:
        for handle in handles:
            handle.remove()
    setattr(model, _MARK, next((path for path, out in made.items() if out is logits), ""))
    return logits
