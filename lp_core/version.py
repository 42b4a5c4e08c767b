"""The version, for pyproject.toml and for `lp_core.__version__`. No stage runs this file."""

__version__ = "0.2.0"
