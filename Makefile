# 信贷全景 · Loan Panorama.  make run | make demo | make check | make test | make test-spark | make bench
PYTHON ?= python3
PORT ?= 8501
BANK ?= .bank
CUSTOMERS ?= 20000
MONTHS ?= 36
SEED ?= 7
V := .venv/bin
FAST_TESTS := tests/project tests/contract tests/i18n tests/rulebooks tests/presentation \
	tests/marts/test_bit_packing.py tests/marts/test_columns.py tests/marts/test_loan_allocation.py \
	tests/marts/test_customer_state.py tests/metrics/test_metrics.py tests/metrics/test_metrics_refusals.py
export LOAN_PANORAMA_HOME ?= $(BANK)/home

.PHONY: setup run demo check test test-spark lint sql-lint types module-map bench system
.DEFAULT_GOAL := run

# The environment: .venv with the pinned packages; nothing is done when it is up to date.
setup: .venv/.ready

.venv/.ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Loan Panorama needs Python 3.11 or later; this is "+sys.version.split()[0]+". Name another one: make PYTHON=python3.12")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "This Python cannot make virtual environments. On Debian install python3-venv, then run make again."; exit 1; }
	@test -x $(V)/python || { echo "Making .venv"; $(PYTHON) -m venv .venv; }
	@echo "Installing the pinned packages (about two minutes the first time)"
	@$(V)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/.ready-dev: .venv/.ready requirements-dev.txt
	@$(V)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# The app on 127.0.0.1:$(PORT); an invented bank is made first when there is no edition to show.
run: setup
	@test -e $(LOAN_PANORAMA_HOME)/CURRENT || $(MAKE) --no-print-directory demo
	@echo "信贷全景 · Loan Panorama   http://127.0.0.1:$(PORT)"
	@exec $(V)/python -m streamlit run app.py --server.port $(PORT)

# An invented bank of CUSTOMERS customers and MONTHS months, loaded as a new edition, its segments fitted month by month.
demo: setup
	@echo "Inventing a bank: $(CUSTOMERS) customers, $(MONTHS) months"
	@mkdir -p $(BANK)
	@rm -rf $(BANK)/delivery
	@$(V)/python -m data demo --customers $(CUSTOMERS) --months $(MONTHS) --seed $(SEED) --to $(BANK)/delivery
	@$(V)/python -m data load $(BANK)/delivery --source contract --home $(LOAN_PANORAMA_HOME)
	@echo "Fitting the segments of the last twelve months"
	@$(V)/python -m analytics segments fit --monthly --home $(LOAN_PANORAMA_HOME) 2>&1 >/dev/null | tail -1

# Lint and the fast tests: no browser, no PostgreSQL, no invented bank. Run it before every commit.
check: lint
	@$(V)/python -m pytest -n 2 --dist loadfile $(FAST_TESTS)

# Lint and all tests; fetches what only tests need.
test: lint system
	@$(V)/python -m pytest -n 2 --dist loadfile

# The rulebooks' SQL on real Spark, installed in a folder of its own that the product never uses.
test-spark: .venv/.ready-dev .spark/.ready
	@PYTHONPATH=.spark $(V)/python -m pytest tests/rulebooks/test_clause_sql.py -k spark -rs

.spark/.ready: requirements-spark.txt
	@java -version >/dev/null 2>&1 || { echo "Spark needs Java 17 (on Debian: sudo apt-get install openjdk-17-jre-headless)."; exit 1; }
	@echo "Installing Spark into .spark (about two minutes the first time)"
	@rm -rf .spark && $(V)/python -m pip install --quiet --disable-pip-version-check --target .spark -r requirements-spark.txt
	@touch $@

# Style, format, layers and types.
lint: .venv/.ready-dev sql-lint types
	@$(V)/ruff check .
	@$(V)/ruff format --check --quiet . || { echo "Run: $(V)/ruff format ."; exit 1; }
	@$(V)/lint-imports

# The style of the .sql files, by .sqlfluff; about 8 seconds.
sql-lint: .venv/.ready-dev
	@$(V)/sqlfluff lint --disable-progress-bar -q analytics data tests

# Types of product and tests; no diagnostic is allowed.
types: .venv/.ready-dev
	@$(V)/ty check --no-progress --output-format concise

# The module map of CONTRIBUTING.md, written anew from the first docstring lines.
module-map: .venv/.ready-dev
	@$(V)/python -m tests.support.module_map

# Browser, Chinese fonts and PostgreSQL for the tests, from Debian's packages where missing.
system:
	@missing=""; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	fc-list 2>/dev/null | grep -q "CJK SC" || missing="$$missing fonts-noto-cjk"; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing$$missing"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing fontconfig >/dev/null; \
		else echo "The tests need these packages first:$$missing (on Debian: sudo apt-get install$$missing)."; exit 1; fi; \
	fi

# Times of load, one more month and the boards' questions at a million customers, as a table.
bench: setup
	@$(V)/python -m tests.bench
	@$(V)/python -m tests.bench_noise
