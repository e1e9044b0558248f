# Starling. `make` alone lists what there is. Needs Node 20.19 or later and npm, nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

ORDERS ?= 10000
RUNS ?= 10000
SEEDS ?= 200
SEED_START ?= 1
MATRIX ?= yes
# Not by npx, which advertises new versions of npm.
BIN := node_modules/.bin
AS_BUNDLE := --bundle --platform=node --target=node20 --format=esm --packages=external --sourcemap
BUNDLE := src/cli/starling.ts $(AS_BUNDLE)
# Encodes Parquet beside the one above, in a thread of its own.
WORKER := src/shared/parquet/parquet-worker.ts $(AS_BUNDLE)

.PHONY: help run test fuzz test-aws faults cost check build clean stop

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: build ## the whole thing on made-up data: load, live a day, load again, compare (ORDERS=N for another size)
	@node dist/starling.js demo --orders "$(ORDERS)"

test: build ## all tests, with coverage
	@$(BIN)/vitest run --config test/vitest.config.ts --coverage

fuzz: node_modules/.installed ## the fuzzers alone (RUNS=N cases; STARLING_FUZZ_SEED replays what a failure printed)
	@STARLING_FUZZ_RUNS="$(RUNS)" $(BIN)/vitest run --config test/fuzz/vitest.config.ts

test-aws: build ## a whole deployment on an emulated AWS (needs Terraform and Python's moto)
	@$(BIN)/vitest run --config test/aws/vitest.config.ts

faults: build ## every fault at every step, then SEEDS random schedules from SEED_START on; goes on where it was interrupted (MATRIX=no: only those)
	@$(BIN)/esbuild test/faults/main.ts --bundle --splitting --platform=node --target=node20 --format=esm --packages=external --outdir=dist/faults --log-level=warning
	@SEEDS="$(SEEDS)" SEED_START="$(SEED_START)" MATRIX="$(MATRIX)" node dist/faults/main.js

cost: build ## measure two days on an emulated AWS, and write docs/cost-day.json and the tables of docs/COST.md
	@STARLING_NO_SKIP=1 $(BIN)/vitest run --config test/aws/day.vitest.config.ts

check: node_modules/.installed ## types, lint, unused code
	@$(BIN)/tsc -p .
	@$(BIN)/oxlint --type-aware --deny-warnings
	@$(BIN)/knip

build: dist/starling.js dist/lambda/load.zip ## dist/starling.js, dist/lambda/<stage>.zip

dist/starling.js: node_modules/.installed package.json $(shell find src -name '*.ts')
	@$(BIN)/tsc -p .
	@$(BIN)/esbuild $(WORKER) --outfile=dist/parquet-worker.mjs --log-level=warning
	@$(BIN)/esbuild $(BUNDLE) --outfile=dist/starling.js --log-level=warning

# The last that is written stands for all three.
dist/lambda/load.zip: build/lambda.ts node_modules/.installed package.json $(shell find src -name '*.ts')
	@$(BIN)/esbuild build/lambda.ts --bundle --platform=node --target=node20 --format=esm --packages=external --outfile=dist/build-lambda.js --log-level=warning
	@node dist/build-lambda.js

stop: build ## stop the embedded PostgreSQL
	@node dist/starling.js stop

node_modules/.installed: package.json package-lock.json
	@npm ci --no-audit --no-fund --loglevel=error
	@touch node_modules/.installed

clean: ## remove what was built; .starling, with its databases, stays
	@rm -rf dist coverage node_modules/.installed
