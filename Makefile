# make run      install and run everything, with demo data
# make test     the tests of every push: all on PostgreSQL, and on SQLite those whose subject differs by database
# make check    the other checks of CI: format, types, imports, security, migrations, API schema
# make nightly  the long tests on PostgreSQL, everything on SQLite, 20,000 hostile requests
# make bench    the speed of bids, compared with the limit of the database itself
# make fuzz     20,000 hostile requests      make enumeration   whether answers reveal that an account exists
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
RUN_READY := .venv/.run-ready
TEST_READY := .venv/.test-ready

.PHONY: run test test-postgres test-sqlite nightly check bench limits enumeration fuzz clean

run: $(RUN_READY) .env
	@exec $(BIN)/python manage.py start

# Compiled test modules save six seconds per process and run.
unexport PYTHONDONTWRITEBYTECODE

# Two processes, a file at a time, in the order of the files: those that start servers come first.
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder

test: test-postgres test-sqlite

test-postgres: $(TEST_READY)
	$(BIN)/python -m tests.on_postgres $(PARALLEL) -m "not nightly"

test-sqlite: $(TEST_READY)
	TEST_DATABASE_URL= $(BIN)/python -m pytest $(PARALLEL) -m "sqlite and not nightly"

nightly: $(TEST_READY)
	$(BIN)/python -m tests.on_postgres $(PARALLEL) -m nightly
	TEST_DATABASE_URL= $(BIN)/python -m pytest $(PARALLEL)
	TEST_DATABASE_URL= $(BIN)/python -m tests.state_machine --steps 50000
	$(MAKE) fuzz

check: $(TEST_READY) .env
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive .
	$(BIN)/python -m tests.audit_dependencies
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null
	READ_DOT_ENV=off DEBUG=off ALLOWED_HOSTS=auctions.example.com DATABASE_URL=postgres://127.0.0.1/none \
	  SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(60))') \
	  JWT_SIGNING_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(60))') \
	  STRIPE_SECRET_KEY=sk_test_check STRIPE_WEBHOOK_SECRET=whsec_check \
	  $(BIN)/python manage.py check --deploy --fail-level WARNING

fuzz: $(TEST_READY)
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python -m tests.fuzz

bench: $(TEST_READY)
	$(BIN)/python -m benchmarks

limits: $(TEST_READY)
	$(BIN)/python -m benchmarks.limits

enumeration: $(TEST_READY)
	$(BIN)/python -m benchmarks.enumeration

$(RUN_READY): requirements.txt
	@echo 'Installing what requirements.txt lists: this takes a minute or two.'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(TEST_READY): $(RUN_READY) requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.env:
	cp .env.example .env

clean:
	rm -rf .venv var staticfiles
