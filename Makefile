VERSION ?= 0.1.0
COMMIT  ?= $(shell git rev-parse --short HEAD 2>/dev/null)
LDFLAGS  = -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
BUILD    = CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'

export VERSION COMMIT

.PHONY: help build nvml test race demo bench fuzz cross package lint vuln clean

help: ## Show this list.
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | awk -F'\t' '{printf "make %-8s %s\n", $$1, $$2}'

build: ## Build bin/edge-agent: static, stripped, without C.
	$(BUILD) -o bin/edge-agent ./cmd/edge-agent

nvml: ## Build bin/edge-agent-nvml, which asks NVIDIA's driver. Needs a C compiler.
	CGO_ENABLED=1 go build -trimpath -buildvcs=false -ldflags '-s -w' -o bin/edge-agent-nvml ./cmd/edge-agent-nvml

test: ## Run all tests. Needs nothing but Go.
	CGO_ENABLED=0 go run ./test/tally -- -p 2 -timeout 10m ./...

race: ## Run all tests under the race detector. Needs a C compiler.
	CGO_ENABLED=1 go run ./test/tally -- -race -p 2 -timeout 20m ./...

demo: build ## Start a broker and an agent on this machine, with a pipeline on its own readings.
	./bin/edge-agent demo

bench: build ## Measure this machine: Go benchmarks, then the loop and the store against their rivals.
	go test -run '^$$' -bench . -benchmem ./...
	./bin/edge-agent bench dispatch
	./bin/edge-agent bench persist

fuzz: ## Fuzz every decoder, FUZZTIME each (default 30s).
	test/fuzz.sh $(or $(FUZZTIME),30s)

cross: ## Build for every platform into dist/.
	cross/build.sh

package: cross ## Make deb, rpm and apk packages in dist/.
	packaging/build.sh

lint: ## Check format, vet, staticcheck and the shell scripts.
	lint/lint.sh

vuln: ## Look for known vulnerabilities in what the agent uses. Needs the network.
	lint/vuln.sh

clean: ## Remove what was built.
	rm -rf bin dist
