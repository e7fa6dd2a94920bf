# Each target sets up what it needs in a private environment of its own.
PYTHON ?= python3
DEMO := .envs/demo
TEST := .envs/test
RELEASE := .envs/release
DOCS := .envs/docs
CAMPAIGN ?= tests

.PHONY: demo test coverage campaign bench lint docs dist clean

demo: $(DEMO)/ready
	$(DEMO)/bin/python examples/demo.py

# Two tests at a time: many of them wait for other processes. More would be in one another's way on a small machine.
test: $(TEST)/ready lint
	$(TEST)/bin/python -m pytest -n 2 --dist loadfile $(COVERAGE)

# Tracing takes more than half as much processor time again, so it has a target of its own, which CI runs.
coverage:
	$(MAKE) test COVERAGE="--cov --cov-report=term:skip-covered"

campaign: $(TEST)/ready
	$(TEST)/bin/python -m pytest -m campaign $(CAMPAIGN)

lint: $(TEST)/ready
	$(TEST)/bin/ruff check decoderd clients tests examples tools
	$(TEST)/bin/ruff format --check decoderd clients tests examples tools
	$(TEST)/bin/mypy
	$(TEST)/bin/lint-imports

bench: $(TEST)/ready
	$(TEST)/bin/python tools/benchmarks.py run $(BENCH)

# The documentation site in build/docs; a warning is an error.
docs: $(DOCS)/ready
	$(DOCS)/bin/python -m sphinx --fail-on-warning --keep-going --quiet -c docs . build/docs

# Wheel and source archive as they are released, checked as the index checks them; containers and workflow, linted.
dist: $(RELEASE)/ready
	rm -rf dist
	$(RELEASE)/bin/python -m build
	rm -rf decoderd.egg-info  # its entry points would be taken for those that are installed
	$(RELEASE)/bin/twine check --strict dist/*
	$(RELEASE)/bin/hadolint containers/Dockerfile
	$(RELEASE)/bin/spython recipe --parser singularity containers/decoderd.def > /dev/null
	$(RELEASE)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(RELEASE)/bin/zizmor --offline --quiet .github/workflows

$(DEMO)/ready: pyproject.toml constraints.txt
	$(PYTHON) tools/environment.py $(DEMO) plot

$(TEST)/ready: pyproject.toml constraints.txt
	$(PYTHON) tools/environment.py $(TEST) dev plot nwb parquet dask gym lsl metrics dashboard fast

$(DOCS)/ready: pyproject.toml constraints.txt
	$(PYTHON) tools/environment.py $(DOCS) docs

$(RELEASE)/ready: pyproject.toml constraints.txt
	$(PYTHON) tools/environment.py $(RELEASE) release

clean:
	rm -rf .envs build dist decoderd.egg-info
