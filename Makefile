# Each target is one readable script or cargo call.
.PHONY: help build demo test behaviour test-kernels test-kubernetes lint bench clean

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile

build: ## The plimsoll command, target/release/plimsoll
	scripts/install.sh
	cargo build --release --locked -p plimsoll-cli

demo: ## Scan, profile, run and watch real redis, postgres and nginx; then misbehave (root)
	scripts/demo/run.sh

test: ## Everything that CI runs; kernel tests need root
	scripts/test.sh

behaviour: ## Normal work and attacks in 16 real images under a real agent; writes docs/behaviour.md (root, 10 minutes)
	scripts/test-behaviour.sh

test-kernels: ## The sensor tests on Debian's 6.1 and 6.12 kernels in virtual machines (4 minutes)
	scripts/test-kernels.sh

test-kubernetes: ## Admission in front of a real kube-apiserver and etcd; builds the API server at the first run
	scripts/test-kubernetes.sh

lint: ## Formatting and clippy
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

bench: ## Measure scan and agent against their peers (root; writes docs/benchmarks.md's figures to the terminal)
	bench/scan.sh
	bench/agent.sh

clean: ## Remove everything that was built, images included
	cargo clean
