"""Worked examples; README.md here has the commands."""
