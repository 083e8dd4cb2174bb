# A thin front over Meson and tools/. `make help` lists what there is.
PREFIX ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 60

SEEDS ?= 1000

.PHONY: all demo test install check check-fast bench fuzz sim wheel clean help build/tests/mls-vectors
.DEFAULT_GOAL := all

all:
	@tools/setup build
	@tools/build build

demo:
	@tools/setup demo
	@tools/build build
	@python3 demo/demo.py --node build/cmd/slim/slim --guest build/venv/1.0.1/bin/slim-bindings-group

test:
	@tools/test $(TEST_FLAGS)

install: all
	@tools/build build -Dprefix=$(PREFIX) -Dlibdir=lib
	@meson install -C build --no-rebuild $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

check:
	@tools/check --fuzz-seconds $(FUZZ_SECONDS)

check-fast:
	@tools/check --fast

bench:
	@tools/setup bench
	@tools/build build
	@bench/run

fuzz:
	@tools/check --only fuzz --fuzz-seconds $(FUZZ_SECONDS)

# The Python package: a wheel and the source distribution in dist/.
wheel:
	@tools/setup wheel
	@tools/wheel

# The runner of MLS vector files. Wants what the tests want.
build/tests/mls-vectors:
	@tools/setup test
	@tools/build build -Dtests=true

sim:
	@tools/setup test
	@tools/build build -Dtests=true
	@build/tests/sim/slim-sim $(if $(SEED),--seed $(SEED),--seeds $(SEEDS) --jobs 2)

clean:
	@rm -rf build

help:
	@echo "make               build into build/ (installs missing Debian packages first)"
	@echo "make demo          the tutorial in one terminal: node, moderator, participants, MLS"
	@echo "make test          every test; the last line is 'N passed, N failed, N skipped'"
	@echo "make install       PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)"
	@echo "make check         format, tidy, include arrows, sanitizers, fuzzing; make check-fast: under a minute"
	@echo "make fuzz          only the fuzzing, FUZZ_SECONDS=$(FUZZ_SECONDS) for each target"
	@echo "make build/tests/mls-vectors   runs MLS vector files: build/tests/mls-vectors FILE.json..."
	@echo "make sim           sessions on a bad virtual network, SEEDS=$(SEEDS) worlds; SEED=n: one of them, with its trace"
	@echo "make wheel         the Python package slim_bindings: dist/*.whl and its source distribution"
	@echo "make bench         the measurements of bench/"
	@echo "make clean         remove build/, Python environments included"
