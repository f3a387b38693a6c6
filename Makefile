# Two commands matter: `make book` builds the site, `make test` checks it; CI runs
# `make conventions` after it.
# Each target sets up what it needs and is quiet when nothing is to do.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SITE   := _build/html/index.html
# Chapters, and the reference pages that can be run.
NOTEBOOKS := $(sort $(wildcard book/*.ipynb))
CONVENTIONS := .venv-conventions

# On Linux the registry's torch brings gigabytes of CUDA. TORCH_INDEX names an index
# that holds the small CPU build; empty, pip's own configuration decides.
export TORCH_INDEX ?=
TORCH := $(shell sed -n 's/^\(torch==.*\)/\1/p' requirements.txt)

.PHONY: help book test bench conventions execute lint stamp serve clean chromium

help:
	@sed -n 's/^#: //p' $(MAKEFILE_LIST)

#: make book      build the site (needs Python and node) and say how to open it
book: $(SITE)
	@echo "The book is built: open $(SITE) in a browser, or run 'make serve'."

#: make test      run everything that CI checks, but for make conventions
test: $(VENV)/.tests chromium lint
	$(BIN)/python -m pytest -n auto --dist loadfile --doctest-modules bnlib tests --ignore=tests/site
	$(BIN)/python -m pytest --nbval --nbval-current-env --nbval-cell-timeout=300 $(NOTEBOOKS)
	@$(MAKE) --no-print-directory book
	$(BIN)/python -m pytest -n auto tests/site

#: make conventions  ask Keras, Flax, ONNX and TensorFlow whether the tables hold
conventions: $(CONVENTIONS)/.ready
	@$(CONVENTIONS)/bin/python -m pytest -q -c tests/conventions/conventions.ini tests/conventions

#: make bench     time the layers against PyTorch, one thread; rewrites bnlib/lab/speed.json
# CPU time, not the clock's: other work on the machine then hardly counts.
bench: $(VENV)/.tests
	@mkdir -p _build
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q tests/benchmarks/bench_norms.py \
	  --benchmark-timer=time.process_time --benchmark-json=_build/times.json --benchmark-quiet
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.table _build/times.json

#: make execute   run the notebooks again and store normalized outputs
execute: $(VENV)/.tests
	@$(BIN)/python -m tools.notebooks execute $(NOTEBOOKS)

#: make lint      style, normal form of the notebooks, portable Markdown, one address
lint: $(VENV)/.tests
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check .
	@$(BIN)/python -m tools.stamp_address --check
	@$(BIN)/python -m tools.notebooks check $(NOTEBOOKS)
	@$(BIN)/python -m tools.portable $(NOTEBOOKS) $(wildcard book/*.md)

#: make stamp     carry the address in _config.yml and the version to every file
stamp: $(VENV)/.tests
	@$(BIN)/python -m tools.stamp_address

#: make serve     build the site and serve it on http://127.0.0.1:8000
serve: book
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html 8000

#: make clean     remove the built site; with it gone the next build starts afresh
clean:
	rm -rf _build

# --- what the targets stand on --------------------------------------------------------

SOURCES := _config.yml _toc.yml $(shell find book -type f -not -path '*/.*' -not -path '*/__pycache__/*' 2>/dev/null)

# From a clean tree every time: an incremental Sphinx build does not repeat the warnings
# of unchanged pages, and so would call a broken book built.
$(SITE): $(SOURCES) $(VENV)/.book
	@command -v node >/dev/null || { echo "node is needed to render the formulas: install Node.js 18 or newer, then run make again."; exit 1; }
	@rm -rf _build && mkdir _build
	@$(BIN)/jupyter-book build . -W -n --keep-going -q > _build/log 2>&1 || { cat _build/log; rm -rf _build; exit 1; }
	@touch $(SITE)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, $(PYTHON) is older or missing: run make PYTHON=python3.12, say."; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.book: book/requirements.txt | $(VENV)/bin/python
	@echo "Setting up what the site needs in $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r book/requirements.txt
	@touch $@

$(VENV)/.tests: requirements.txt pyproject.toml $(VENV)/.book
	@echo "Setting up what the tests need in $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH)
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

# Another environment: these libraries are large, and no chapter needs them.
$(CONVENTIONS)/.ready: requirements-conventions.txt
	@echo "Setting up what the page on conventions speaks of in $(CONVENTIONS) ..."
	@$(PYTHON) -m venv $(CONVENTIONS)
	@$(CONVENTIONS)/bin/python -m pip install -q --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH)
	@$(CONVENTIONS)/bin/python -m pip install -q --disable-pip-version-check -r requirements-conventions.txt
	@touch $@

chromium:
	@for name in chromium chromium-browser google-chrome chrome; do command -v $$name >/dev/null && exit 0; done; \
	echo "Installing chromium for the site tests ..."; \
	{ apt-get update -qq && apt-get install -y -qq chromium; } >/dev/null || \
	{ echo "chromium is needed for the site tests: install it with your package manager, then run make test again."; exit 1; }
