"""A sparse training as params.yaml has it: the recipe's name, and the settings that it reads."""

from typing import Any

from lp_core.sparsity.method import SparseMethod
from lp_core.sparsity.method_spec import method_class
from tasks.kit.params import Params, check_recipe


def read_method(params: Params, method: str) -> SparseMethod:
    """A sparse training method with its settings. Raises ParamsError for a wrong one."""
    settings = params.section(f"sup_tickets.training.{method}", dict[str, Any])
    return check_recipe(settings, method_class, params.path, f"sup_tickets.training.{method}")
