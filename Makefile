# Needs GNU make and Python 3.11 or newer; everything else goes into .venv.

# Ansible refuses to start without a UTF-8 locale.
export LC_ALL := C.UTF-8

PYTHON ?= python3
ARGS ?=
# Of the ansible bundle a run imports a hundredth: Python compiles that when it is imported, and pip need not compile all.
PIP_INSTALL := .venv/bin/python -m pip --disable-pip-version-check --no-input install --quiet --no-compile

# A stamp's name holds a checksum of what it stands for: unchanged input costs nothing and changed input is installed
# again, whatever the files' times say. It is written last, so an interrupted installation leaves none.
KEY = $(shell { echo '$(PYTHON) $(CURDIR)'; cat /dev/null $(1); } | cksum | cut -d ' ' -f 1)
VENV := .venv/stamp-venv-$(call KEY)
RUN := .venv/stamp-run-$(call KEY,requirements.txt)
DEV := .venv/stamp-dev-$(call KEY,requirements.txt requirements-dev.txt)

# What each target takes on the command line, beside PYTHON. A word that none of those asked for takes would be ignored,
# and something else be done than was meant: it ends the command before anything is.
WORDS_advise := MODEL QUANTIZATION CONTEXT USERS MS FIRST PROMPT BUDGET MEMORY REGION MARKET TYPES ROWS PAGE ARGS
WORDS_bench := ARGS
WORDS_tune := ARGS
WORDS_explain := TYPE GCC ARGS
WORDS_plan := ARGS
WORDS_prices := REGIONS ARGS
WORDS_report := ARGS
WORDS_compare := A B ALLOW FAIL_ON ARGS
WORDS_bisect := GOOD BAD REPOSITORY TESTS ARGS
WORDS_export := FORMAT OUT ARGS
WORDS_import := FILES MACHINE MACHINE_FROM MODEL THREADS REGION ARGS
WORDS_site := SITE ARGS
WORDS_share := BUCKET ARGS
WORDS_fetch := BUCKET MACHINE MONTH ARGS
WORDS_shared := BUCKET MACHINE MONTH ARGS
WORDS_fuzz := INPUTS SEED ONLY
WORDS_chaos := ONLY SEED
TAKEN := $(foreach goal,$(MAKECMDGOALS),$(WORDS_$(goal))) PYTHON
GIVEN := $(foreach word,$(.VARIABLES),$(if $(filter command,$(origin $(word))),$(word)))
UNKNOWN := $(filter-out $(TAKEN),$(GIVEN))
NEAREST = $(shell PYTHONPATH=plugins/module_utils $(PYTHON) -B -c \
  'import sys; from record import words; print(words.did_you_mean(sys.argv[1], sys.argv[2:]))' \
  '$(1)' $(TAKEN) 2>/dev/null)
ifneq ($(UNKNOWN),)
$(error $(foreach word,$(UNKNOWN),make $(MAKECMDGOALS) does not take $(word)$(or $(call NEAREST,$(word)),.)) It takes $(TAKEN))
endif

# Before anything is installed for it. A test holds the endings to those of export/forms.py.
SUFFIX_csv := csv
SUFFIX_llama-bench := jsonl
SUFFIX_parquet := parquet
SUFFIX_openmetrics := txt
SUFFIX_bencher := json
SUFFIX_github-action-benchmark-bigger := json
SUFFIX_github-action-benchmark-smaller := json
ifneq ($(filter export,$(MAKECMDGOALS)),)
ifeq ($(strip $(OUT)),)
$(error make export needs OUT, the file to write: make export FORMAT=$(or $(FORMAT),csv) OUT=figures.$(or $(SUFFIX_$(or $(FORMAT),csv)),csv))
endif
endif

.PHONY: help advise bench tune explain plan prices report compare bisect export import site share fetch shared \
  setup test lint unit integration browser sanity molecule fuzz chaos clean

help:
	@echo "make bench     measure the hosts of the inventory, by default this machine, and write the pages"
	@echo "make tune      find the best configuration of the hosts: make tune ARGS='-e llama_bench_tune_memory_gib=1'"
	@echo "make advise    what to rent for a model, predicted, without an account: make advise USERS=8 MS=100 FIRST=2"
	@echo "               also MODEL QUANTIZATION CONTEXT PROMPT BUDGET MEMORY REGION MARKET TYPES ROWS PAGE"
	@echo "make explain   print the CMake line of an instance type and why: make explain TYPE=c8g.4xlarge GCC=12"
	@echo "make plan      what a run on EC2 would create, take and cost: AWS_REGION=us-east-1 make plan"
	@echo "make prices    ask AWS what EC2 costs today, for the plans from now on: make prices REGIONS=us-east-1,eu-central-1"
	@echo "make report    write the pages again from the records under results/"
	@echo "make compare   two selections of the records: make compare A=build=no-repack B=build=default; alone: what there is"
	@echo "make bisect    which llama.cpp became slower here: make bisect GOOD=b10240 BAD=b11434"
	@echo "make export    the figures for other programs: make export FORMAT=csv OUT=figures.csv"
	@echo "make import    what llama-bench or llama-cli printed: make import FILES='a.jsonl b.log' MACHINE=my-graviton"
	@echo "               of many machines: make import FILES='data/*/stdout' MACHINE_FROM=parent"
	@echo "make site      the pages as a self-contained HTML site: make site SITE=site"
	@echo "make share     put the records into a bucket, beside those of others: make share BUCKET=s3://our-results/llama"
	@echo "make fetch     read what others have shared: make fetch BUCKET=s3://our-results/llama"
	@echo "make shared    what is shared, by machine and month: make shared BUCKET=s3://our-results/llama MONTH=2026-11"
	@echo "make test      lint, unit, integration, browser, sanity and molecule; ends with the count of all tests"
	@echo "make lint      ruff, mypy, yamllint, ansible-lint, changelog and documentation checks"
	@echo "make unit      the unit tests"
	@echo "make integration  playbooks and servers as processes of their own, on this machine"
	@echo "make browser   the HTML site in headless Chromium"
	@echo "make sanity    ansible-test sanity on a copy of this checkout"
	@echo "make molecule  every scenario under molecule/; make molecule-aws one of them"
	@echo "make fuzz      broken files, answers and variables for all that reads them: make fuzz INPUTS=20000 SEED=7 ONLY=gguf"
	@echo "make chaos     try the faults of docs/reliability.md on real runs: make chaos ONLY=ssh-1s,sigterm SEED=7"
	@echo "make setup     .venv with what tests and linters need, and nothing else"
	@echo "make clean     remove .venv and what the tests left; results/ stays"
	@echo "Variables: ARGS='-e name=value -v' for bench, tune, plan and report, PYTHON=python3.13 for the interpreter of .venv"

bench: $(RUN)
	.venv/bin/ansible-playbook site.yml $(ARGS)

tune: $(RUN)
	.venv/bin/ansible-playbook playbooks/tune.yml $(ARGS)

advise: $(RUN)
	@.venv/bin/ansible-playbook playbooks/advise.yml \
	  $(if $(MODEL),-e '{"bench_report_advise_model": "$(MODEL)"}') $(if $(QUANTIZATION),-e '{"bench_report_advise_quantization": "$(QUANTIZATION)"}') \
	  $(if $(CONTEXT),-e '{"bench_report_advise_context": "$(CONTEXT)"}') $(if $(USERS),-e '{"bench_report_advise_users": "$(USERS)"}') \
	  $(if $(MS),-e '{"bench_report_advise_token_ms": "$(MS)"}') $(if $(FIRST),-e '{"bench_report_advise_first_s": "$(FIRST)"}') \
	  $(if $(PROMPT),-e '{"bench_report_advise_prompt": "$(PROMPT)"}') $(if $(BUDGET),-e '{"bench_report_advise_budget": "$(BUDGET)"}') \
	  $(if $(MEMORY),-e '{"bench_report_advise_memory_gib": "$(MEMORY)"}') $(if $(REGION),-e '{"bench_report_advise_region": "$(REGION)"}') \
	  $(if $(MARKET),-e '{"bench_report_advise_market": "$(MARKET)"}') $(if $(TYPES),-e '{"bench_report_advise_types": "$(TYPES)"}') \
	  $(if $(ROWS),-e '{"bench_report_advise_rows": "$(ROWS)"}') $(if $(PAGE),-e '{"bench_report_advise_page": "$(PAGE)"}') \
	  $(ARGS)

explain: $(RUN)
	@.venv/bin/ansible-playbook playbooks/explain.yml $(if $(TYPE),-e llama_cpp_explain_type=$(TYPE)) $(if $(GCC),-e llama_cpp_explain_gcc=$(GCC)) $(ARGS)

# The hosts alone: without an account nobody can be asked which instances there are.
plan: $(RUN)
	.venv/bin/ansible-playbook -i inventory/aws/hosts.yml playbooks/plan.yml $(ARGS)

prices: $(RUN)
	.venv/bin/ansible-playbook playbooks/prices.yml $(if $(REGIONS),-e '{"ec2_environment_prices_regions": "$(REGIONS)"}') $(ARGS)

report: $(RUN)
	.venv/bin/ansible-playbook playbooks/report.yml $(ARGS)

# Selections go through the environment: a shell would take their spaces apart.
compare: export CLOUDBENCH_A := $(A)
compare: export CLOUDBENCH_B := $(B)
compare: $(RUN)
	@.venv/bin/ansible-playbook playbooks/compare.yml \
	  -e '{"bench_report_a": "{{ lookup(\"ansible.builtin.env\", \"CLOUDBENCH_A\") }}", "bench_report_b": "{{ lookup(\"ansible.builtin.env\", \"CLOUDBENCH_B\") }}"}' \
	  $(if $(ALLOW),-e '{"bench_report_allow": "$(ALLOW)"}') $(if $(FAIL_ON),-e '{"bench_report_fail_on": "$(FAIL_ON)"}') $(ARGS)

# What leaves with something else than 0 leaves make with 2: for git bisect run the program is called itself.
bisect: $(RUN)
	@.venv/bin/python tools/version_bisect.py --good '$(GOOD)' --bad '$(BAD)' $(if $(REPOSITORY),--repository '$(REPOSITORY)') \
	  $(if $(TESTS),--tests '$(TESTS)') $(if $(ARGS),-- $(ARGS))

export: $(RUN)
	.venv/bin/ansible-playbook playbooks/export.yml $(if $(FORMAT),-e '{"bench_report_format": "$(FORMAT)"}') -e '{"bench_report_export": "$(OUT)"}' $(ARGS)

import: export CLOUDBENCH_FILES := $(FILES)
import: export CLOUDBENCH_MACHINE := $(MACHINE)
import: export CLOUDBENCH_MACHINE_FROM := $(MACHINE_FROM)
import: $(RUN)
	@files="$$(.venv/bin/python tools/words.py CLOUDBENCH_FILES bench_report_files)" && \
	.venv/bin/ansible-playbook playbooks/import.yml -e "$$files" \
	  -e '{"bench_report_machine": "{{ lookup(\"ansible.builtin.env\", \"CLOUDBENCH_MACHINE\") }}", "bench_report_machine_from": "{{ lookup(\"ansible.builtin.env\", \"CLOUDBENCH_MACHINE_FROM\") }}"}' \
	  $(if $(MODEL),-e '{"bench_report_model": "$(MODEL)"}') $(if $(THREADS),-e '{"bench_report_threads": $(THREADS)}') \
	  $(if $(REGION),-e '{"bench_report_region": "$(REGION)"}') $(ARGS)

site: $(RUN)
	.venv/bin/ansible-playbook playbooks/html.yml $(if $(SITE),-e '{"bench_report_site": "$(SITE)"}') $(ARGS)

share: $(RUN)
	.venv/bin/ansible-playbook playbooks/share.yml $(if $(BUCKET),-e '{"bench_report_share": "$(BUCKET)"}') $(ARGS)

fetch: $(RUN)
	.venv/bin/ansible-playbook playbooks/fetch.yml $(if $(BUCKET),-e '{"bench_report_share": "$(BUCKET)"}') \
	  $(if $(MACHINE),-e '{"bench_report_share_machine": "$(MACHINE)"}') $(if $(MONTH),-e '{"bench_report_share_month": "$(MONTH)"}') $(ARGS)

shared: $(RUN)
	@.venv/bin/ansible-playbook playbooks/shared.yml $(if $(BUCKET),-e '{"bench_report_share": "$(BUCKET)"}') \
	  $(if $(MACHINE),-e '{"bench_report_share_machine": "$(MACHINE)"}') $(if $(MONTH),-e '{"bench_report_share_month": "$(MONTH)"}') $(ARGS)

setup: $(DEV)

test: $(DEV)
	@.venv/bin/python tests/run.py

lint unit integration browser sanity molecule: $(DEV)
	@.venv/bin/python tests/run.py $@

molecule-%: $(DEV)
	@.venv/bin/python tests/run.py $@

fuzz: $(DEV)
	@.venv/bin/python tests/fuzz/run.py $(if $(INPUTS),--inputs '$(INPUTS)') $(if $(SEED),--seed '$(SEED)') $(if $(ONLY),--only '$(ONLY)')

# As root, but for the faults api-...: hosts in namespaces.
chaos: $(DEV)
	@.venv/bin/python tools/chaos.py $(if $(ONLY),--only '$(ONLY)') $(if $(SEED),--seed '$(SEED)')

clean:
	rm -rf .venv .ansible .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache tests/output
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# In a copy of the checkout .venv may be a link to that of another: what is cleared would be the other one.
$(VENV):
	@test ! -L .venv || { echo '.venv is a link, and to make it anew would empty what it leads to:' \
	  'remove the link, and make installs one of this checkout' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo '$(PYTHON) is missing or older than Python 3.11: choose another one with make PYTHON=...' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo '$(PYTHON) cannot make virtual environments: install the package python3-venv (Debian, Ubuntu)' >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	@touch $@

$(RUN): | $(VENV)
	@rm -f .venv/stamp-run-*
	$(PIP_INSTALL) --requirement requirements.txt
	@touch $@

# After the run's packages, never beside them: two installations into one environment break each other.
$(DEV): | $(RUN)
	@rm -f .venv/stamp-dev-*
	$(PIP_INSTALL) --requirement requirements-dev.txt
	@touch $@
