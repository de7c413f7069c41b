# The whole developer surface. CI calls these and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One more than there are cores: browsers and kernels make a test wait.
WORKERS := $(shell $(PYTHON) -c "import os; print((os.cpu_count() or 1) + 1)")
# Without cached bytecode, every test process would compile the tests and the package again.
unexport PYTHONDONTWRITEBYTECODE
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --nbval tests notebooks

.PHONY: demo lab test test-all test-slow test-oldest test-wheel golden moves check bench bench-smoke clean

$(BIN)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@

demo: $(BIN)/.installed  ## run the sample sweep offline and write runs/demo/report.html
	$(BIN)/lab demo

lab: $(BIN)/.installed  ## open JupyterLab on notebooks/
	$(BIN)/jupyter lab --notebook-dir=. notebooks/01_quickstart.ipynb

test: $(BIN)/.installed  ## the quick tier, the notebooks included
	$(PYTEST) -m "not slow"

test-all: test test-slow bench-smoke test-oldest test-wheel  ## everything

test-slow: $(BIN)/.installed  ## what the quick tier leaves out: long proofs, and five times the fuzz
	$(PYTEST) -m "slow or hypothesis" --hypothesis-profile=thorough

test-oldest:  ## the demo and the quick tests on the oldest Python with the oldest dependencies
	.ci/oldest

test-wheel:  ## the built wheel in clean environments and an empty folder, on each Python
	.ci/wheel

golden: $(BIN)/.installed  ## take new and raised numbers into tests/data/golden/; refuses others
	$(BIN)/python -m tests.metrics.golden

moves: $(BIN)/.installed  ## measure new camera terms into lab/calibration/moves.csv
	$(BIN)/lab calibrate --moves --new --out runs/moves
	cp runs/moves/moves.csv lab/calibration/moves.csv

check: $(BIN)/.installed  ## lint, types, architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(BIN)/.installed  ## ratios measured within one run on the same work
	$(BIN)/python -m benchmarks

bench-smoke: $(BIN)/.installed  ## every benchmark with little work: does it still run?
	$(BIN)/python -m benchmarks --smoke

clean:  ## forget the environment and the run folders
	rm -rf $(VENV) runs
