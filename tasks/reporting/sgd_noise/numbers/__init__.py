"""The tables of this flow: one file for each kind."""
