# Needs Rust and, for the demonstration and the tests, Python 3. `make` alone says what there is to make.

.DEFAULT_GOAL := help
.PHONY: help demo test hostile crash soak fuzz fuzz-guided bench lint guests guests-all wasm-target

CARGO = cargo
WASM = wasm32-wasip2
TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))
GUESTS_DIR := $(TARGET_DIR)/guests
# The packages that become WebAssembly components, each $(GUESTS_DIR)/<its name without `airlock-`>.wasm: those that the
# command embeds and the examples use, and those that tests and measurements need.
GUESTS = airlock-files airlock-tables airlock-parquet airlock-monthly airlock-snoop
PROGRAMS = airlock-test-programs airlock-test-ops airlock-test-broken airlock-bench-copy

# Where the build of the command looks for guests to embed, when that is not `target/guests`.
ifdef CARGO_TARGET_DIR
export AIRLOCK_GUESTS = $(GUESTS_DIR)
endif

# So that a component has one digest wherever it is built: what hashing in Arrow begins with is chosen when that is
# compiled, and messages of panics name the files of the sources.
export CONST_RANDOM_SEED = airlock
REMAP = --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=cargo --remap-path-prefix=$(CURDIR)=airlock

help:
	@echo "make demo     build everything, run examples/weather and check each value it stores"
	@echo "make test     run every test"
	@echo "make hostile  run the guests that attack, and print the table of what became of each"
	@echo "make crash    kill runs at 1,000 points, and fail their storage in 200 ways (some minutes)"
	@echo "make soak     make a million calls in one process, and look at what it holds then (some minutes)"
	@echo "make fuzz     change what Airlock reads at random, 100,000 times each (some minutes); INPUTS=1000 does less"
	@echo "make fuzz-guided  the same, led by what code an input reaches, a minute each; needs cargo-fuzz; TARGET=locks SECONDS=600"
	@echo "make lint     check format, lints and licences"
	@echo "make bench    measure, beside native Rust doing the same work; FILTER=tables measures only that; languages need guests-all"
	@echo "make guests   build the components that the command embeds and the examples use"
	@echo "make guests-all  these, and guests in six languages, whose tools it installs into target/toolchains"

demo: guests
	@echo "demo: building the command (some minutes the first time)"
	@$(CARGO) build --quiet --release -p airlock-cli
	@AIRLOCK="$(TARGET_DIR)/release/airlock" TARGET_DIR="$(TARGET_DIR)" sh examples/weather/demo.sh

test: guests
	$(CARGO) test --workspace --quiet

# The tests that the table names, the longest among them, and then the guests that it lists.
hostile: guests
	@names=$$(sed -n '/^## Hostile guests/,$$p' docs/reliability.md | grep '| – |$$' | cut -d '|' -f 4 | grep -o '`[a-z0-9_]*`' | tr -d '`'); \
	 said=$$($(CARGO) test --workspace --quiet -- --include-ignored $$names 2>&1) || { echo "$$said"; exit 1; }
	@AIRLOCK_TEST_ISOLATE=1 $(CARGO) test --workspace --quiet --test hostile -- every_attack
	@$(CARGO) test --workspace --quiet --test hostile -- --nocapture every_attack

# Both print what they found; `make test` does the same with fewer of each.
crash: guests
	@AIRLOCK_CRASH_POINTS=$(or $(POINTS),1000) AIRLOCK_FAULT_CASES=$(or $(CASES),200) $(CARGO) test --workspace --quiet \
	   --test crash --test crash_runs --test faults --test storage --test event_log -- --nocapture
	@AIRLOCK_TEST_ISOLATE=1 AIRLOCK_CRASH_POINTS=$(or $(ISOLATED_POINTS),100) $(CARGO) test --workspace --quiet \
	   --test crash_runs -- --nocapture runs_killed

soak: guests
	@AIRLOCK_SOAK_CALLS=$(or $(CALLS),1000000) $(CARGO) test --workspace --quiet --test soak -- --nocapture

# What was read, how many inputs, how many were taken and refused, and the seed that makes the same inputs again.
fuzz: guests
	@AIRLOCK_FUZZ_INPUTS=$(or $(INPUTS),100000) $(CARGO) test --workspace --quiet --test fuzz -- --nocapture

# cargo-fuzz, whose flags stable compilers take with RUSTC_BOOTSTRAP. Without a sanitizer, which is for unsafe code: ours has but
# one place, and what that is given is authenticated first. What is found is kept in fuzz/corpus, what fails in fuzz/artifacts.
SAVED_INPUTS = tests/fuzz/corpus
fuzz-guided: guests
	@for target in $(or $(TARGET),$(notdir $(wildcard $(SAVED_INPUTS)/*))); do \
	   echo "fuzz-guided: $$target"; mkdir -p fuzz/corpus/$$target "$(TARGET_DIR)/tmp/guided"; \
	   TMPDIR="$(TARGET_DIR)/tmp/guided" RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run --sanitizer none $$target \
	     fuzz/corpus/$$target $(SAVED_INPUTS)/$$target -- \
	     -max_total_time=$(or $(SECONDS),60) -max_len=65536 -timeout=20 -rss_limit_mb=1024 -print_final_stats=1 || exit 1; \
	 done

bench: guests
	@$(CARGO) build --quiet --release -p airlock-bench -p airlock-cli
	@"$(TARGET_DIR)/release/airlock-bench" $(FILTER)

lint: guests
	$(CARGO) fmt --all --check
	$(CARGO) clippy --quiet --workspace --all-targets -- -D warnings
	$(CARGO) clippy --quiet --target $(WASM) $(addprefix -p ,$(GUESTS) $(PROGRAMS)) -- -D warnings
	@$(CARGO) metadata --quiet --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null || \
	  { echo "lint: fuzz/Cargo.lock is not that of its packages; 'cargo metadata' in fuzz writes it anew" >&2; exit 1; }
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --log-level error check; \
	 else echo "lint: cargo-deny is not installed, so licences and advisories were not checked"; fi

guests: wasm-target
	@echo "guests: building $(GUESTS) $(PROGRAMS)"
	@RUSTFLAGS="$(RUSTFLAGS) $(REMAP)" \
	   $(CARGO) build --quiet --profile guest --target $(WASM) $(addprefix -p ,$(GUESTS) $(PROGRAMS))
	@mkdir -p "$(GUESTS_DIR)"
	@for package in $(GUESTS) $(PROGRAMS); do \
	   built="$(TARGET_DIR)/$(WASM)/guest/$$(echo $$package | tr - _).wasm"; \
	   kept="$(GUESTS_DIR)/$${package#airlock-}.wasm"; \
	   cmp -s "$$built" "$$kept" || cp "$$built" "$$kept" || exit 1; \
	 done

# A language whose tools cannot be installed here is skipped, and the line of it says what is missing.
guests-all: guests
	@GUEST_RUSTFLAGS="$(RUSTFLAGS) $(REMAP)" sh guests/languages/build.sh

wasm-target:
	@if ! test -d "$$(rustc --print target-libdir --target $(WASM))"; then \
	   echo "guests: adding the Rust target $(WASM)"; \
	   rustup target add $(WASM) || { \
	     echo "guests: the Rust target $(WASM) is missing and rustup could not add it; install it and run this again" >&2; \
	     exit 1; }; \
	 fi
