# Jotsmith's targets. `make dev` shows it, `make test` proves it.

GO      ?= go
BIN     := bin/jotsmith
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
export CGO_ENABLED ?= 0

.PHONY: dev build test check endure bench bench-growth clean help

dev: ## build the server and run it with a guarded example API
	@test -x $(BIN) || echo "compiling once, about a minute ..."
	@$(MAKE) --no-print-directory build
	@exec $(BIN) dev $(ARGS)

build: ## build bin/jotsmith
	@cd server && $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o ../$(BIN) ./cmd/jotsmith

test: ## install what is missing, then run every test (at most 12 minutes on 2 cores)
	@scripts/test.sh

check: ## formatting, vet and static analysis alone
	@scripts/check.sh

endure: ## long campaigns by hand: kills, fuzzing; results go into docs/endurance.md
	@scripts/endure.sh

bench: ## the library beside its peers, the server beside its floors
	@scripts/bench.sh

bench-growth: ## what each operation costs with a thousand to a million sessions, with plots
	@scripts/growth.sh

clean: ## remove what was built
	@rm -rf bin

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile
