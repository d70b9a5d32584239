# Where the Makefiles of the languages build. A Makefile says before it includes this:
#   NEEDS   the programs that must be there already, beside cargo
# and after it, how $(COMPONENT) is made.

NAME := $(notdir $(CURDIR))
ROOT := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))../..)
TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),$(ROOT)/target))
COMPONENT := $(TARGET_DIR)/guests/languages/$(NAME).wasm
# What is made on the way to it.
BUILD := $(TARGET_DIR)/languages/$(NAME)
TOOLCHAINS := $(TARGET_DIR)/toolchains
WIT := $(wildcard $(ROOT)/wit/*.wit)
TOOL := $(TARGET_DIR)/debug/airlock-bindings

NEEDS += cargo

include $(ROOT)/guests/languages/tools.mk

# Of the whole workspace, so that what it depends on is compiled once for this and for tests.
$(TOOL): $(wildcard $(ROOT)/guests/tools/src/*.rs $(ROOT)/guests/tools/support/*/*) $(ROOT)/guests/tools/Cargo.toml $(WIT)
	cd $(ROOT) && cargo build --quiet --workspace --bin airlock-bindings
	@touch $@
