"""What mkdocs asks for as a hook: the pages of the API reference, one for each room of lp_core.

A package's page has the names of its face (`__init__.pyi`), in its order; a module's page all that
is in it. So a new public name is in the reference once it is in a face.
"""

import ast
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]


def rooms() -> list[str]:
    """The packages and modules that `lp_core` shows, by name."""
    return [room for room in _names(ROOT / "lp_core") if not room.startswith("_")]


def page(room: str) -> str:
    """Markdown that has mkdocstrings write the reference of one of them."""
    folder = ROOT / "lp_core" / room
    if not folder.is_dir():
        plain = "    options:\n      show_root_heading: false\n"
        return f"# lp_core.{room}\n\n::: lp_core.{room}\n{plain}"
    about = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    names = [f"::: lp_core.{room}.{name}" for name in _names(folder)]
    return "\n\n".join([f"# lp_core.{room}", about, *names]) + "\n"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages at the end of the navigation."""
    assert config.nav is not None
    config.nav.append({"Reference": [f"reference/{room}.md" for room in rooms()]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for room in rooms():
        files.append(File.generated(config, f"reference/{room}.md", content=page(room)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links to files beside docs/ are for those who read the repository. Here one to a room of
    `lp_core` leads to its page; of the others, the text stays."""
    for room in rooms():
        file = rf"\(\.\./lp_core/{room}(\.py|/)?\)"
        markdown = re.sub(rf"(\[[^\]]+\]){file}", rf"\1(reference/{room}.md)", markdown)
    return re.sub(r"\[([^\]]+)\]\(\.\./[^)]+\)", r"\1", markdown)


def _names(package: Path) -> list[str]:
    """What a package's face shows."""
    body = ast.parse((package / "__init__.pyi").read_text()).body
    lines = [line for line in body if isinstance(line, ast.ImportFrom | ast.Assign)]
    return [name for line in lines for name in _of(line)]


def _of(line: ast.ImportFrom | ast.Assign) -> list[str]:
    if isinstance(line, ast.ImportFrom):
        return [alias.asname or alias.name for alias in line.names]
    return [target.id for target in line.targets if isinstance(target, ast.Name)]
