# `make` alone lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# `npm ci` replaces files that other recipes read.
.NOTPARALLEL:

TS := node --import tsx
KAFKA := $(TS) deploy/kafka/cli.ts
# Its exit code if nothing is installed that could run Kafka.
NO_TOOLS := 3

NODE_VERSION := $(shell { node --version; } 2>/dev/null)
NODE_MAJOR := $(firstword $(subst ., ,$(NODE_VERSION)))

NPM_CI = npm ci --no-audit --no-fund --no-progress --loglevel=error >&2
# Binary of uWebSockets.js: npm installs only that of the running Node.js version.
UWS := uWebSockets.js-node$(NODE_MAJOR:v%=%)
MODULES := node_modules/.package-lock.json
BUILT := dist/.built
SOURCES := $(shell find src scripts/build -type f) tsconfig.json tsconfig.build.json \
  tsconfig.client.json docs/operations.md docs/openapi.yaml docs/asyncapi.yaml

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Prerequisite of every target that runs code: tsx needs --import.
.PHONY: node
node:
	@case '$(NODE_VERSION)' in \
	  v18.1[89].*|v18.[2-9][0-9].*|v19.*|v[2-9][0-9].*) ;; \
	  v*) echo 'Forebay needs Node.js 22, 24 or 26, this is $(NODE_VERSION)' >&2; exit 1 ;; \
	  *) echo 'Forebay needs Node.js 22, 24 or 26, but found none' >&2; exit 1 ;; \
	esac

# Prerequisite of targets that run the gateway.
.PHONY: gateway-node
gateway-node: node
	@case '$(NODE_VERSION)' in \
	  v20.19.*|v20.[2-9][0-9].*|v22.*|v24.*|v26.*) ;; \
	  *) echo 'the gateway needs Node.js 22, 24 or 26, this is $(NODE_VERSION)' >&2; exit 1 ;; \
	esac

.PHONY: setup
setup: $(MODULES) ## install the npm packages of the lock file
	@if [ ! -d node_modules/$(UWS) ] && grep -q '"$(UWS)"' package.json && \
	  ls -d node_modules/uWebSockets.js-node* >/dev/null 2>&1; then \
	  echo 'npm ci: another version of Node.js installed the packages'; $(NPM_CI); \
	fi
	@[ -d node_modules/$(UWS) ] || [ -e node_modules/.$(UWS) ] || node scripts/uws-package.mjs

$(MODULES): package-lock.json package.json | node
	@echo 'npm ci'
	@$(NPM_CI)
	@touch $@

.PHONY: build
build: $(BUILT) ## compile src/ to dist/

$(BUILT): $(MODULES) $(SOURCES)
	@npm run --silent build
	@touch $@

# exec: Ctrl-C then reaches only node, and only once.
.PHONY: run
run: gateway-node setup build ## start the gateway on port 9000, and Kafka unless KAFKA_BROKERS is set
	@if [ -t 1 ]; then export LOG_PRETTY="$${LOG_PRETTY:-1}"; fi; \
	if [ -z "$$KAFKA_BROKERS" ]; then $(KAFKA) up; status=$$?; \
	  if [ $$status = $(NO_TOOLS) ]; then $(KAFKA) micro $$$$; exec node dist/main.js micro; fi; \
	  [ $$status = 0 ] || exit 1; \
	fi; \
	KAFKA_BROKERS=$$($(KAFKA) run $$$$) || exit 1; export KAFKA_BROKERS; \
	exec node dist/main.js

.PHONY: micro
micro: gateway-node setup build ## start the gateway on port 9000 without Kafka, events in memory, or ARGS="--data events"
	@$(KAFKA) micro $$$$; exec node dist/main.js micro $(ARGS)

.PHONY: kafka
kafka: $(MODULES) ## start Kafka on port 9092, or ARGS="--port 9192", until make kafka-stop
	@$(KAFKA) up $(ARGS)

.PHONY: kafka-stop
kafka-stop: $(MODULES) ## stop that Kafka, keeping its data and its port
	@$(KAFKA) down

TOPIC_ARGS = $(if $(STREAM),'--stream=$(STREAM)') $(if $(TOPIC),'--topic=$(TOPIC)')
LISTEN_ARGS = $(TOPIC_ARGS) $(ARGS)

.PHONY: listen
listen: build ## print events, all or STREAM=orders or TOPIC=name, ARGS="--from -15m --filter clientId=me", or ARGS=--help
	@settings=$$($(KAFKA) listen $(LISTEN_ARGS)) || exit 1; eval "$$settings"; \
	exec node dist/main.js listen "$$@" $(LISTEN_ARGS)

.PHONY: schema-try
schema-try: build ## validate stored events with SCHEMA=new.json, of STREAM=orders or TOPIC=name, ARGS="--from -1d"
	@settings=$$($(KAFKA) listen $(TOPIC_ARGS)) || exit 1; eval "$$settings"; \
	exec node dist/main.js schema try '$(SCHEMA)' $(LISTEN_ARGS)

.PHONY: doctor
doctor: build ## check settings, machine, files and Kafka step by step, ARGS=--json
	@settings=$$($(KAFKA) listen); eval "$$settings"; \
	exec node dist/main.js doctor $(ARGS)

.PHONY: bench
bench: gateway-node setup build ## run the benchmark suite (15 min), or SCENARIO=single; see docs/benchmarks.md
	@COMMIT='$(COMMIT)' exec $(TS) bench/run.ts $(SCENARIO) $(ARGS)

.PHONY: bench-check
bench-check: gateway-node setup build ## run the suite and compare it with bench/baseline.json; ARGS=--last uses the last run
	@exec $(TS) bench/baseline.ts check $(ARGS)

.PHONY: bench-baseline
bench-baseline: gateway-node setup build ## run the suite and record it as baseline; ARGS=--last uses the last run
	@exec $(TS) bench/baseline.ts record $(ARGS)

.PHONY: bench-compression
bench-compression: $(MODULES) ## measure cost and savings of each KAFKA_COMPRESSION codec by batch size
	@exec $(TS) bench/compression.ts

.PHONY: chaos
chaos: gateway-node setup build ## inject faults under load and check the ledger: all (25 min), or SCENARIO=broker-sigkill; SCENARIO=hostile SECONDS=20 runs attacks; TRANSPORT=node
	@SECONDS="$(SECONDS)" exec $(TS) bench/chaos/run.ts $(SCENARIO)

.PHONY: chaos-report
chaos-report: $(MODULES) ## write bench/CHAOS.md from the newest result of each scenario
	@exec $(TS) bench/chaos/run.ts report

.PHONY: soak
soak: gateway-node setup build ## inject a fault per minute for HOURS=1; memory and descriptors must stay flat
	@HOURS="$(HOURS)" exec $(TS) bench/chaos/run.ts soak

.PHONY: profile
profile: gateway-node setup build ## record a CPU profile of a loaded worker in bench/out/profile, and summarize it; LOAD=batched or full
	@exec $(TS) bench/profile.ts $(LOAD)

.PHONY: check
check: $(MODULES) ## check types and style
	@npm run --silent check

.PHONY: test
test: gateway-node setup build check ## run the tests with their own Kafka, all or TESTS="test/one.test.ts"
	@exec $(TS) scripts/test.ts $(TESTS)

.PHONY: test-long
test-long: gateway-node setup build ## run the tests that take minutes: outages, ACLs, whole clusters, mutants
	@exec $(TS) scripts/test.ts --long

# Without those of what lies behind the transport, and without long tests except for these.
BEHIND_TRANSPORT := fake-kafka identity identity-changes keys metrics order processes rates \
  records secrets shipped topic-codes
TRANSPORT_TESTS = $(filter-out %.long.test.ts $(BEHIND_TRANSPORT:%=test/integration/%.test.ts), \
  $(wildcard test/integration/*.test.ts)) \
  $(patsubst %,test/integration/%.long.test.ts,credit unread-pongs) \
  $(patsubst %,test/integration/faults/%.test.ts,drain rolling-restart stop tls)

# Differences from uWebSockets.js: docs/platforms.md.
.PHONY: test-transport
test-transport: gateway-node setup build ## run the integration tests with the transport of Node.js
	@TRANSPORT=node exec $(TS) scripts/test.ts $(TRANSPORT_TESTS)

.PHONY: test-platforms
test-platforms: gateway-node setup build ## run the tests of Node.js and transport on 22, 24 and 26 in a Debian 13 root, or ARGS="24 test/main.test.ts"
	@exec $(TS) scripts/platforms/main.ts $(ARGS)

.PHONY: simulate
simulate: build ## run SEEDS=1000 simulated histories, or replay SEED=123 with its trace
	@SEEDS="$(SEEDS)" SEED="$(SEED)" FIRST="$(FIRST)" \
	exec $(TS) --import ./test/support/dist.ts test/simulation/main.ts

.PHONY: docs
docs: $(MODULES) ## generate the reference pages and the dashboards from the code
	@$(TS) scripts/docs.ts

.PHONY: screenshots
screenshots: gateway-node setup build ## update the screenshots in docs/images, using the page tests
	@SCREENSHOTS=docs/images exec $(TS) scripts/test.ts test/page/page.test.ts \
	  test/primary/live-view/page.test.ts test/primary/tail/page.long.test.ts \
	  test/page/trial.long.test.ts

.PHONY: image
image: ## build the image forebay:VERSION with Docker or buildah; see docs/deploy-image.md
	@exec deploy/image/build.sh

.PHONY: image-test
image-test: export STAND_IN := 1
image-test: image setup ## test that image with Docker or podman: events into Kafka, stops, its size
	@exec $(TS) scripts/test.ts test/image/image.ts

.PHONY: release
release: gateway-node setup ## write tarball, image, bill of materials and checksums to release/
	@exec $(TS) scripts/release.ts

.PHONY: release-test
release-test: gateway-node setup ## unpack the output of make release and run it
	@exec $(TS) scripts/test.ts test/image/release.ts

.PHONY: sbom
sbom: $(MODULES) ## write dist/sbom.cdx.json, the production packages as CycloneDX
	@$(TS) scripts/sbom.ts

.PHONY: check-deploy
check-deploy: gateway-node setup build ## check references in deploy/ (files, ports, images, settings), and run each tool's own check
	@exec $(TS) deploy/check/main.ts

# Runs both checks, even if the first one fails.
.PHONY: audit
audit: $(MODULES) ## check signatures and known vulnerabilities of the packages
	@status=0; \
	npm audit signatures || { echo 'audit: signatures not verified' >&2; status=1; }; \
	npm audit --omit=dev || { echo 'audit: vulnerabilities found, or check failed' >&2; status=1; }; \
	exit $$status

.PHONY: clean
clean: ## remove build output
	@rm -rf dist build bench/out
