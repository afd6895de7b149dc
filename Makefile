# A menu only: the logic is in the CLI (mlp) and in scripts/.
SHELL := /usr/bin/env bash
.DEFAULT_GOAL := help
VENV := .venv/bin
DATA ?=
ARGS ?=
T ?= tests

##@ Start
.PHONY: install
install: ## Create .venv and install everything (TORCH_SPEC=… picks another PyTorch build)
	@scripts/install.sh

.PHONY: demo
demo: install ## Run the whole platform and the main job; DATA=FILE trains on your curves
	@$(VENV)/python scripts/demo.py $(if $(DATA),--data $(DATA)) $(ARGS)

##@ Local stack
.PHONY: up
up: install ## Start the embedded stack: Postgres, Redis, S3, MLflow and the services
	@$(VENV)/mlp up

.PHONY: down
down: ## Stop the embedded stack; its data stays
	@$(VENV)/mlp down

.PHONY: status
status: ## Show every process of the stack
	@$(VENV)/mlp status

.PHONY: doctor
doctor: install ## Check this machine and say how to mend what is wrong
	@$(VENV)/mlp doctor

##@ Develop
# Three processes for two cores: tests wait for services a third of their time.
.PHONY: test
test: install ## Run all tests on a real stack (T=path for some, ARGS for pytest)
	@$(VENV)/pytest -n 3 $(T) $(ARGS)

.PHONY: test-ray
test-ray: install ## Install Ray beside the rest (80 MB to fetch, 250 MB on the disk) and run the tests of it
	@$(VENV)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[ray]"
	@$(VENV)/pytest tests/integration/embedding/test_ray.py $(ARGS)

.PHONY: lint
lint: install ## Check style, types and the direction of imports
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy
	@$(VENV)/lint-imports

.PHONY: format
format: install ## Rewrite the sources in the project's style
	@$(VENV)/ruff check --fix .
	@$(VENV)/ruff format .

.PHONY: lock
lock: ## Resolve all dependencies anew into constraints.txt
	@scripts/lock.sh

##@ Measure
.PHONY: bench-stack
bench-stack: install ## Time start, memory, promotion and prediction of the stack
	@$(VENV)/python benchmarks/stack/run.py $(ARGS)

.PHONY: bench-serving
bench-serving: install ## Measure serving against other servers (most of an hour; ARGS=--quick: minutes)
	@$(VENV)/python -m benchmarks.serving $(ARGS)

.PHONY: bench-embedding
bench-embedding: install ## Measure embedding beside sentence-transformers and infinity-emb: DATA="DIR DIR", in the layout of BEIR
	@$(VENV)/python -m benchmarks.embedding --data $(DATA) $(ARGS)

.PHONY: bench-batch
bench-batch: install ## Measure batch jobs beside pandas and PyTorch, waits and fairness (ARGS=--quick: minutes)
	@$(VENV)/python -m benchmarks.batch $(ARGS)

.PHONY: bench-drift
bench-drift: install ## How often drift is found, where there is some and where there is none
	@$(VENV)/python benchmarks/monitoring/drift.py $(ARGS)

.PHONY: bench-search
bench-search: install ## Measure search beside other stores (most of an hour; ARGS="--items 10000": minutes)
	@$(VENV)/python -m benchmarks.search $(ARGS)

.PHONY: bench-search-million
bench-search-million: install ## The same with a million items: hours and 18 GB for all stores; see docs/benchmarks/search.md
	@$(VENV)/python -m benchmarks.search --items 1000000 $(ARGS)

.PHONY: eval-search
eval-search: install ## Search quality on a BEIR-style folder: DATA=DIR
	@$(VENV)/mlp search eval $(DATA) $(ARGS)

##@ Documentation
.PHONY: docs
docs: install ## Build the documentation into site/
	@$(VENV)/python scripts/reference.py
	@$(VENV)/mkdocs build --strict --quiet

.PHONY: docs-serve
docs-serve: install ## Serve the documentation on 127.0.0.1:8000
	@$(VENV)/mkdocs serve

.PHONY: help
help: ## Print this menu
	@awk -v tty="$$([ -t 1 ] && echo 1)" 'BEGIN {FS = ":.*## "; if (tty) {b = "\033[1m"; c = "\033[36m"; r = "\033[0m"}} \
	  /^##@/ {printf "\n%s%s%s\n", b, substr($$0, 5), r} \
	  /^[a-zA-Z_-]+:.*## / {printf "  %s%-13s%s %s\n", c, $$1, r, $$2}' $(MAKEFILE_LIST)
