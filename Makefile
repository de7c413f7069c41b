# The whole developer surface. CI calls these and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo lab test check bench clean

$(BIN)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@

demo: $(BIN)/.installed  ## run the sample sweep offline and write runs/demo/report.html
	$(BIN)/lab demo

lab: $(BIN)/.installed  ## open JupyterLab on notebooks/
	$(BIN)/jupyter lab --notebook-dir=. notebooks/01_quickstart.ipynb

test: $(BIN)/.installed  ## every test, the notebooks included
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder
	$(BIN)/python -m pytest -n auto --dist loadfile --nbval notebooks

check: $(BIN)/.installed  ## lint, types, architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(BIN)/.installed  ## ratios measured within one run on the same work
	$(BIN)/python -m benchmarks

clean:  ## forget the environment and the run folders
	rm -rf $(VENV) runs
