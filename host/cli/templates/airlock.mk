# What the Makefile builds upon. It says before it includes this which programs it NEEDS, and after it how $(COMPONENT) is made.

ifneq ($(words $(CURDIR)),1)
$(error make cannot work where a path has spaces: move the project from $(CURDIR) to another folder)
endif

NAME := @NAME@
ROOT := $(CURDIR)
TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))
COMPONENT := $(CURDIR)/$(NAME).wasm
# What is made on the way to it, and the tools of the language.
BUILD := $(TARGET_DIR)/build
TOOLCHAINS := $(TARGET_DIR)/toolchains
WIT := $(wildcard wit/*.wit)
# The command `airlock` makes bindings, and components of modules.
TOOL = $(or $(shell command -v airlock 2>/dev/null),$(error the command `airlock` is not in the PATH))

