"""The network that params.yaml names: what code and files make it."""

from lp_core.faces import module_of
from lp_core.models.spec import BY_IMPORT, FROM_FILE, NETWORKS, ModelSpec


def entries_of(spec: ModelSpec) -> list[list[str]]:
    """The registry's entry that makes a network, if one does: the registry and the name."""
    return [] if spec.by_import else [[NETWORKS, spec.name]]


def modules_of(spec: ModelSpec) -> list[str]:
    """The modules that make a network beside an entry, and that no other network runs."""
    own = [spec.own_module] if spec.own_module else []
    by_import = [BY_IMPORT, *own] if spec.by_import else []
    return [*by_import, *([FROM_FILE] if spec.weights else [])]


def files_of(spec: ModelSpec) -> list[str]:
    """The files, beside code, that make its initial weights."""
    return [spec.weights] if spec.weights else []


def code_of(spec: ModelSpec) -> list[str]:
    """All modules that make a network, and no other."""
    return [*(module_of(*entry) for entry in entries_of(spec)), *modules_of(spec)]
