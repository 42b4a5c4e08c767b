"""The flow sgd-noise in the report: how stable trainings are to SGD noise, and what it buys."""
