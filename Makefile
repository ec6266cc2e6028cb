# Every target sets up what it needs. `make` alone lists them.
.DEFAULT_GOAL := help
# The profile that `reproduce` applies first, with edits after its name; SET is one more edit, which may hold spaces.
PROFILE ?=
# As it was typed, dollars included, and handed on in the environment, so that no shell reads it.
override export SET := $(value SET)
# Where `share` sends everything; the same rules.
override export REMOTE := $(value REMOTE)
# GPU=1 has an environment of its own, with the same versions of everything else.
VARIANT := $(if $(filter 1,$(GPU)),-gpu)
VENV := .venv$(VARIANT)
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PYTHONPATH := src

LATEX_PACKAGES := texlive-latex-recommended texlive-latex-extra texlive-science texlive-fonts-recommended lmodern latexmk
# One style file of each package above; all are found, or the packages are installed.
LATEX_FILES := booktabs.sty cleveref.sty siunitx.sty ptmr8t.tfm lmodern.sty

RESOLVE := uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header --quiet

# Real ones: OpenSSH, OpenStack Swift behind nginx for S3, Chromium.
TEST_PACKAGES := chromium openssh-client openssh-server nginx-light memcached swift-proxy swift-account swift-container swift-object python3-swiftclient rsync wget iproute2

.PHONY: help reproduce profile test verify report share pull release doctor bench lint lock latex ray servers

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

reproduce: $(VENV)/installed $(if $(PROFILE)$(SET),profile) latex ## Run the pipeline: ends with paper/report.pdf (PROFILE=paper, GPU=1)
	python -m fusionseq.preflight
	python -m fusionseq.tidy
	python -m dvc repro
	@echo "paper/report.pdf is up to date."

profile: $(VENV)/installed ## Apply a profile alone (PROFILE=imagefolder SET="data.path=/my images")
	@[ -n "$(PROFILE)" ] || { echo "error: SET is an edit of a profile; name one, as in PROFILE=default." >&2; exit 1; }
	python -m fusionseq.profile $(PROFILE) $${SET:+"$$SET"}

test: $(VENV)/installed latex ## Run the test suite
	python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

verify: $(VENV)/installed latex ## Hash every output, make the results and the paper again, and compare
	python -m fusionseq.verify

report: $(VENV)/installed ## Write reports/index.html: all results on one page, which opens without a network
	python -m fusionseq.report

share: $(VENV)/installed ## Send everything to a DVC remote (REMOTE=/shared/folder, ssh://host/folder or s3://bucket/folder)
	python -m fusionseq.share $(if $(CHECK),--check) -- "$$REMOTE"

pull: $(VENV)/installed ## Get everything from the team's remote, each byte as dvc.lock has it
	python -m fusionseq.pull

release: $(VENV)/installed latex ## Pack source, results and paper into dist/, with an archive for arXiv
	python -m fusionseq.release

doctor: $(VENV)/installed ## Look over this machine: each finding with its mend
	python -m fusionseq.doctor

bench: ray .venv-torch/installed ## Measure against rivals and limits (an hour, on a quiet machine)
	python -m benchmarks

lint: $(VENV)/installed ## Check style and types
	ruff check .
	ruff format --check .
	mypy

ray: $(VENV)/installed ## Add Ray, which runtime.engine: ray computes with (GPU=1)
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --require-hashes --compile-bytecode --requirement requirements-ray.txt

servers: ## Install the servers and the browser without which some tests are skipped (as root)
	@[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "error: run it as root on Debian, or install: $(TEST_PACKAGES)" >&2; exit 1; }
	@# No service of the machine starts: the tests start their own.
	apt-get -qq update
	RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends $(TEST_PACKAGES) >/dev/null

lock: $(VENV)/installed ## Lock the environments anew after an edit of pyproject.toml
	$(RESOLVE) --extra cpu --output-file requirements.txt
	@# A version that stands in the output file is kept as long as it fits, so the two agree.
	cp requirements.txt requirements-gpu.txt
	$(RESOLVE) --extra gpu --output-file requirements-gpu.txt
	@# Beside either of them.
	cp requirements.txt requirements-ray.txt
	$(subst --extra dev,--extra ray,$(RESOLVE)) --output-file requirements-ray.txt

$(VENV)/installed: requirements$(VARIANT).txt requirements-uv.txt
	@python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' \
		|| { echo "error: python3 must be Python 3.11 or 3.12; install it and put it first on PATH." >&2; exit 1; }
	@python3 -m venv --clear $(VENV) \
		|| { echo "error: python3 cannot make environments; install python3-venv." >&2; exit 1; }
	$(VENV)/bin/python -m pip install --quiet --require-hashes --requirement requirements-uv.txt
	@echo "Installing the locked environment: $(if $(VARIANT),3,0.3) GB to download."
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --require-hashes --compile-bytecode --requirement $<
	@# For people who activate the environment; the pipeline names the sources itself, so that each clone runs its own.
	@echo '$(CURDIR)/src' >"$$(echo $(VENV)/lib/python3.*/site-packages)/fusionseq.pth"
	@# `dvc plots show` otherwise has its scripts loaded over the network.
	@python -m fusionseq.plots_page $(VENV)/plots.html
	@python -m dvc config --local plots.html_template ../$(VENV)/plots.html
	@touch $@

# The rival of one benchmark, apart so that it cannot change the environment of the pipeline.
.venv-torch/installed:
	python3 -m venv --clear .venv-torch
	.venv-torch/bin/python -m pip install --quiet torch==2.13.0 numpy==2.4.6
	@touch $@

latex:
	@if command -v latexmk >/dev/null && kpsewhich $(LATEX_FILES) >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing LaTeX: 0.2 GB to download."; \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends $(LATEX_PACKAGES) >/dev/null; \
	else \
		echo "error: LaTeX is incomplete; install it with: sudo apt-get install --no-install-recommends $(LATEX_PACKAGES)" >&2; exit 1; \
	fi
