# Everything runs in .venv, made from pinned versions; only Python >= 3.11 and make must be there.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready

# Every worker of pytest, and every pgwizard that a test starts, would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check unit rushed live agreement golden docs restores faults verdicts bench idle chart equivalence clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 $(VENV)/bin/pip install --quiet --editable '.[dev]'
	@touch $@

demo: $(READY) ## open the wizard on a cluster that is simulated inside the process
	@$(VENV)/bin/pgwizard --demo

test: $(READY) ## format, lint, types and tests; those on a cluster where one is at hand, but the long ones
	@tests/run

check: $(READY) ## format, lint and types alone
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

unit: check ## what needs no cluster
	$(VENV)/bin/pytest -n 2 -m 'not live'

rushed: $(READY) ## the screens as on a slow machine with a slow cluster (some minutes)
	PYTHONPATH=tests $(VENV)/bin/pytest -n 2 -p support.rushed tests/tui

live: $(READY) ## every test that needs a cluster: PGWIZARD_TEST_KUBECONFIG names its kubeconfig
	$(VENV)/bin/pytest -n 8 --dist loadfile -m live

agreement: $(READY) ## compare with pgbackrest, kubectl and Kubernetes' cron: cases tried, agreed
	PYTHONPATH=tests $(VENV)/bin/python -W ignore -m support.agreement

verdicts: $(READY) ## make each fault of a repository and its release in a real cluster, and hold the verdict against a restore; MAJOR=17 for one pair
	PYTHONPATH=tests $(VENV)/bin/python -W ignore -m support.verdicts $(if $(MAJOR),--major $(MAJOR))

golden: $(READY) ## rewrite all golden files and screenshots; read the difference before you commit it
	$(VENV)/bin/pytest -q -n 2 -m 'not live' --update-golden

docs: $(READY) ## write what is generated from the models
	$(VENV)/bin/python -m pgwizard.cli.reference docs

chart: $(READY) ## write the chart of the default answers into chart/
	$(VENV)/bin/pgwizard init -o .answers.yaml && $(VENV)/bin/pgwizard export .answers.yaml -o chart --force; rm -f .answers.yaml

equivalence: $(READY) ## 10,000 random answers: native, Helm, kustomize and plain files give the same objects (needs helm and kubectl)
	PGWIZARD_EQUIVALENCE=10000 $(VENV)/bin/pytest -q -n 2 tests/export/test_equivalence.py

restores: $(READY) ## restore to every kind of moment on each pair of images; PGWIZARD_TEST_RIG names the rig
	PYTHONPATH=tests $(VENV)/bin/python -m support.restores

faults: $(READY) ## a fault at every request of an install and an upgrade, as a table (some minutes)
	PYTHONPATH=tests $(VENV)/bin/python tests/support/faulting.py

bench: $(READY) ## timed figures, as ratios measured side by side
	@status=0; \
	for part in run form export $${PGWIZARD_TEST_KUBECONFIG:+apply browser restore status}; do $(VENV)/bin/python bench/$$part.py || status=1; done; \
	if [ -z "$$PGWIZARD_TEST_KUBECONFIG" ]; then echo "bench/apply.py, browser.py, restore.py and status.py need a cluster: PGWIZARD_TEST_KUBECONFIG is not set"; fi; \
	exit $$status

idle: $(READY) ## whether a status screen that nobody touches grows, in 30 minutes
	$(VENV)/bin/python bench/idle.py

clean:
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
