# sluice: `make` lists the targets.

BASE_URL       ?= http://127.0.0.1:8000
WEBHOOK_SECRET ?= $(if $(WEBHOOK_SECRET_FILE),,testsecret)
DATA           ?= data

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  := $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X sluice/internal/ops.version=$(VERSION) -X sluice/internal/ops.commit=$(COMMIT)
CURL    := curl -sS --fail-with-body

# An environment that names no WEBHOOK_SECRET leaves it to deploy/compose/.env.
COMPOSE := $(if $(filter file,$(origin WEBHOOK_SECRET)),env -u WEBHOOK_SECRET )deploy/compose

export WEBHOOK_SECRET BASE_URL VERSION COMMIT

.DEFAULT_GOAL := help
.PHONY: help build run test check fmt fuzz bench screenshots clean health messages stats pipeline metrics quick-test db-shell up down logs restart test-compose fault-kill fault-power fault-disk fault-network fault-hostile fault-overload fault-cluster release vulnerable bin/api bin/writer

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: bin/api bin/writer ## build bin/api and bin/writer, static

bin/api bin/writer:
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/$(@F)

run: build ## run both programs with data under ./data; Ctrl-C stops both
	@DATA='$(DATA)' deploy/run.sh

test: ## every test that needs nothing but Go
	go test -timeout 20m ./cmd/... ./internal/... ./pkg/...
	go test -p 1 -timeout 20m ./test/... # whole programs: one package at a time has the machine

check: ## what CI runs: format, vet, staticcheck, modules, every test, races
	@test -z "$$(gofmt -l .)" || { echo 'not formatted (make fmt):'; gofmt -l .; exit 1; }
	go mod verify
	go mod tidy -diff
	go vet ./...
	go tool staticcheck ./...
	$(MAKE) vulnerable
	$(MAKE) test
	cd test/deploy/kubernetes && go test ./...
	$(MAKE) test-compose COMPOSE_TEST=-short
	SLUICE_TEST_RACE=1 go test -race -short -timeout 20m ./cmd/... ./internal/... ./pkg/... ./test/system/...

fmt: ## format the code
	gofmt -w .

ROWS  ?= 1000000
PARTS ?= ingest,deliveries,memory,writer,rebuild,query,start,cluster

bench: build ## measure speed, ROWS=10000000 in full, PARTS=ingest in part; writes docs/BENCHMARKS.md
	SLUICE_TEST_BIN='$(CURDIR)/bin' go run ./test/bench -rows $(ROWS) -parts $(PARTS)

screenshots: ## the README's pictures of the operator's page; needs Chromium
	go test -count=1 -timeout 10m ./test/browser -run TestImages -images '$(CURDIR)/docs/images'

# Without -fuzzminimizetime all of the time may go into minimizing inputs whose coverage is not twice the same.
fuzz: ## fuzz everything strangers send, 20 seconds each
	@set -e; for pkg in $$(go list ./pkg/... ./internal/...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "== $$pkg $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime 20s -fuzzminimizetime 10x $$pkg; \
		done; \
	done

health: ## ask a running api whether it is ready
	@curl -sS $(BASE_URL)/health/ready; echo

messages: ## the newest messages
	@$(CURL) '$(BASE_URL)/messages?order=desc&limit=10'; echo

stats: ## totals and top senders
	@$(CURL) $(BASE_URL)/stats; echo

pipeline: ## stream, writers, lag, sizes
	@$(CURL) $(BASE_URL)/pipeline; echo

metrics: ## the api's metrics
	@$(CURL) $(BASE_URL)/metrics

quick-test: ## sign a message, post it, read it back
	@deploy/quick-test.sh

db-shell: ## open the database with sqlite3: that of make run read-only, else a copy of that of make up
	@if [ -e '$(DATA)/app.db' ]; then sqlite3 -readonly '$(DATA)/app.db'; else $(COMPOSE)/db-shell.sh; fi

up: ## build the images and run both programs in containers; deploy/compose/.env holds the values
	@$(COMPOSE)/up.sh

down: ## stop the containers; the data stays
	@$(COMPOSE)/compose.sh down --remove-orphans

logs: ## follow the containers' logs
	@$(COMPOSE)/compose.sh logs -f --tail=100

restart: ## restart the containers
	@$(COMPOSE)/compose.sh restart

test-compose: ## the images and the Compose files on a real Docker engine
	go test -count=1 -timeout 20m -v ./test/compose -compose $(COMPOSE_TEST)

FAULT := go test -count=1 -timeout 120m -v ./test/fault -long

fault-kill: ## kill -9 of api and writer 200 times under load; ARGS='-kills 1000 -seed 2'
	$(FAULT) -run 'TestKill$$' $(ARGS)

fault-power: ## cut the power 100 times by each rule; ARGS='-cuts 1000 -seed 2'
	$(FAULT) -run TestPowerCut $(ARGS)

fault-disk: ## full disks and damaged files
	$(FAULT) -run 'TestDiskFull|TestDamage' $(ARGS)

fault-network: ## writers that are cut off, slow, and back again
	$(FAULT) -run TestNetwork $(ARGS)

fault-hostile: ## slow, lying and very many clients
	$(FAULT) -run TestHostile $(ARGS)

fault-overload: ## twice as many requests as can be taken, by a crowd on processors of its own
	$(FAULT) -run TestOverload $(ARGS)

fault-cluster: ## kill, stop and cut off the nodes of clusters again and again, for minutes
	go test -count=1 -timeout 60m -v ./test/cluster -long

release: ## archives for linux/amd64 and arm64 in dist, each built twice and compared, with what they are made of
	@VERSION='$(VERSION)' LDFLAGS='$(LDFLAGS)' deploy/release/release.sh

vulnerable: ## look for known vulnerabilities
	@deploy/release/vulnerable.sh

clean: ## remove what was built, the data of make run, and containers and volumes of make up
	rm -rf bin dist $(DATA)
	@[ ! -e deploy/compose/.env ] || $(COMPOSE)/compose.sh down -v --remove-orphans
