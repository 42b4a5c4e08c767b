"""Fractions as the cells of Markdown tables have them."""


def percent_cell(mean: float, std: float = float("nan"), sign: bool = False) -> str:
    """A fraction in percent with two decimals, ± its deviation unless that is NaN. sign: always."""
    percent = round(100 * mean, 2) + 0.0  # which makes −0.0 a plain zero
    text = f"{percent:+.2f}" if sign else f"{percent:.2f}"
    return text if std != std else f"{text} ± {100 * std:.2f}"
