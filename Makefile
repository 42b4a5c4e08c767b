# make run: all that params.yaml has, at first the default experiment. make test: format, lint, types, tests. Both set up .venv first.
SHELL := /bin/bash
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DO_NOT_TRACK := 1

.PHONY: run test clean

run: .venv/installed
	python -m flows.imp_pool --targets '*' --max-parallel 2
	@cat results/summary.md

test: .venv/installed
	ruff format --check .
	ruff check .
	mypy
	pytest --numprocesses auto --dist loadfile tests/lp_core tests/tasks tests/bad_input
	pytest --numprocesses auto --dist loadfile tests/dag tests/flows tests/drill

clean:
	rm -rf .venv code data tickets pools sparse endings forks difficulty subset_forks rewind rewind_search rows results .resume .cache

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer, not " + sys.version'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[pipeline,dask,dev]'
	touch $@
