"""Tests of flows/, against toy DVC projects."""
