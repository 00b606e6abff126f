# `make demo` and `make test` do everything on a fresh machine: environment, system packages, the job itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OUT ?= demo_out
BENCH_OUT ?= bench_out
XVFB := xvfb-run -a -s "-screen 0 1600x1000x24"
DEBIAN := xvfb xauth libegl1 libgl1 libopengl0 libdbus-1-3 libfontconfig1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 \
	libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xkb1

.PHONY: demo test test-all test-quick lint audit fuzz mutants soak bench fixtures screenshot system clean

demo: $(READY) system
	$(BIN)/napari-advseg demo --out $(OUT)
	@if [ -z "$$DISPLAY$$WAYLAND_DISPLAY" ] && [ "$$(uname)" = Linux ]; then \
		$(XVFB) $(BIN)/python scripts/screenshot.py --out $(OUT)-napari.png && \
		echo "bundle in $(OUT), figure in $(OUT)/figure.png, napari in $(OUT)-napari.png"; fi

# One process per core, each with one thread and, under Linux, a display of its own.
test: $(READY) system
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --max-worker-restart 0 \
		--no-loadscope-reorder $(ARGS)

test-all:
	$(MAKE) test ARGS="-m '' $(ARGS)"

test-quick: $(READY)
	$(BIN)/python -m pytest --ignore tests/viewer -m "not real and not thorough" $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/npe2 validate napari_advseg/napari.yaml

# Known vulnerabilities of what is installed; where the service that knows them cannot be reached, it says so.
audit: $(READY)
	$(PYTHON) scripts/audit.py $(VENV)

# TARGET=card SECONDS=180 for one reader and three minutes; Atheris is needed for nothing else.
fuzz: $(READY)
	$(BIN)/python -m pip install --quiet --group fuzz
	$(BIN)/python scripts/fuzz.py $(or $(TARGET),all) --seconds $(or $(SECONDS),60)

# COUNT=100 SEED=1 for the sample of each room; Cosmic Ray and coverage are needed for nothing else.
mutants: $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group mutants
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/mutants.py --work $(BENCH_OUT)/mutants --count $(or $(COUNT),50) \
		--seed $(or $(SEED),0) $(ARGS)

# MINUTES=5 for a look.
soak: $(READY) system
	$(XVFB) $(BIN)/python benchmarks/soak.py --out $(BENCH_OUT)/soak --minutes $(or $(MINUTES),60) $(if $(DOCS),--docs docs/soak.md)

# FULL=1 for all of it (hours), REAL="CT LABELS JSON" for a real CT, DOCS=1 to put the tables into the pages, VERIFY=SCRIPT to
# have every bundle checked by another program.
bench: $(READY) system
	$(BIN)/python benchmarks/bench.py --work $(BENCH_OUT) $(if $(FULL),--full) $(if $(REAL),--real $(REAL)) $(if $(DOCS),--docs) $(if $(VERIFY),--verify $(VERIFY))

# nnU-Net itself (1 GB) is needed only to make the tests' checkpoints and its own predictions anew.
fixtures:
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --constraint constraints.txt torch nnunetv2==2.8.1
	.venv-peers/bin/python tests/peers/make_nnunet.py

screenshot: $(READY) system
	$(XVFB) $(BIN)/python scripts/screenshot.py --out docs/images/napari.png

# Compiled on all cores, which pip does not; and beforehand, as some packages' files warn when they are compiled, and in the
# tests a warning is an error. Files for newer Pythons, which some packages carry, cannot be compiled.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable ".[pyqt6]" --group dev
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --no-deps dynamic-network-architectures
	$(BIN)/python -W ignore -m compileall -qq -j 0 $(VENV)/lib || true
	touch $@

# napari needs OpenGL and Qt's X libraries, which no Python wheel carries.
system:
	@if command -v dpkg >/dev/null 2>&1; then \
		missing=""; for package in $(DEBIAN); do \
			dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; done; \
		if [ -n "$$missing" ]; then \
			if [ "$$(id -u)" = 0 ]; then \
				echo "installing$$missing"; apt-get update -qq && apt-get install -y -qq $$missing >/dev/null; \
			else echo "missing system packages; run: sudo apt-get install -y$$missing"; exit 1; fi; fi; fi

clean:
	rm -rf $(VENV) build dist $(OUT)
