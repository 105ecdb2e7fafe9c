# make help lists the targets
SHELL := /bin/bash
PYTHON ?= python3.11
STUDY ?= rhc
CORES ?= $(shell nproc)
RESULTS ?= results
VENV := .venv
BIN := $(VENV)/bin
KERNELS := $(wildcard workflow/lib/parallax/statistics/*.py)
export PYTHONDONTWRITEBYTECODE :=
export OMP_NUM_THREADS ?= 1
export PYTHONPATH := $(CURDIR)/workflow/lib

.DEFAULT_GOAL := help
.PHONY: help install run certify twins tune release compare site_results external_control examples test recovery lint bench shift cost truth docs clean

help: ## list the targets
	@grep -hE '^[a-z_]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

install: $(VENV)/.compiled ## install the locked packages into .venv and compile

$(VENV)/.installed: envs/lock.txt
	@command -v $(PYTHON) >/dev/null || { echo "Parallax needs Python 3.11; found no '$(PYTHON)' (name another with make PYTHON=…)" >&2; exit 1; }
	@echo "Installing into $(VENV) (once, about two minutes) …"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r envs/lock.txt
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	@touch $@

$(VENV)/.compiled: $(VENV)/.installed $(KERNELS)
	@$(BIN)/python -m compileall -q workflow/lib
	@$(BIN)/python -m parallax.statistics
	@touch $@

run: $(VENV)/.compiled ## run a study: make run, or make run STUDY=gbsg (a name in config/studies or a path)
	@mkdir -p .snakemake
	@flock --nonblock --conflict-exit-code 75 .snakemake/run.lock \
	  $(BIN)/snakemake $(TARGET) --cores $(CORES) --nolock --config study=$(STUDY) results=$(RESULTS) $(ARGS); \
	  code=$$?; [ $$code -ne 75 ] || echo "Another run of this folder is under way; wait for it to end." >&2; exit $$code

certify: ## studies with a known effect through the whole chain: error rates of rules and agreement gate
	@$(MAKE) --no-print-directory run TARGET=certify

twins: ## virtual twins: patients under either arm, and the study's designs against the truth
	@$(MAKE) --no-print-directory run TARGET=twins

tune: ## a generator's settings tried on simulated studies, within the protocol's budget
	@$(MAKE) --no-print-directory run TARGET=tune

release: ## patients that passed, in a folder that may leave: make release GENERATOR=sequential KEY=signing_key.pem
	@$(MAKE) --no-print-directory run TARGET=release ARGS="$(if $(GENERATOR),generator=$(GENERATOR)) $(if $(KEY),signing_key=$(KEY)) $(ARGS)"

site_results: ## what each site tells other institutions, in one small file: make site_results KEY=signing_key.pem
	@$(MAKE) --no-print-directory run TARGET=site_results ARGS="$(if $(KEY),signing_key=$(KEY)) $(ARGS)"

external_control: ## treated patients beside the AI-generated comparators of a release (data.external_controls)
	@$(MAKE) --no-print-directory run TARGET=external_control

compare: ## this study beside the same one run elsewhere, on a release or on real patients: make compare WITH=RESULTS_FOLDER
	@$(MAKE) --no-print-directory run TARGET=compare ARGS="with=$(WITH) $(ARGS)"

examples: ## run every study in config/studies
	@for study in config/studies/*.yaml; do $(MAKE) --no-print-directory run STUDY=$$(basename $$study .yaml) || exit 1; done

test: $(VENV)/.compiled ## run the tests
	@$(BIN)/python -m pytest -m "not slow" -n $(CORES) --dist loadfile -q

recovery: $(VENV)/.compiled ## run the slow recoveries of known truth
	@$(BIN)/python -m pytest -m slow -n $(CORES) --dist loadfile -q --timeout 7200

lint: $(VENV)/.compiled ## ruff, mypy --strict, snakefmt, snakemake --lint, import-linter
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy workflow/lib/parallax
	@$(BIN)/snakefmt --check Snakefile workflow/rules
	@$(BIN)/snakemake --lint
	@$(BIN)/lint-imports

bench: $(VENV)/.compiled ## time the kernels beside their peers (about ten minutes)
	@$(BIN)/python benchmarks/kernels.py

shift: $(VENV)/.compiled ## measure the generators' shift on RHC over pre-listed seeds (long)
	@$(BIN)/python benchmarks/generator_shift.py

cost: $(VENV)/.compiled ## measure what generators cost beside SDV called directly (long)
	@$(BIN)/python benchmarks/generator_cost.py

docs: $(VENV)/.compiled ## write config/README.md and the JSON schema from the protocol models
	@$(BIN)/python -m parallax.protocol.documentation

truth: $(VENV)/.compiled ## measure the generators' bias where the truth is known (long)
	@$(BIN)/python benchmarks/generator_truth.py

clean: ## remove the environment and Snakemake's records (never results)
	@rm -rf $(VENV) .snakemake
