# Python 3.10 or later and make are all that this needs.

PYTHON ?= python3
VENV ?= .venv
SCALE_VENV ?= .venv-scale
PORT ?= 3000
PYTEST_ARGS ?=

BIN := $(VENV)/bin
READY := $(VENV)/ready
DAGSTER_DIR := $(CURDIR)/.dagster

export DAGSTER_DISABLE_TELEMETRY := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start many processes; without byte code, each one compiles the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test coverage demands ui pictures docs scale conformance peers lint format constraints clean

help:
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

demo: $(READY)  ## materialize the demo's assets
	$(BIN)/python definitions.py

# loadfile: the examples of a document build on one another, so a worker has them all.
test: $(READY)  ## every test, doctest and README example
	$(BIN)/python -m pytest $(PYTEST_ARGS) -n auto --dist loadfile --no-loadscope-reorder \
		--inline-snapshot=disable

# By itself: watching every line makes the tests take half as long again.
coverage: $(READY)  ## the same, and which lines they run
	$(MAKE) test PYTEST_ARGS="$(PYTEST_ARGS) --cov"

demands: $(READY)  ## the demands that the design has to meet: each with its tests and their status
	$(BIN)/python -m pytest -p tests.demands.table -m demand -n auto --inline-snapshot=disable --quiet \
		$$(grep -rl --include='test_*.py' 'mark[.]demand' tests)

ui: $(READY) $(DAGSTER_DIR)/dagster.yaml  ## Dagster's page on the demo, at PORT
	DAGSTER_HOME=$(DAGSTER_DIR) $(BIN)/dagster dev -w workspace.yaml -h 127.0.0.1 -p $(PORT)

pictures: $(READY)  ## take the pictures of the page anew, with a Chromium that is there
	$(BIN)/python -m pytest tests/ui --inline-snapshot=disable
	cp build/ui/page-1920.png docs/page.png
	cp build/ui/diff-1920.png docs/diff.png

docs: $(READY)  ## write what is generated of docs and README.md
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/diagnostics.py
	$(BIN)/python docs/commands.py

# By itself, as Ray takes a gigabyte.
scale: $(SCALE_VENV)/ready  ## steps and runs on Dask and Ray: TPC-H, the demo, kills; takes half an hour
	DFSESSION_SCALE=all $(SCALE_VENV)/bin/python -m pytest tests/scale \
		-o timeout=1200 --inline-snapshot=disable --durations=0

conformance: $(READY)  ## the conformance suite on the peers as well; writes docs/conformance.md, README.md
	$(BIN)/python benchmarks/conformance.py

peers: $(READY)  ## the benchmarks against other integrations, which take hours; writes benchmarks/README.md
	$(BIN)/python -m benchmarks.peers --write
	$(BIN)/python -m benchmarks.pipeline --write

lint: $(READY)  ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

constraints:  ## pin every dependency anew, for Python 3.10 to 3.13; needs uv
	UV_PYTHON_DOWNLOADS=never uv pip compile pyproject.toml --all-extras --universal --python-version 3.10 \
		--upgrade --no-header --no-emit-index-url --no-emit-find-links \
		--output-file .ci/constraints.txt

clean:  ## remove whatever these targets made
	rm -rf $(VENV) $(SCALE_VENV) $(DAGSTER_DIR) data dist build htmlcov .coverage .coverage.* \
		.hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is touched last: an install that broke off is begun again.
$(READY): pyproject.toml .ci/constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint .ci/constraints.txt --editable '.[dev]'
	@touch $@

$(SCALE_VENV)/ready: pyproject.toml .ci/constraints.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --constraint .ci/constraints.txt --editable '.[test]' \
		'dagster-aws>=0.29,<1' 'dagster-ray>=0.4.8,<1' 'ray[default]>=2.60'
	@touch $@

$(DAGSTER_DIR)/dagster.yaml: demo/dagster.yaml
	@mkdir -p $(@D)
	@cp $< $@
