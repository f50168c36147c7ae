# Start here: `make demo` shows one video going through the whole system, `make test` runs every test.
# What gets installed and where: docs/operations.md. The environment is set in scripts/env.sh.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup build release demo figures benches test lint deny

ENVIRONMENT := . scripts/env.sh

help: ## Show these targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

setup: ## Install what is missing (Debian packages, yt-dlp, nats-server, CTranslate2)
	@scripts/setup.sh

build: setup ## Build the program for development
	@$(ENVIRONMENT); cargo build --locked --workspace --bin ytcaption $$YTCAPTION_FEATURES

release: setup ## Build the program for real use, optimised
	@$(ENVIRONMENT); cargo build --release --locked --workspace --bin ytcaption $$YTCAPTION_FEATURES

demo: build ## One video through the whole system, then stop it (KEEP=1 leaves it running)
	@$(ENVIRONMENT); python3 scripts/demo.py "$$CARGO_TARGET_DIR/debug/ytcaption" $(if $(KEEP),--keep)

figures: build ## Measure what docs/figures.md states
	@$(ENVIRONMENT); python3 scripts/figures.py "$$CARGO_TARGET_DIR/debug/ytcaption"

benches: build ## Start every benchmark for a few seconds, and check that it prints its figures
	@$(ENVIRONMENT); python3 benches/smoke.py

test: setup ## Every test, with real Postgres, NATS, yt-dlp, ffmpeg and the demo model
	@$(ENVIRONMENT); python3 -m unittest discover --quiet --start-directory scripts --pattern '*_test.py'
	@$(ENVIRONMENT); cargo test --locked --workspace $$YTCAPTION_FEATURES

lint: setup deny ## Vocabulary, formatting, clippy (warnings are errors), the checked SQL statements, and the dependency rules
	@python3 scripts/vocabulary.py
	@$(ENVIRONMENT); scripts/engine.sh
	@cargo fmt --all --check || { echo "lint: run 'cargo fmt --all' to fix the formatting." >&2; exit 1; }
	@$(ENVIRONMENT); cargo clippy --locked --workspace --all-targets $$YTCAPTION_FEATURES -- -D warnings
	@scripts/sqlx.sh check

deny: setup ## Licences, banned crates and sources of all dependencies (deny.toml)
	@scripts/deny.sh
