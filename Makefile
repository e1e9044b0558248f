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
# What builds, or drives, is a program of its own.
AS_PROGRAM := --bundle --platform=node --target=node20 --format=esm --packages=external --log-level=warning

.PHONY: help run test fuzz test-aws faults bench bench-quick cost check build clean stop

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
	@$(BIN)/esbuild test/faults/main.ts $(AS_PROGRAM) --splitting --outdir=dist/faults
	@SEEDS="$(SEEDS)" SEED_START="$(SEED_START)" MATRIX="$(MATRIX)" node dist/faults/main.js

bench: dist/lambda/load.zip ## every figure of docs/PERFORMANCE.md beside its yardstick, and that page (BENCH_ROWS=N, BENCH_ONLY=figure,…); 15 minutes
	@$(BIN)/esbuild bench/main.ts $(AS_PROGRAM) --outfile=dist/bench.js
	@BENCH_DOCS=yes node dist/bench.js

bench-quick: dist/lambda/load.zip ## the same at 200,000 sales orders, two rounds, without the page; two minutes
	@$(BIN)/esbuild bench/main.ts $(AS_PROGRAM) --outfile=dist/bench.js
	@BENCH_ROWS="$${BENCH_ROWS:-200000}" BENCH_ROUNDS="$${BENCH_ROUNDS:-2}" node dist/bench.js

cost: build ## measure two days on an emulated AWS, and write docs/cost-day.json and the tables of docs/COST.md
	@STARLING_NO_SKIP=1 $(BIN)/vitest run --config test/aws/day.vitest.config.ts

check: node_modules/.installed ## types, lint, unused code
	@$(BIN)/tsc -p .
	@$(BIN)/oxlint --type-aware --deny-warnings
	@$(BIN)/knip

build: dist/starling.js dist/lambda/load.zip ## dist/starling.js, dist/lambda/<stage>.zip

dist/starling.js: build/cli.ts build/bundle.ts build/own-sources.ts node_modules/.installed package.json $(shell find src -name '*.ts')
	@$(BIN)/tsc -p .
	@$(BIN)/esbuild build/cli.ts $(AS_PROGRAM) --outfile=dist/build-cli.js
	@node dist/build-cli.js

# The last that is written stands for all three.
dist/lambda/load.zip: build/lambda.ts build/own-sources.ts build/no-certificates.ts node_modules/.installed package.json $(shell find src -name '*.ts')
	@$(BIN)/esbuild build/lambda.ts $(AS_PROGRAM) --outfile=dist/build-lambda.js
	@node dist/build-lambda.js

stop: build ## stop the embedded PostgreSQL
	@node dist/starling.js stop

node_modules/.installed: package.json package-lock.json
	@npm ci --no-audit --no-fund --loglevel=error
	@touch node_modules/.installed

clean: ## remove what was built; .starling, with its databases, stays
	@rm -rf dist coverage node_modules/.installed
