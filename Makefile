# `make` alone says what there is.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

TS := node --import tsx
KAFKA := $(TS) deploy/kafka/cli.ts

# Starts Kafka unless KAFKA_BROKERS names one; then every command of the recipe knows the brokers.
WITH_KAFKA = if [ -z "$$KAFKA_BROKERS" ]; then $(KAFKA) up || exit 1; fi; $(KNOW_KAFKA)
KNOW_KAFKA = KAFKA_BROKERS=$$($(KAFKA) brokers) || exit 1; export KAFKA_BROKERS

MODULES := node_modules/.package-lock.json
BUILT := dist/.built
SOURCES := $(shell find src scripts/build -type f) tsconfig.json tsconfig.build.json \
  tsconfig.client.json docs/operations.md

.PHONY: help
help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: node-version
node-version:
	@case "$$(node --version 2>&1)" in \
	  v20.19.*|v20.[2-9][0-9].*|v22.*) ;; \
	  v*) echo "Forebay needs Node.js 20.19+ or 22, this is $$(node --version)" >&2; exit 1 ;; \
	  *) echo 'Forebay needs Node.js 20.19+ or 22, and there is none' >&2; exit 1 ;; \
	esac

.PHONY: setup
setup: $(MODULES) ## install the npm packages of the lock file

$(MODULES): package-lock.json package.json | node-version
	@echo 'npm ci'
	@npm ci --no-audit --no-fund --no-progress --loglevel=error >&2
	@touch $@

.PHONY: build
build: $(BUILT) ## compile src/ to dist/

$(BUILT): $(MODULES) $(SOURCES) | node-version
	@npm run --silent build
	@touch $@

# exec: a Ctrl-C then reaches node alone, and once.
.PHONY: run
run: build ## start the gateway on port 9000, and Kafka if KAFKA_BROKERS is not set
	@$(WITH_KAFKA); if [ -t 1 ]; then export LOG_PRETTY="$${LOG_PRETTY:-1}"; fi; \
	exec node dist/main.js

.PHONY: kafka
kafka: setup ## start Kafka on port 9092; it runs until make kafka-stop
	@$(KAFKA) up

.PHONY: kafka-stop
kafka-stop: setup ## stop that Kafka; its data is kept
	@$(KAFKA) down

.PHONY: listen
listen: build ## print the topic's events, ARGS="--from -15m --filter clientId=me", or ARGS=--help
	@$(KNOW_KAFKA); exec node dist/main.js listen $(ARGS)

.PHONY: bench
bench: build ## measure: the suite (10 min), or one scenario, SCENARIO=single; see docs/benchmarks.md
	@exec $(TS) bench/run.ts $(SCENARIO) $(ARGS)

.PHONY: bench-check
bench-check: build ## run the suite and hold it against bench/baseline.json, or ARGS=--last run
	@exec $(TS) bench/baseline.ts check $(ARGS)

.PHONY: bench-baseline
bench-baseline: build ## run the suite and record that baseline, or ARGS=--last run
	@exec $(TS) bench/baseline.ts record $(ARGS)

.PHONY: bench-compression
bench-compression: setup ## what each codec of KAFKA_COMPRESSION costs and saves, by size of batch
	@exec $(TS) bench/compression.ts

.PHONY: chaos
chaos: build ## break things under load and balance the books: all (25 min), or one, SCENARIO=broker-sigkill
	@exec $(TS) bench/chaos/run.ts $(SCENARIO)

.PHONY: chaos-report
chaos-report: setup ## write bench/CHAOS.md from the newest outcome of each scenario
	@exec $(TS) bench/chaos/run.ts report

.PHONY: soak
soak: build ## a fault a minute for HOURS=1; memory and descriptors stay flat
	@HOURS="$(HOURS)" exec $(TS) bench/chaos/run.ts soak

.PHONY: profile
profile: build ## leave a CPU profile of a loaded worker in bench/out/profile, and its summary
	@exec $(TS) bench/profile.ts

.PHONY: check
check: setup ## check types and style
	@npm run --silent check

.PHONY: test
test: build check ## run the tests with a Kafka of their own, all or TESTS="test/one.test.ts"
	@exec $(TS) scripts/test.ts $(TESTS)

.PHONY: simulate
simulate: build ## run SEEDS=1000 simulated histories, or replay one with SEED=123 and its trace
	@SEEDS="$(SEEDS)" SEED="$(SEED)" FIRST="$(FIRST)" \
	exec $(TS) --import ./test/support/dist.ts test/simulation/main.ts

.PHONY: docs
docs: setup ## write the reference pages and the dashboards, which come from the code
	@$(TS) scripts/docs.ts

.PHONY: screenshots
screenshots: build ## take the pictures of docs/images anew, by the tests that look at the pages
	@SCREENSHOTS=docs/images exec $(TS) scripts/test.ts test/page/page.test.ts \
	  test/primary/live-view/page.test.ts

.PHONY: image
image: ## build the image forebay:VERSION, with Docker or buildah; see docs/deploy-image.md
	@exec deploy/image/build.sh

.PHONY: image-test
image-test: export STAND_IN := 1
image-test: image setup ## run that image with Docker or podman: events into a Kafka, stops, its size
	@exec $(TS) scripts/test.ts test/image/image.ts

.PHONY: release
release: setup ## write tarball, image, bill of materials and checksums into release/
	@exec $(TS) scripts/release.ts

.PHONY: release-test
release-test: setup ## unpack what make release has written, and run it
	@exec $(TS) scripts/test.ts test/image/release.ts

.PHONY: sbom
sbom: setup ## write dist/sbom.cdx.json, what runs in production as CycloneDX
	@$(TS) scripts/sbom.ts

.PHONY: check-deploy
check-deploy: build ## check what deploy/ names: files, ports, images, settings, each tool's own check
	@exec $(TS) deploy/check/main.ts

# Both are asked, whatever became of the first one.
.PHONY: audit
audit: setup ## ask the registry for signatures and known vulnerabilities of the packages
	@status=0; \
	npm audit signatures || { echo 'audit: signatures are not proven' >&2; status=1; }; \
	npm audit --omit=dev || { echo 'audit: vulnerabilities are not ruled out' >&2; status=1; }; \
	exit $$status

.PHONY: clean
clean: ## remove what was built
	@rm -rf dist build bench/out
