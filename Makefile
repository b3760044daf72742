# What people and CI call. `make` alone says what there is.
PREFIX ?= /usr/local
BIS := .build/release/bis
BUILD := swift build -c release --static-swift-stdlib

.DEFAULT_GOAL := help
.PHONY: help setup build demo test test-long test-portability check format bench bench-debugger install uninstall clean

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 — /p' Makefile

setup: ## Install the Debian packages that building and testing need (root or sudo; else say which are missing)
	@scripts/setup

build: setup ## Build .build/release/bis
	@$(BUILD)

demo: build ## Record a real program, replay it and look at the recording
	@scripts/demo $(BIS)

test: setup ## Build and run every test (the long rows aside)
	@scripts/test

test-long: setup ## The same with all variants and the large programs
	@scripts/test --long

test-portability: build ## Part of the tests on emulated machines with other CPUs (an hour; QEMU)
	@Tests/Portability/boot

check: build ## The rules that are checks: imports, sizes, generated files, format
	@./check

format: ## Format the Swift sources
	@find Sources Tests -name "*.swift" ! -name "*+Generated.swift" -print0 | xargs -0 swift format -i --parallel

bench: build ## Measure native, recorded and replayed programs; ROUNDS=5 WRITE=1 to fill Docs/benchmarks.md
	@Benchmarks/run --bis $(BIS) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(WRITE),--write)

bench-debugger: build ## Measure what debugging a recording costs; ROUNDS=5 WRITE=1 as above
	@Benchmarks/debugger --bis $(BIS) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(WRITE),--write)

install: build ## Install bis and its shell completions under PREFIX (default /usr/local)
	@install -D -m 755 $(BIS) $(DESTDIR)$(PREFIX)/bin/bis
	@mkdir -p $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions \
	  $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	@$(BIS) --generate-completion-script bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/bis
	@$(BIS) --generate-completion-script zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_bis
	@$(BIS) --generate-completion-script fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/bis.fish
	@echo "installed $(DESTDIR)$(PREFIX)/bin/bis"

uninstall: ## Remove what install put under PREFIX
	@rm -f $(DESTDIR)$(PREFIX)/bin/bis $(DESTDIR)$(PREFIX)/share/bash-completion/completions/bis \
	  $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_bis $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/bis.fish

clean: ## Delete everything that was built
	@rm -rf .build
