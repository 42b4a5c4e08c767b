"""The flow imp-pool in the report: tickets of iterative magnitude pruning, and their pools."""
