# build demo demo-boot test test-faults test-package test-verity test-kexec test-stress power-cuts fuzz lint bench bench-parts install deb clean. Everything made goes below out/.
# test-faults lets every read of the commands fail in turn, where test takes a sample; it takes some ten minutes.
# test-package tries the Debian package on Debian 13 too, where test does so on Debian 12.
# test-verity boots a root that is an image with fs-verity, on the kernel of Debian 13, of which it makes a root: ten minutes.
# test-kexec lets an emulated machine start roots by kexec, some five minutes.
# test-stress lets many commands kill and hinder each other for two minutes; $HACKTREE_STRESS_SECONDS says how long.
# power-cuts cuts the power of emulated machines with GRUB and with systemd-boot while they deploy, and boots them; $HACKTREE_POWER_CUTS says how often
# each is booted (30), which takes a minute each time.
# fuzz gives changed inputs to the decoders, led by coverage: make fuzz TARGET='tar pax' MINUTES=30, of all targets and one minute each unless told;
# what breaks one is in out/fuzz/TARGET, and out/fuzz/reports has the figures.

PREFIX ?= /usr/local
DESTDIR ?=
# What to narrow to: make bench-parts FILTER='*Hash*', make test ARGS='-class *.DigestTests'
FILTER ?= *
ARGS ?=
TARGET ?= *
MINUTES ?= 1

export DOTNET_NOLOGO = 1
export DOTNET_CLI_TELEMETRY_OPTOUT = 1
export TESTINGPLATFORM_TELEMETRY_OPTOUT = 1
export DOTNET_GENERATE_ASPNET_CERTIFICATE = false

PROGRAM := out/hacktree
RUN_TESTS := out/build/bin/HackTree.Tests/release/HackTree.Tests -noLogo -noColor -noAutoReporters -reporter quiet
# Folders too: a file that went away changes its folder's time.
HOUSE := Makefile global.json .editorconfig $(wildcard Directory.*)
SOURCES := $(HOUSE) $(shell find engine checkout cli -type d -o -name '*.cs' -o -name '*.csproj' -o -name '*.xml' 2> /dev/null) $(shell find boot -type f)
ALL := $(SOURCES) HackTree.sln $(shell find bench/ tests/ -type d -o -name '*.cs' -o -name '*.csproj')
# Warnings are errors, so errors are all that is worth a line.
QUIET := -p:Configuration=Release -nologo -v:quiet '-clp:ErrorsOnly;NoSummary'

.PHONY: build demo demo-boot test test-faults test-package test-verity test-kexec test-stress power-cuts fuzz lint bench bench-parts install deb clean setup-build setup-test setup-bench setup-deb
.NOTPARALLEL:
.DELETE_ON_ERROR:

build: setup-build $(PROGRAM)

demo: build setup-test
	cli/demo.sh

demo-boot: build setup-test
	boot/demo.sh

test: build setup-test out/.linted
	@rm -f out/tests.xml
	@$(RUN_TESTS) -longRunning 120 -result-xml out/tests.xml $(ARGS); code=$$?; .ci/summary out/tests.xml && exit $$code

test-faults: build setup-test out/.linted
	@rm -f out/faults.xml
	@HACKTREE_FAULTS=all $(RUN_TESTS) -class '*.FailingReadTests' -result-xml out/faults.xml; code=$$?; .ci/summary out/faults.xml && exit $$code

test-package: build setup-test out/.linted
	@$(RUN_TESTS) -namespace HackTree.Tests.Packaging -explicit on -result-xml out/package.xml; code=$$?; .ci/summary out/package.xml && exit $$code

test-verity: build setup-test out/.linted
	@$(RUN_TESTS) -class '*.VerityRootBootTests' -explicit only -result-xml out/verity.xml; code=$$?; .ci/summary out/verity.xml && exit $$code

test-kexec: build setup-test out/.linted
	@$(RUN_TESTS) -class '*.KexecBootTests' -explicit only -result-xml out/kexec.xml; code=$$?; .ci/summary out/kexec.xml && exit $$code

test-stress: build setup-test out/.linted
	@HACKTREE_STRESS_SECONDS=$${HACKTREE_STRESS_SECONDS:-120} $(RUN_TESTS) -class '*.StressTests' -explicit only; code=$$?; cat out/stress && exit $$code

power-cuts: build setup-test out/.linted
	@rm -f out/power-cuts; $(RUN_TESTS) -class '*.PowerCutBootTests' -explicit only && cat out/power-cuts

fuzz: build setup-test out/.linted
	@HACKTREE_FUZZ_TARGET='$(TARGET)' HACKTREE_FUZZ_MINUTES='$(MINUTES)' $(RUN_TESTS) -class '*.CoverageFuzzTests' -explicit only; code=$$?; cat out/fuzz/reports && exit $$code

lint: setup-build out/.linted
	@$(RUN_TESTS) -namespace HackTree.Tests.Tidy

# Whole commands beside the peers that do not take long, in five minutes; bench/RESULTS.md says how to run them all.
bench: build setup-bench
	tree=$$(.setup/debian-root) && dotnet run -c Release --project bench -- compare "$$tree" --rounds 3 --peers ostree,cp-al,cp,tar,casync,rsync

bench-parts: build
	dotnet run -c Release --project bench -- --filter '$(FILTER)' --artifacts out/bench/parts

install: build
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/hacktree
	install -D -m 644 cli/JSON.md $(DESTDIR)$(PREFIX)/share/doc/hacktree/JSON.md
	$(PROGRAM) completion bash | install -D -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/share/bash-completion/completions/hacktree
	$(PROGRAM) completion zsh | install -D -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_hacktree
	$(PROGRAM) completion fish | install -D -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/hacktree.fish

# A program of another commit has that commit's version: it is built again.
deb: setup-build setup-deb
	@! [ -e $(PROGRAM) ] || $(PROGRAM) --version | grep -qF "$$(git describe --tags --always --dirty | sed 's/^v//') (" || rm $(PROGRAM)
	@$(MAKE) --no-print-directory $(PROGRAM)
	@packaging/build $(PROGRAM) out

clean:
	rm -rf out

setup-build:
	@.setup/apt build

setup-test:
	@.setup/apt test

setup-bench:
	@.setup/apt bench

setup-deb:
	@.setup/apt deb

$(PROGRAM): $(SOURCES)
	@echo 'building $@'
	@dotnet publish cli --use-current-runtime $(QUIET) -o out/build/publish
	@install -m 755 out/build/publish/hacktree $@

# Analyzers run in the build, as errors; the format check is apart.
out/.linted: $(ALL)
	@echo 'building the tests, checking the format'
	@dotnet msbuild HackTree.sln -restore $(QUIET)
	@dotnet format HackTree.sln --no-restore --verify-no-changes
	@touch $@
