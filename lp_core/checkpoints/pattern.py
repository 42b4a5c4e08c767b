"""Patterns of file names: a shell's, and {seed} and {ticket} for the numbers in them."""

import re

from lp_core.errors import InputError

NUMBERS = ("seed", "ticket")
_TOKEN = re.compile(r"\*|\?|\[!?[^]/]+\]|\{[^}]*\}|[^*?\[{]+|.")


def compiled(pattern: str) -> re.Pattern[str]:
    """An expression for paths below a folder, with a group for each number in them.

    Raises InputError for a pattern that leaves the folder, or has other names in braces.
    """
    parts = pattern.split("/")
    if not pattern or any(part in ("", ".", "..") for part in parts):
        raise InputError(
            f"pattern is {pattern!r}; give file names below path, such as 'seed{{seed}}/*.pt'"
        )
    known: set[str] = set()
    expression = ""
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            expression += ".*?" if last else "(?:.*?/)?"
        else:
            expression += "".join(_translated(t, known, pattern) for t in _TOKEN.findall(part))
            expression += "" if last else "/"
    return re.compile(expression)


def _translated(token: str, known: set[str], pattern: str) -> str:
    if token == "*":
        return "[^/]*?"  # as little as will do, so that {ticket} has all its digits
    if token == "?":
        return "[^/]"
    if token.startswith("[") and len(token) > 1:
        return token.replace("[!", "[^").replace("\\", r"\\")
    if not token.startswith("{"):
        return re.escape(token)
    name = token[1:-1]
    if name not in NUMBERS:
        raise InputError(f"pattern is {pattern!r}; in braces can stand {{seed}} and {{ticket}}")
    if name in known:
        return f"(?P={name})"
    known.add(name)
    return f"(?P<{name}>[0-9]+)"
