"""The figures of the report: one file for each kind, one for their looks, one that lists them."""
