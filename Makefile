# Everything a newcomer types. Each target sets up its own environment first.
.POSIX:
.PHONY: help setup dev run demo test faults lint format bench lock clean

help:
	@echo "make run     start the service: on ./tinglan.toml if there is one, else on the demo agency"
	@echo "make demo    the demo agency, whatever settings there are"
	@echo "make test    all tests, two files at a time (JOBS=1 for one after another)"
	@echo "make faults  the long fault tests (200 kills)"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make bench   what is in benchmarks/, as JSON"
	@echo "make setup   only make .venv with the tinglan command in it"
	@echo "make lock    renew the lock files"
	@echo "make clean   remove .venv and what the demo wrote"

setup:
	@./scripts/setup.sh run

dev:
	@./scripts/setup.sh dev

run: setup
	@if [ -f tinglan.toml ]; then exec .venv/bin/tinglan run; else exec .venv/bin/tinglan demo; fi

demo: setup
	@exec .venv/bin/tinglan demo

# Two files at a time: they share nothing, not even the PostgreSQL cluster. JOBS=1 for one by one.
JOBS = 2

test: dev
	@if [ "$(JOBS)" = 1 ]; then exec .venv/bin/python -m pytest $(ARGS); fi; \
	exec .venv/bin/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

faults: dev
	@TINGLAN_KILLS=200 .venv/bin/python -m pytest --timeout=1800 tests/faults $(ARGS)

lint: dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-cache

format: dev
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

bench: dev
	@.venv/bin/tinglan bench $(STAGE) --json

lock: dev
	@.venv/bin/pip-compile --quiet --generate-hashes --strip-extras --no-emit-index-url \
	  --no-emit-trusted-host --no-emit-find-links --allow-unsafe --no-header \
	  --extra report --extra ics --extra scale --extra build -o requirements.lock pyproject.toml
	@.venv/bin/pip-compile --quiet --generate-hashes --strip-extras --no-emit-index-url \
	  --no-emit-trusted-host --no-emit-find-links --allow-unsafe --no-header \
	  --extra report --extra ics --extra scale --extra build --extra dev -o requirements-dev.lock pyproject.toml

clean:
	@rm -rf .venv var/demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
