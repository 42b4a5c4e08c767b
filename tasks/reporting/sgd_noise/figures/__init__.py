"""The figures of this flow: one file for each kind, and one that lists them."""
