"""Which project files a stage imports, and whether dvc.yaml says so.

`python -m tests.closure` rewrites the lists under `# code` in dvc.yaml (that is `make deps`).
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_OURS = ("lp_core", "tasks", "flows")


def closure(module: str) -> set[str]:
    """Files, relative to the project's root, of all project modules that `module` imports, itself
    included: at the top or inside functions, directly or not. Imports for type checkers alone do
    not count, nor does what a package's lazy face would load."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        file = _file(name)
        if file is None or str(file.relative_to(ROOT)) in found:
            continue
        found.add(str(file.relative_to(ROOT)))
        waiting += _imports(ast.parse(file.read_text()))
        waiting.append(name.rpartition(".")[0])
    return found


def _file(module: str) -> Path | None:
    if module.partition(".")[0] not in _OURS:
        return None
    path = ROOT.joinpath(*module.split("."))
    return next((f for f in (path.with_suffix(".py"), path / "__init__.py") if f.is_file()), None)


def _imports(tree: ast.Module) -> list[str]:
    names: list[str] = []
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "the project imports its modules by their full names"
            names.append(str(node.module))
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        waiting += ast.iter_child_nodes(node)
    return names


def rewrite(text: str) -> str:
    """dvc.yaml with every list under `# code` as the code has it."""
    lines, result, module = text.splitlines(), [], ""
    skipping = False
    for line in lines:
        if found := re.search(r"python -m (tasks\.\w+)", line):
            module = found[1]
        if skipping and line.lstrip().startswith("- "):
            continue
        skipping = line.strip() == "# code"
        result.append(line)
        if skipping:
            indent = line[: line.index("#")]
            result += [f"{indent}- {file}" for file in sorted(closure(module))]
    return "\n".join(result) + "\n"


if __name__ == "__main__":
    dvc = ROOT / "dvc.yaml"
    dvc.write_text(rewrite(dvc.read_text()))
