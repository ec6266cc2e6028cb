# Every target sets up what it needs. `make` alone lists them.
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := src

LATEX_PACKAGES := texlive-latex-recommended texlive-latex-extra texlive-science texlive-fonts-recommended lmodern latexmk
# One style file of each package above; all are found, or the packages are installed.
LATEX_FILES := booktabs.sty cleveref.sty siunitx.sty ptmr8t.tfm lmodern.sty

.PHONY: help reproduce test bench lint latex

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

reproduce: .venv/installed latex ## Run the pipeline: ends with paper/report.pdf
	python -m fusionseq.params
	python -m fusionseq.tidy
	python -m dvc repro
	@echo "paper/report.pdf is up to date."

test: .venv/installed latex ## Run the test suite
	python -m pytest

bench: .venv/installed .venv-torch/installed ## Measure against rivals and limits (half an hour, on a quiet machine)
	python -m benchmarks

lint: .venv/installed ## Check style and types
	ruff check .
	ruff format --check .
	mypy

.venv/installed: requirements.txt requirements-uv.txt
	@python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' \
		|| { echo "error: python3 must be Python 3.11 or 3.12; install it and put it first on PATH." >&2; exit 1; }
	@python3 -m venv --clear .venv \
		|| { echo "error: python3 cannot make environments; install python3-venv." >&2; exit 1; }
	.venv/bin/python -m pip install --quiet --require-hashes --requirement requirements-uv.txt
	@echo "Installing the locked environment: 0.3 GB to download."
	.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes --compile-bytecode --requirement requirements.txt
	@# For people who activate the environment; the pipeline names the sources itself, so that each clone runs its own.
	@echo '$(CURDIR)/src' >"$$(echo .venv/lib/python3.*/site-packages)/fusionseq.pth"
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
