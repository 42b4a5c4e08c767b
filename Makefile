# make run: all that params.yaml has, at first the default experiment. make test: format, lint, types, tests.
# make docs: the pages of docs/ and the API reference, in site/. Each sets up .venv first.
SHELL := /bin/bash
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DO_NOT_TRACK := 1

# In the order given, the longest files first, so that no core waits for the last of them.
PYTEST := pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

.PHONY: run test docs clean

run: .venv/installed
	python -m flows.imp_pool --targets '*' --max-parallel 2
	@cat results/summary.md

test: .venv/installed
	ruff format --check .
	ruff check .
	mypy
	$(PYTEST) tests/examples tests/docs tests/lp_core tests/tasks tests/bad_input
	$(PYTEST) tests/drill tests/dag tests/flows

docs: .venv/installed
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict

clean:
	rm -rf .venv code data tickets pools sparse endings forks difficulty subset_forks rewind rewind_search rows results site .resume .cache

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer, not " + sys.version'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[pipeline,dask,docs,dev]'
	touch $@
