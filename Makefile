# Each target sets up what it needs in a private environment of its own.
PYTHON ?= python3
DEMO := .envs/demo
TEST := .envs/test

.PHONY: demo test campaign bench lint clean

demo: $(DEMO)/ready
	$(DEMO)/bin/python examples/demo.py

# Two tests at a time: many of them wait for other processes. More would be in one another's way on a small machine.
test: $(TEST)/ready lint
	$(TEST)/bin/python -m pytest -n 2 --dist loadfile --cov --cov-report=term:skip-covered

campaign: $(TEST)/ready
	$(TEST)/bin/python -m pytest -m campaign

lint: $(TEST)/ready
	$(TEST)/bin/ruff check decoderd clients tests examples tools
	$(TEST)/bin/ruff format --check decoderd clients tests examples tools
	$(TEST)/bin/mypy
	$(TEST)/bin/lint-imports

bench: $(TEST)/ready
	$(TEST)/bin/python tools/benchmarks.py run $(BENCH)

$(DEMO)/ready: pyproject.toml constraints.txt
	$(PYTHON) tools/environment.py $(DEMO) plot

$(TEST)/ready: pyproject.toml constraints.txt
	$(PYTHON) tools/environment.py $(TEST) dev plot nwb parquet dask gym lsl metrics fast

clean:
	rm -rf .envs build
