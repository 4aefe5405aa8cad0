# Everything is made in .venv and .rollcall; nothing else on the machine is touched.
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .venv/bin/uv
# uv is quick and trusts the system's certificates; pip is slower and knows what pip.conf says (a mirror, say).
INSTALL = ins() { $(UV) pip install --quiet --system-certs --python .venv/bin/python --compile-bytecode "$$@" || .venv/bin/python -m pip install --quiet --disable-pip-version-check "$$@"; }; ins

# Each worker has a PostgreSQL and an SFTP server of its own; tests/conftest.py says how many there are and what stays
# together on one. In the order given: what is longest begins first, for what began last would run on alone.
SIDE_BY_SIDE = --numprocesses logical --dist loadscope --no-loadscope-reorder --durations 25
# The page is tried in a real browser, a district's kit with OpenSSH's client, where there is one.
NOT_HERE = $$(command -v chromedriver >/dev/null || echo --ignore tests/e2e/test_page_in_a_browser.py) \
	$$(command -v sftp >/dev/null || echo --ignore tests/e2e/test_a_district_from_its_kit.py)

.DEFAULT_GOAL := help
.PHONY: help parquet demo up down test properties lint types rules docs pictures lock bench bench-nights bench-fleet chaos test-compose clean

help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 8

.venv/bin/uv:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Rollcall needs Python 3.11, 3.12 or 3.13; {sys.executable} is {v[0]}.{v[1]}. Say which to use: make PYTHON=/path/to/python3.12 demo")'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.installed: requirements.txt pyproject.toml | .venv/bin/uv
	@echo "Installing Rollcall and what it stands on into .venv ..."
	@$(INSTALL) -r requirements.txt
	@$(INSTALL) --no-deps --editable .
	@touch $@

.venv/.installed-dev: requirements-dev.txt .venv/.installed
	@$(INSTALL) -r requirements-dev.txt
	@touch $@

parquet: .venv/.installed ## Install what `rollcall export --format parquet` needs
	@$(INSTALL) --constraint requirements-dev.txt pyarrow

demo: .venv/.installed ## Three districts, two nights, one bad upload held: about two minutes
	.venv/bin/rollcall demo

up: .venv/.installed ## Start the local stack
	.venv/bin/rollcall up

down: ## Stop what `make up` or `make demo` started
	.venv/bin/rollcall down

test: .venv/.installed-dev ## Every test, side by side
	.venv/bin/python -m pytest $(SIDE_BY_SIDE) $(NOT_HERE) tests/e2e tests/properties tests/scenarios tests/integration tests/unit

properties: .venv/.installed-dev ## 1,000 examples of each property instead of 100, other ones each time
	.venv/bin/python -m pytest $(SIDE_BY_SIDE) --hypothesis-profile thorough --timeout 0 tests/properties

lint: .venv/.installed-dev ## ruff and sqlfluff
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/sqlfluff lint dbt_project

types: .venv/.installed-dev ## mypy, strict, on everything that is Python
	.venv/bin/mypy plugins/rollcall simulator benchmarks
	MYPYPATH=docker/sftp:plugins/rollcall/stack .venv/bin/mypy docker/*.py docker/sftp/*.py
	MYPYPATH=tests:. .venv/bin/mypy tests/conftest.py tests/helpers tests/unit tests/integration
	MYPYPATH=tests/scenarios:tests:. .venv/bin/mypy tests/scenarios
	MYPYPATH=tests/properties:tests:. .venv/bin/mypy tests/properties
	MYPYPATH=.:tests .venv/bin/mypy -p tests.e2e -p tests.chaos -p tests.compose -m tests.pictures

rules: .venv/.installed ## Write the suites of expectations/, and docs/rules/, from expectations/rules/
	.venv/bin/python -m rollcall.authoring
	.venv/bin/python -m rollcall.pages.rule_book

docs: .venv/.installed ## Write docs/data-dictionary.md and docs/lineage.md from the dbt models
	.venv/bin/python -m rollcall.pages.data_dictionary

pictures: .venv/.installed-dev ## Take the page's pictures in docs/images/ anew; needs Chromium and its driver
	PYTHONPATH=tests .venv/bin/python -m tests.pictures

lock: .venv/bin/uv ## Refresh requirements*.txt from pyproject.toml
	$(UV) pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header --upgrade pyproject.toml -o requirements.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header --extra dev -c requirements.txt pyproject.toml -o requirements-dev.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header --extra s3 --extra celery -c requirements-dev.txt pyproject.toml -o requirements-several-machines.txt

bench: .venv/.installed ## What a night costs, against a bare COPY of its files: about ten minutes
	.venv/bin/python -m benchmarks district
	.venv/bin/python -m benchmarks builds

bench-nights: .venv/.installed ## What 90 nights of changes do to tables and queries: about twenty minutes
	.venv/bin/python -m benchmarks nights

bench-fleet: .venv/.installed ## What 5, 20 and 60 districts at once cost, and 1,000 that wait: half an hour
	.venv/bin/python -m benchmarks fleet --districts 5 --districts 20 --districts 60 --waits 1000

chaos: .venv/.installed-dev ## Faults on the real stack, and how they end: about half an hour; docs/chaos.md has the table
	.venv/bin/python -m tests.chaos --write docs/chaos.md

test-compose: .venv/.installed-dev ## The server stack, built, run, killed and restored with Docker: up to two hours
	.venv/bin/python -m tests.compose --write docs/deploy/test-compose.md

clean: down ## Stop the stack and remove its state; the next demo starts afresh
	rm -rf .rollcall
