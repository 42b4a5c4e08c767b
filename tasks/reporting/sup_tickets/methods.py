"""How the methods of sparse training are called and drawn."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.colors import to_hex, to_rgb

from tasks.reporting.style import Style, percent

_LOOKS = {
    "dense": Style("#000000", "o", "Dense"),
    "uniform": Style("#56B4E9", "D", "Uniform"),
    "erk": Style("#E69F00", "v", "ERK"),
    "snip": Style("#CC79A7", "P", "SNIP"),
    "set": Style("#009E73", "^", "SET"),
    "rigl": Style("#0072B2", "s", "RigL"),
    "granet": Style("#D55E00", "X", "GraNet"),
}
_OTHERS = [("#332288", "p"), ("#999933", "h"), ("#44AA99", "*")]

_MORE = [("d", 1.0), (">", 0.0), ("<", 0.5)]  # marker, and grey to mix in


@dataclass(frozen=True)
class Method:
    """A method that was trained. density: what it is trained to."""

    name: str
    recipe: str
    density: float
    style: Style

    @property
    def label(self) -> str:
        """Recipe and density: `RigL 10%`."""
        return self.style.label

    @property
    def family(self) -> str:
        """The recipe alone: `RigL`."""
        return _LOOKS[self.recipe].label if self.recipe in _LOOKS else self.recipe


def methods(training: Mapping[str, Mapping[str, Any]]) -> dict[str, Method]:
    """By name, in the order given. training: recipe and settings by name, as params.yaml has
    them. Where two labels are equal, they name the method."""
    chosen = {}
    strangers: dict[str, tuple[str, str]] = {}
    before: Counter[str] = Counter()  # methods of a recipe so far
    for name, settings in training.items():
        recipe, density = str(settings["recipe"]), float(settings.get("density", 1))
        look = _LOOKS.get(recipe)
        if look is None:
            pair = strangers.setdefault(recipe, _OTHERS[len(strangers) % len(_OTHERS)])
            look = Style(*pair, recipe)
        colour, marker = _another(look, before[recipe])
        before[recipe] += 1
        label = look.label if density == 1 else f"{look.label} {percent(density)}%"
        chosen[name] = Method(name, recipe, density, Style(colour, marker, label))
    count = Counter(method.label for method in chosen.values())
    return {
        name: method if count[method.label] == 1 else _named(method)
        for name, method in chosen.items()
    }


def _another(look: Style, number: int) -> tuple[str, str]:
    """Colour and marker of a recipe's first, second, … method: another marker, and a lighter or a
    darker colour."""
    if not number:
        return look.colour, look.marker
    marker, towards = _MORE[(number - 1) % len(_MORE)]
    red, green, blue = (0.6 * part + 0.4 * towards for part in to_rgb(look.colour))
    return to_hex((red, green, blue)), marker


def _named(method: Method) -> Method:
    style = method.style
    style = Style(style.colour, style.marker, f"{style.label} ({method.name})")
    return Method(method.name, method.recipe, method.density, style)
