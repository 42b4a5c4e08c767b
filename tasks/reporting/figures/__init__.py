"""The figures of the report: a room for each kind, one for how they look, one that lists them."""
