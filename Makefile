# Two commands matter: `make book` builds the site, `make test` checks it; CI runs
# `make conventions`, `make pdf`, `make epub` and `make zip` after it.
# Each target sets up what it needs and is quiet when nothing is to do.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SITE   := _build/html/index.html
# Chapters, and the reference pages that can be run.
NOTEBOOKS := $(sort $(wildcard book/*.ipynb))
CONVENTIONS := .venv-conventions
ZOO := .venv-zoo
# Small, without torch: a style check or a hook must not wait for it.
LINT := .venv-lint

# On Linux the registry's torch brings gigabytes of CUDA. TORCH_INDEX names an index
# that holds the small CPU build; empty, pip's own configuration decides.
export TORCH_INDEX ?=
TORCH := $(shell sed -n 's/^\(torch==.*\)/\1/p' requirements.txt)

# Where Python for the pages comes from: official (the address of the release), registry
# (a package that carries the same files), any, the first of them that answers, or auto:
# where none answers, the site is built without it.
PYODIDE_FROM ?= auto
PYODIDE := live/pyodide/files.json

# The rows of `make matrix`; those without versions of their own run in $(VENV).
ROWS  ?= all
MODES := $(filter all threads-% aten-% seeds-%,$(ROWS))

# Containers often forbid Python to keep what it has compiled. Here a hundred processes
# import PyTorch, and each would spend half of that time on compiling it again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help book pdf epub zip test unit lighthouse teacher bench exercise-report studies studies-again mutants conventions zoo execute lint stamp lock matrix links serve clean chromium

help:
	@sed -n 's/^#: //p' $(MAKEFILE_LIST)

#: make book      build the site (needs Python and node) and say how to open it
book: $(SITE)
	@echo "The book is built: open $(SITE) in a browser, or run 'make serve'."

#: make test      run everything that CI checks, but for make conventions
test:
	@rm -f $(STAGES)
	$(call stage,set-up with style,$(MAKE) --no-print-directory -j3 chromium $(PYODIDE) $(VENV)/.tests lint)
	$(call stage,unit tests while the site is built,$(MAKE) --no-print-directory -j2 unit $(SITE))
	$(call stage,notebooks (new or changed ones),$(MAKE) --no-print-directory $(PASSED))
	$(call stage,site tests,$(PYTEST) --dist worksteal tests/site)
	@awk '{ print; sum += $$1 } END { printf "%5d s  in all\n", sum }' $(STAGES)

#: make unit      run the unit tests and the proofs of the exercises alone
unit: $(VENV)/.tests
	@OMP_NUM_THREADS=1 $(PYTEST) --dist worksteal --doctest-modules bnlib tests --ignore=tests/site

# Each core runs a test of its own, and the slowest are named.
PYTEST := $(BIN)/python -m pytest -n auto --durations=10
# Every chapter once, compared with its outputs, in a room like Colab; again when it, or
# what it runs with, has changed since all passed here. In a fresh clone that is all.
NBVAL  := -p tools.nbval_plus --nbval --nbval-current-env --colab --nbval-cell-timeout=300
PASSED := $(VENV)/.notebooks
RUN_BY := pyproject.toml _config.yml $(VENV)/.tests $(wildcard tools/*.py) \
  $(shell find bnlib -type f -not -path '*/__pycache__/*' 2>/dev/null)
# One stage of the tests, by its name; its seconds are printed at the end.
STAGES := $(VENV)/.seconds
define stage
	@begin=$$(date +%s); $(2) && mkdir -p $(VENV) && \
	printf '%5d s  %s\n' $$(($$(date +%s) - begin)) '$(1)' >> $(STAGES)
endef

#: make lighthouse  measure every page, let Lighthouse judge it three times, and write
#:                tests/pages.md; it fails below 95 or below 100; PAGES="03 claims" chooses
RUNS  ?= 3
PAGES ?=
lighthouse: chromium $(VENV)/.locked $(SITE) tools/lighthouse/node_modules/.ready
	@$(BIN)/python -m tools.page_metrics --lighthouse $(RUNS) --pages $(PAGES)

#: make mutants   plant bugs, one at a time, and show those that no test notices
mutants: $(VENV)/.tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.mutants.runner

#: make conventions  ask Keras, Flax, ONNX and TensorFlow whether the tables hold
conventions: $(CONVENTIONS)/.ready
	@$(CONVENTIONS)/bin/python -m pytest -q -c tests/conventions/conventions.ini tests/conventions

#: make zoo       fold, prune and examine nets of torchvision and timm, and write
#:                tests/zoo.md and tests/doctor.md; NETS="resnet18 timm:darknet17" tries
#:                these and writes nothing
zoo: $(ZOO)/.ready
	@OMP_NUM_THREADS=1 $(ZOO)/bin/python -m tests.zoo.report $(NETS)
	@OMP_NUM_THREADS=1 $(ZOO)/bin/python -m tests.zoo.checkups $(NETS)

#: make studies   measure the claims of the chapters on other data and nets, what is not
#:                stored yet; FAMILY=why takes one chapter's, Ctrl-C stops and goes on later
studies: $(VENV)/.tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m tools.studies $(FAMILY)
	@$(BIN)/python -m tools.studies --page

#: make studies-again  measure the studies of this month's chapter again, or of FAMILY,
#:                and compare them with what is stored
studies-again: $(VENV)/.tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m tools.studies --compare $(FAMILY)

#: make exercise-report  how many of 300 plausible wrong answers the checker names
exercise-report: $(VENV)/.tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m tools.exercise_report

#: make teacher   write into _build/teacher: the notebooks without solutions, a key to
#:                each, and the figures as slides (slides.pdf)
teacher: $(VENV)/.tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m tools.teacher

#: make pdf       print the whole book into one PDF with chromium, and check it; the first
#:                page of the built site then leads to it
pdf: $(SITE) $(VENV)/.locked chromium
	@$(BIN)/python -m tools.takeaway pdf
	@$(BIN)/python -m pytest -q -n0 tests/takeaway/opened_pdf.py

#: make epub      the same for e-readers, with MathML
epub: $(SITE) $(VENV)/.locked
	@$(BIN)/python -m tools.takeaway epub
	@$(BIN)/python -m pytest -q -n0 tests/takeaway/opened_epub.py

#: make zip       pack the built site into one file to read without a connection, and
#:                check it; the first page then leads to it
zip: $(SITE) $(VENV)/.locked
	@$(BIN)/python -m tools.takeaway zip
	@$(BIN)/python -m pytest -q -n0 tests/takeaway/opened_zip.py

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

#: make lint      style, docstrings, normal form of the notebooks, portable Markdown, one
#:                address, safe workflows; sets up an environment of its own in seconds
lint: $(LINT)/.ready
	@$(LINT)/bin/ruff check -q .
	@$(LINT)/bin/ruff format -q --check .
	@$(LINT)/bin/python -m tools.stamp_address --check
	@$(LINT)/bin/python -m tools.course --check
	@$(LINT)/bin/python -m tools.notebooks check $(NOTEBOOKS)
	@$(LINT)/bin/python -m tools.docstrings
	@$(LINT)/bin/python -m tools.portable $(NOTEBOOKS) $(wildcard book/*.md)
	@said=$$($(LINT)/bin/zizmor --quiet --no-progress --offline .github) || { echo "$$said"; exit 1; }

#: make stamp     carry address, version and table of chapters to every file
stamp: $(LINT)/.ready
	@$(LINT)/bin/python -m tools.stamp_address
	@$(LINT)/bin/python -m tools.course

#: make lock      resolve the lists of packages again, with the hashes of their files
lock: $(LINT)/.ready
	@$(LINT)/bin/python -m tools.lock

#: make matrix    run the notebooks with other versions, threads, instruction sets and
#:                seeds, and write tests/matrix.md; ROWS="colab seeds-100" CHAPTERS="01 02"
#:                choose
matrix: $(if $(MODES),$(VENV)/.tests,$(LINT)/.ready)
	@$(if $(MODES),$(BIN),$(LINT)/bin)/python -m tools.matrix --rows $(ROWS) --chapters $(CHAPTERS)

#: make links     ask every other site that the book links to whether the page is there
links: $(VENV)/.book
	@$(BIN)/jupyter-book build . --builder linkcheck -q --path-output _build/links

#: make serve     build the site and serve it on http://127.0.0.1:8000
serve: book
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html 8000

#: make clean     remove the built site; with it gone the next build starts afresh
clean:
	rm -rf _build

# --- what the targets stand on --------------------------------------------------------

# The reference is made from the docstrings.
SOURCES := _config.yml _toc.yml CHANGELOG.md LICENSE $(shell find book -type f -not -path '*/.*' -not -path '*/__pycache__/*' 2>/dev/null) \
  $(shell find bnlib live -type f -not -path '*/__pycache__/*' -not -path 'live/pyodide/*')

# What a build leaves; what make teacher wrote stays beside it.
BUILT := $(addprefix _build/,.doctrees html jupyter_execute log)

# From a clean tree every time: an incremental Sphinx build does not repeat the warnings
# of unchanged pages, and so would call a broken book built.
$(SITE): $(SOURCES) $(VENV)/.book $(PYODIDE)
	@command -v node >/dev/null || { echo "node is needed to render the formulas: install Node.js 18 or newer, then run make again."; exit 1; }
	@rm -rf $(BUILT) && mkdir -p _build
	@$(BIN)/jupyter-book build . -W -n --keep-going -q > _build/log 2>&1 || { cat _build/log; rm -rf $(BUILT); exit 1; }
	@grep '^Python for the pages' _build/log || true
	@touch $(SITE)

# What changes while they run counts as changed afterwards.
$(PASSED): $(NOTEBOOKS) $(RUN_BY)
	@touch $@.begun
	@$(PYTEST) $(NBVAL) $(if $(filter-out $(NOTEBOOKS),$?),$(NOTEBOOKS),$?)
	@mv $@.begun $@

# Python for the browser, 26 MB, once. As long as it is not there, each build asks for it
# again; a file that stays as it was makes no new site.
$(PYODIDE): live/pins.json $(if $(wildcard live/pyodide/pyodide-lock.json),,FORCE) | $(VENV)/bin/python
	@$(BIN)/python -m tools.pyodide live/pyodide --from $(PYODIDE_FROM)
FORCE:

$(VENV)/bin/python $(LINT)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, $(PYTHON) is older or missing: run make PYTHON=python3.12, say."; exit 1; }
	@$(PYTHON) -m venv $(@D:/bin=)

# Not compiled: that takes longer than to unpack, and most modules are never imported.
PIP := -m pip install -q --disable-pip-version-check --no-compile
# All files are known by their hashes, so nothing is left to resolve.
LOCKED := --require-hashes --no-deps
# $(call install,an environment,what): uv unpacks in seconds what takes pip a minute. It
# does not read pip's configuration; where it fails, pip does the same.
install = $(1)/bin/uv pip install -q --python $(1)/bin/python $(2) 2>/dev/null || $(1)/bin/python $(PIP) $(2)

$(VENV)/bin/uv $(LINT)/bin/uv: %/bin/uv: | %/bin/python
	@sed -n '/^uv==/,/[^\\]$$/p' requirements-lint.lock | $(@D)/python $(PIP) $(LOCKED) -r /dev/stdin

$(LINT)/.ready: requirements-lint.lock | $(LINT)/bin/uv
	@echo "Setting up what style checks need in $(LINT) ..."
	@$(call install,$(LINT),$(LOCKED) -r requirements-lint.lock)
	@touch $@

$(VENV)/.book: book/requirements.lock | $(VENV)/bin/uv
	@echo "Setting up what the site needs in $(VENV) ..."
	@$(call install,$(VENV),$(LOCKED) -r book/requirements.lock)
	@touch $@

$(VENV)/.locked: requirements.lock pyproject.toml $(VENV)/.book
	@echo "Setting up what the tests need in $(VENV) ..."
	@$(call install,$(VENV),$(LOCKED) -r requirements.lock)
	@$(call install,$(VENV),--no-deps -e .)
	@touch $@

# torch comes last and alone: its build is chosen by TORCH_INDEX, or by pip's own
# configuration, and not by a hash. What it needs besides CUDA is there already.
$(VENV)/.tests: $(VENV)/.locked
	@$(BIN)/python $(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH)
	@touch $@

# Another environment: these libraries are large, and no chapter needs them.
$(CONVENTIONS)/.ready: requirements-conventions.txt
	@echo "Setting up what the page on conventions speaks of in $(CONVENTIONS) ..."
	@$(PYTHON) -m venv $(CONVENTIONS)
	@$(CONVENTIONS)/bin/python -m pip install -q --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH)
	@$(CONVENTIONS)/bin/python -m pip install -q --disable-pip-version-check -r requirements-conventions.txt
	@touch $@

# Another one: torchvision and timm hold the nets, random weights will do.
$(ZOO)/.ready: requirements-zoo.txt
	@echo "Setting up the zoo of nets in $(ZOO) ..."
	@$(PYTHON) -m venv $(ZOO)
	@$(ZOO)/bin/python $(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH)
	@$(ZOO)/bin/python $(PIP) -r requirements-zoo.txt
	@touch $@

tools/lighthouse/node_modules/.ready: tools/lighthouse/package-lock.json
	@echo "Setting up Lighthouse in tools/lighthouse ..."
	@cd tools/lighthouse && npm ci --silent --ignore-scripts --no-audit
	@touch $@

# On a contributor's machine nothing is installed as root without a word.
chromium:
	@for name in chromium-headless-shell chromium chromium-browser google-chrome chrome; do command -v $$name >/dev/null && exit 0; done; \
	[ "$(CI)" = true ] || { echo "chromium is needed for the site tests: install it (apt-get install chromium-headless-shell, or your package manager), or let make call apt-get as root with make test CI=true."; exit 1; }; \
	echo "Installing chromium for the site tests with apt-get ..."; \
	{ apt-get update -qq && apt-get install -y -qq chromium-headless-shell; } >/dev/null || \
	{ echo "apt-get could not install chromium: install it with your package manager, then run make test again."; exit 1; }
