# make run: the default experiment. make test: format, lint, types, tests. Both set up .venv first.
SHELL := /bin/bash
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DO_NOT_TRACK := 1

.PHONY: run test deps clean

run: .venv/installed
	python -m flows.imp_pool --max-parallel 2
	@cat results/summary.md

test: .venv/installed
	ruff format --check .
	ruff check .
	mypy
	pytest

# Write into dvc.yaml which project files each stage imports.
deps: .venv/installed
	python -m tests.closure

clean:
	rm -rf .venv data tickets pools rows results .resume

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer, not " + sys.version'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[pipeline,dev]'
	touch $@
