"""Tickets as files that are run without this project, each with a model card beside it.

No stage: nothing in the graph depends on it, and it makes nothing stale.
"""
