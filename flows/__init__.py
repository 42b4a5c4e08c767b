"""Prefect flows that run the DVC graph: stages in parallel, with retries, logs and artifacts."""
