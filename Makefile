# `make` lists the targets. Everything is installed into .venv, once; nothing else on the machine is touched.

VENV := .venv
IS_RIGHT := -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
PYTHON ?= $(shell for p in python3.12 python3.13 python3.11 python3; do $$p $(IS_RIGHT) && echo $$p && break; done)
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TOOLS := $(VENV)/.installed-tools
SITE := $(VENV)/.installed-docs
# --no-compile: Python compiles what is used when it is first used; compiling everything costs a minute here.
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile -c constraints.txt -e

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-containers test-slurm test-kubernetes engines chaos attack check format schemas docs clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 17

demo: $(INSTALLED)  ## set up this machine and run the main job: a search of a depth model on demo data
	$(BIN)/automl run --policy on --yes

test: $(TOOLS)  ## set up and run the tests (under 10 minutes on 2 cores)
	$(BIN)/pytest -m "not slow and not gpu and not container" -n 2 --dist worksteal -q

test-all: $(TOOLS) engines  ## every test, the slow ones too
	$(BIN)/pytest -m "not gpu" -n 2 --dist worksteal -q

test-containers: $(TOOLS) engines  ## the launchers and whole studies on real Docker and Podman
	$(BIN)/pytest -m container -q
	$(BIN)/pytest tests/automl/launch tests/acceptance/test_remote_engine.py -m "not container" -q

test-slurm: $(TOOLS) engines  ## studies inside a real Slurm of one node (as root)
	$(BIN)/pytest tests/acceptance/test_slurm.py -q

test-kubernetes: $(TOOLS) engines  ## manifests against Kubernetes' published schemas (22 MB) and by kubectl's dry run
	$(INSTALL) '.[depth,dev,k8s]'
	$(BIN)/pytest tests/automl/cluster -q

engines:  ## install Docker, Podman, Slurm and kubectl for the tests (Debian, as root); else say what is missing
	@.ci/engines

chaos: $(TOOLS)  ## everything a trainer can do wrong, while what runs the study is killed: a table
	$(BIN)/python -m benchmarks.orchestration.chaos --json chaos.json

attack: $(TOOLS)  ## damaged files, missing storage, links, hostile trainers and packages at random for 10 minutes: a table
	$(BIN)/python -m benchmarks.orchestration.attack --json attack.json

check: $(TOOLS)  ## the linters: ruff, format, mypy strict, import contracts, dead code, spelling, word list, deletions, opened files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/python -m tests.words
	$(BIN)/python -m tests.deletions
	$(BIN)/python -m tests.opens
	$(BIN)/codespell automl depth_net tests docs benchmarks studies templates *.md

format: $(TOOLS)  ## rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schemas: $(INSTALLED)  ## write schemas/depth_net_mono/ anew from the trainer's own config
	$(BIN)/python -m depth_net.schema schemas/depth_net_mono --templates templates/depth_net_mono

docs: $(SITE)  ## build the documentation site into build/site; every link is checked
	$(BIN)/python -m tests.docs.site build/docs
	NO_COLOR=1 $(BIN)/zensical build --strict --clean

clean:  ## delete the environment and the caches, never results
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(INSTALLED): pyproject.toml constraints.txt
	@test "$$(uname)" = Linux || { echo "error: automl runs on Linux, this is $$(uname); use a container or a Linux machine"; exit 2; }
	@test -n "$(PYTHON)" && $(PYTHON) $(IS_RIGHT) || { \
	  echo "error: Python 3.11 to 3.13 is needed, found $(or $(PYTHON),none on PATH) ($$($(or $(PYTHON),python3) -V 2>&1));" \
	  "set PYTHON=/path/to/python3.12"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 2; }
	$(INSTALL) '.[depth]'
	@touch $@

$(TOOLS): $(INSTALLED)
	$(INSTALL) '.[depth,dev]'
	@# Where Python may not keep what it compiles, each of the tests' many processes would compile all it imports.
	@test -z "$$PYTHONDONTWRITEBYTECODE" || $(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@touch $@

$(SITE): $(INSTALLED)
	$(INSTALL) '.[depth,docs]'
	@touch $@
