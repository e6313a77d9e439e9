# Pollux: one front door. `make help` lists the targets. Out-of-tree: everything made is under build/.
PROFILE ?= release
BUILD   := build/$(PROFILE)
PREFIX  ?= /usr
DESTDIR ?=

# All CPUs, unless -j says otherwise; one thing after another when `clean` comes first.
ifeq ($(MAKELEVEL)$(filter -j% clean,$(MAKEFLAGS) $(MAKECMDGOALS)),0)
  MAKEFLAGS += -j$(shell nproc)
endif

# Release builds use clang 19; where the distribution does not have it, what it has (docs/decisions/compiler.md).
# COMPILER=gcc asks for the second one.
CLANG := $(firstword $(wildcard /usr/bin/clang++-19) $(shell command -v clang++-19 2>/dev/null))
ifneq ($(COMPILER),gcc)
  ifneq ($(CLANG),)
    CXX := $(CLANG)
  else
    COMPILER := gcc
    ifeq ($(MAKELEVEL),0)
      ifneq ($(filter-out help deps clean format lint check-layers,$(or $(MAKECMDGOALS),all)),)
        $(info clang++-19 is not installed: building with $(shell g++ --version 2>/dev/null | head -n 1))
      endif
    endif
  endif
endif
ifeq ($(COMPILER),gcc)
  CXX    := g++
  SUFFIX := -gcc
  BUILD  := build/$(PROFILE)$(SUFFIX)
endif

CCACHE := $(shell command -v ccache 2>/dev/null)

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Werror
INCLUDES := -Ireplicator -Ikmod-shim -Idrbdadm-compat -I.
CXXFLAGS_COMMON := -std=c++20 -fvisibility=hidden -pthread $(WARNINGS) $(INCLUDES)
HARDEN_CXX := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -D_GLIBCXX_ASSERTIONS -fPIE
HARDEN_LD  := -pie -Wl,-z,relro,-z,now

CXXFLAGS_release := -O2 -g1 $(HARDEN_CXX)
CXXFLAGS_debug   := -O0 -g -DPOLLUX_SLOW_CHECKS -D_GLIBCXX_ASSERTIONS
CXXFLAGS_asan    := -O1 -g -DPOLLUX_SLOW_CHECKS -DPOLLUX_NO_FRAME_POOL -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CXXFLAGS_sabotage := -O2 -g1 -DPOLLUX_SABOTAGE -D_GLIBCXX_ASSERTIONS
CXXFLAGS_tsan    := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
CXXFLAGS_fuzz    := -O1 -g -DPOLLUX_SLOW_CHECKS -DPOLLUX_NO_FRAME_POOL -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS_release  := $(HARDEN_LD)
LDFLAGS_debug    :=
LDFLAGS_asan     := -fsanitize=address,undefined
LDFLAGS_sabotage :=
LDFLAGS_tsan     := -fsanitize=thread
LDFLAGS_fuzz     := -fsanitize=address,undefined
CXXFLAGS := $(CXXFLAGS_COMMON) $(CXXFLAGS_$(PROFILE)) $(EXTRA_CXXFLAGS)
LDFLAGS  := -pthread -Wl,--as-needed $(LDFLAGS_$(PROFILE))
LIBS     := -lfmt -lisal -lssl -lcrypto -luring -lfuse3 -lboost_program_options -lblkid -lz -lpugixml -lnl-genl-3 -lnl-3 -lncursesw

CPPFLAGS_FUSE := -I/usr/include/fuse3
CPPFLAGS_NETLINK := -isystem /usr/include/libnl3

# Programs: one main file each; everything else goes into one archive.
MAIN_polluxd   := replicator/daemon/main.cpp
MAIN_drbdadm   := drbdadm-compat/main/drbdadm.cpp
MAIN_drbdsetup := drbdadm-compat/main/drbdsetup.cpp
MAIN_drbdmeta  := drbdadm-compat/main/drbdmeta.cpp
MAIN_drbd-overview := drbdadm-compat/main/drbd-overview.cpp
MAIN_drbdmon   := drbdadm-compat/main/drbdmon.cpp
MAIN_pollux    := replicator/pollux/main.cpp
MAIN_pollux-had := ha/daemon/main.cpp
MAIN_cl_status  := ha/cli/main.cpp
MAIN_pollux-send-arp := ha/send_arp/main.cpp
MAIN_hb_standby := $(MAIN_cl_status)
MAIN_hb_takeover := $(MAIN_cl_status)
MAIN_crm_simulate := ha/crm/main.cpp
CIB_COMMANDS := cibadmin crm_attribute crm_master attrd_updater crm_node crm_resource crmadmin meatclient stonith_admin
$(foreach p,$(CIB_COMMANDS),$(eval MAIN_$(p) := ha/cli/tools/main.cpp))
PROGRAMS := $(foreach p,polluxd pollux drbdadm drbdsetup drbdmeta drbd-overview drbdmon pollux-had pollux-send-arp cl_status hb_standby hb_takeover crm_simulate $(CIB_COMMANDS),$(if $(wildcard $(MAIN_$(p))),$(p)))

SOURCES := $(sort $(shell find replicator kmod-shim drbdadm-compat ha -name '*.cpp' 2>/dev/null))
LIB_SOURCES := $(filter-out %/main.cpp drbdadm-compat/main/%,$(SOURCES))
LIB_OBJECTS := $(LIB_SOURCES:%.cpp=$(BUILD)/obj/%.o)
LIBRARY := $(BUILD)/libpollux.a

UNIT_SOURCES := $(filter-out tests/support/nbd_memory_server.cpp,$(sort $(shell find tests/unit tests/support -name '*.cpp' 2>/dev/null)))
UNIT_OBJECTS := $(UNIT_SOURCES:%.cpp=$(BUILD)/obj/%.o)
SIM_SOURCES := $(sort $(shell find tests/sim -name '*.cpp' 2>/dev/null))
SIM_LIB_SOURCES := $(filter-out tests/sim/main.cpp,$(SIM_SOURCES))
SIM_OBJECTS := $(SIM_SOURCES:%.cpp=$(BUILD)/obj/%.o)
SIM_LIB_OBJECTS := $(SIM_LIB_SOURCES:%.cpp=$(BUILD)/obj/%.o)

# Programs that integration tests run: one source file each, with a main of its own.
TEST_PROGRAM_SOURCES := $(sort $(wildcard tests/programs/*.cpp))
TEST_PROGRAMS := $(TEST_PROGRAM_SOURCES:tests/programs/%.cpp=$(BUILD)/tests/%)
TEST_SUPPORT_OBJECTS := $(filter $(BUILD)/obj/tests/support/%,$(UNIT_OBJECTS))

# Fuzz targets: with libFuzzer in the profile "fuzz", else with a main that runs the given files once.
FUZZ_SOURCES := $(sort $(filter-out tests/fuzz/replay_main.cpp,$(wildcard tests/fuzz/*.cpp)))
FUZZ_PROGRAMS := $(FUZZ_SOURCES:tests/fuzz/%.cpp=$(BUILD)/fuzz/%)
FUZZ_SUPPORT := $(BUILD)/obj/tests/support/packet_round_trip.o

.PHONY: all
all: programs ## build the programs (PROFILE=release|debug|asan|tsan, COMPILER=gcc)

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/' | expand -t 18

.PHONY: programs
programs: $(PROGRAMS:%=$(BUILD)/bin/%)
	@mkdir -p build/bin
	@for p in $(PROGRAMS); do ln -sfn ../../$(BUILD)/bin/$$p build/bin/$$p; done

# clang reads the headers that nearly every file includes once: half of the compile time of tests, a third of the others'.
ifeq ($(SUFFIX),)
COMMON := $(BUILD)/common.pch
PRECOMPILED := $(BUILD)/precompiled.pch
export CCACHE_SLOPPINESS := pch_defines,time_macros
$(UNIT_OBJECTS): CXXFLAGS_OF := -include-pch $(COMMON)
$(UNIT_OBJECTS): $(COMMON)
# libfuse has macros of its own on the command line.
PRECOMPILED_OBJECTS := $(filter-out $(BUILD)/obj/kmod-shim/fuse/%,$(SOURCES:%.cpp=$(BUILD)/obj/%.o)) $(SIM_OBJECTS)
$(PRECOMPILED_OBJECTS): CXXFLAGS_OF := -include-pch $(PRECOMPILED)
$(PRECOMPILED_OBJECTS): $(PRECOMPILED)
$(COMMON): tests/unit/common.hpp
$(PRECOMPILED): replicator/precompiled.hpp
$(COMMON) $(PRECOMPILED):
	@mkdir -p $(@D)
	@echo "  CXX $<"
	@$(CXX) $(CXXFLAGS) -x c++-header -MMD -MP -c $< -o $@
endif

$(BUILD)/obj/%.o: %.cpp
	@mkdir -p $(@D)
	@echo "  CXX $<"
	@$(CCACHE) $(CXX) $(CXXFLAGS) $(CXXFLAGS_OF) $(if $(findstring kmod-shim/fuse,$<),$(CPPFLAGS_FUSE)) $(if $(findstring kmod-shim/nbd,$<),$(CPPFLAGS_NETLINK)) -MMD -MP -c $< -o $@

$(LIBRARY): $(LIB_OBJECTS)
	@echo "  AR  $@"
	@rm -f $@ && ar rcs $@ $^

define program_rule
$(BUILD)/bin/$(1): $(MAIN_$(1):%.cpp=$(BUILD)/obj/%.o) $(LIBRARY)
	@mkdir -p $$(@D)
	@echo "  LD  $$@"
	@$(CXX) $(LDFLAGS) -o $$@ $$< $(LIBRARY) $(LIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))

$(BUILD)/tests/unit: $(UNIT_OBJECTS) $(SIM_LIB_OBJECTS) $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  LD  $@"
	@$(CXX) $(LDFLAGS) -o $@ $(UNIT_OBJECTS) $(SIM_LIB_OBJECTS) $(LIBRARY) -lgtest -lgtest_main $(LIBS)

$(BUILD)/tests/sim: $(SIM_OBJECTS) $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  LD  $@"
	@$(CXX) $(LDFLAGS) -o $@ $(SIM_OBJECTS) $(LIBRARY) $(LIBS)

$(BUILD)/tests/nbd-memory-server: $(BUILD)/obj/tests/support/nbd_memory_server.o $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  LD  $@"
	@$(CXX) $(LDFLAGS) -o $@ $< $(LIBRARY) $(LIBS)

$(TEST_PROGRAMS): $(BUILD)/tests/%: $(BUILD)/obj/tests/programs/%.o $(TEST_SUPPORT_OBJECTS) $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  LD  $@"
	@$(CXX) $(LDFLAGS) -o $@ $< $(TEST_SUPPORT_OBJECTS) $(LIBRARY) $(LIBS)

$(FUZZ_PROGRAMS): $(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/obj/tests/fuzz/replay_main.o $(FUZZ_SUPPORT) $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  LD  $@"
	@$(CXX) $(LDFLAGS) $(if $(filter fuzz,$(PROFILE)),-fsanitize=fuzzer) -o $@ $< $(if $(filter fuzz,$(PROFILE)),,$(BUILD)/obj/tests/fuzz/replay_main.o) $(FUZZ_SUPPORT) $(LIBRARY) $(LIBS)

.PHONY: fuzz-programs
fuzz-programs: $(FUZZ_PROGRAMS)

.PHONY: fuzz
fuzz: ## fuzz each target for SECONDS=30 (T=name: one; what is found stays in build/fuzz/found)
	@[ -z "$(SUFFIX)" ] || { echo "fuzzing needs clang++-19"; exit 1; }
	@$(MAKE) --no-print-directory PROFILE=fuzz fuzz-programs
	@set -e; for p in $(or $(T),$(FUZZ_SOURCES:tests/fuzz/%.cpp=%)); do mkdir -p build/fuzz/found build/fuzz/corpus/$$p; echo "  FUZZ $$p"; \
	 build/fuzz/fuzz/$$p -max_total_time=$(or $(SECONDS),30) -print_final_stats=1 -verbosity=0 -artifact_prefix=build/fuzz/found/$$p- build/fuzz/corpus/$$p tests/fuzz/corpus/$$p; done

.PHONY: test-programs
test-programs: $(TEST_PROGRAMS) ## build what integration tests run

.PHONY: unit
unit: $(BUILD)/tests/unit ## unit tests (T=name selects, e.g. T=handshake)
	$(BUILD)/tests/unit $(if $(T),--gtest_filter='*$(T)*') --gtest_brief=1

.PHONY: sim
sim: $(BUILD)/tests/sim ## simulated histories (N=seeds FIRST=seed, or SEED=one TRACE=1; KIND=volumes, ha, …)
	$(BUILD)/tests/sim $(if $(KIND),--kind $(KIND)) $(if $(SEED),--seed $(SEED) $(if $(TRACE),--trace),--seeds $(or $(N),1000) --first $(or $(FIRST),1))

.PHONY: sim-determinism
sim-determinism: $(BUILD)/tests/sim ## each of N seeds twice: nothing may differ
	$(BUILD)/tests/sim --determinism $(or $(N),20)

.PHONY: sabotage
sabotage: ## known mistakes must be caught (WHICH=name, N=seeds each)
	@$(MAKE) --no-print-directory PROFILE=sabotage build/sabotage$(SUFFIX)/tests/sim
	build/sabotage$(SUFFIX)/tests/sim --sabotage $(or $(WHICH),all) --seeds $(or $(N),20000)

.PHONY: clean
clean: ## remove build/
	rm -rf build

-include $(BUILD)/common.d $(BUILD)/precompiled.d $(BUILD)/obj/tests/support/nbd_memory_server.d $(LIB_OBJECTS:.o=.d) $(UNIT_OBJECTS:.o=.d) $(TEST_PROGRAM_SOURCES:%.cpp=$(BUILD)/obj/%.d) $(wildcard $(BUILD)/obj/tests/fuzz/*.d) $(FUZZ_SUPPORT:.o=.d) $(SIM_OBJECTS:.o=.d) $(foreach p,$(PROGRAMS),$(MAIN_$(p):%.cpp=$(BUILD)/obj/%.d))

PACKAGES := make ccache g++ liburing-dev libfuse3-dev fuse3 libboost-program-options-dev libexpected-dev libfmt-dev \
  nlohmann-json3-dev libisal-dev libssl-dev libblkid-dev zlib1g-dev libgtest-dev libpugixml-dev libnl-genl-3-dev libncurses-dev \
  iproute2 util-linux mount kmod e2fsprogs xfsprogs lvm2 procps nftables fio drbd-utils nbdkit libnbd-bin python3-libnbd qemu-utils \
  qemu-system-common qemu-system-x86 busybox-static cpio xz-utils shellcheck jq git mandoc
# Preferred, not required: older point releases of Debian 12 do not have them.
COMPILER_PACKAGES := clang-19 libclang-rt-19-dev clang-format-19

.PHONY: deps
deps: ## install the Debian packages that building and testing need (root)
	@absent() { for p in "$$@"; do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done; }; \
	 offered() { for p in "$$@"; do [ -z "$$(apt-cache show --no-all-versions $$p 2>/dev/null)" ] || echo $$p; done; }; \
	 missing=$$(absent $(PACKAGES) $(COMPILER_PACKAGES)); [ -n "$$missing" ] || exit 0; \
	 apt-get update -q || exit 1; \
	 preferred=$$(absent $(COMPILER_PACKAGES)); here=$$(offered $$preferred); \
	 [ "$$preferred" = "$$here" ] || echo "clang 19 is not offered here: g++ will do"; \
	 missing="$$(absent $(PACKAGES)) $$here"; [ -n "$${missing# }" ] || exit 0; \
	 echo "installing:" $$missing; DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing

.PHONY: check
check: programs $(BUILD)/tests/unit $(BUILD)/tests/sim $(TEST_PROGRAMS) $(FUZZ_PROGRAMS) $(BUILD)/tests/nbd-memory-server ## build and run all tests that need no guest kernel
	@tests/run.sh $(BUILD) $(or $(N),200)

.PHONY: lab
lab: programs ## against DRBD of a real kernel in an emulated guest (root; S=scenario[/pollux|/kernel])
	@tests/lab/run $(S)

.PHONY: demo
demo: deps ## the main job on this machine: two nodes, mirror, takeover, link cut, resync, throughput; then failover (root)
	@$(MAKE) --no-print-directory programs
	@tests/demo
	@tests/demo-failover

.PHONY: perf
perf: programs ## throughput and CPU beside other mirrors in one run, ratios (root; ROUNDS=3)
	@perf/bench $(or $(ROUNDS),3)
	@perf/failover

.PHONY: lint
lint: ## every check of tests/lint: seconds, no build
	@failed=; for check in tests/lint/*; do [ ! -x $$check ] || $$check || [ $$? = 77 ] || failed="$$failed $${check#tests/lint/}"; done; \
	 [ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

.PHONY: check-layers
check-layers: ## includes point one way
	@tests/lint/check-layers

# A header that compiles leaves an empty file with its dependencies beside it: only what changed is tried again.
HEADERS := $(sort $(shell find replicator kmod-shim drbdadm-compat ha tests -name '*.hpp' 2>/dev/null))
HEADER_STAMPS := $(HEADERS:%=$(BUILD)/headers/%.ok)
.PHONY: check-headers
check-headers: $(HEADER_STAMPS) ## each header compiles on its own

$(HEADER_STAMPS): $(BUILD)/headers/%.ok: %
	@mkdir -p $(@D)
	@$(CXX) $(CXXFLAGS_COMMON) $(CPPFLAGS_FUSE) -Wno-unused-const-variable -Wno-unused-function -fsyntax-only -MMD -MP -MF $(@:.ok=.d) -MT $@ -x c++ -include $< /dev/null
	@touch $@
ifneq ($(filter check-headers,$(MAKECMDGOALS)),)
-include $(HEADER_STAMPS:.ok=.d)
endif

.PHONY: format
format: ## clang-format over the C++ sources
	@find replicator kmod-shim drbdadm-compat ha tests -name '*.[ch]pp' -print0 | xargs -0 -P 2 -n 40 clang-format-19 -i

# Where Pacemaker is installed, its own commands stay.
FOREIGN = $(shell for p in crm_simulate $(CIB_COMMANDS); do f=$(DESTDIR)$(PREFIX)/sbin/$$p; \
  [ ! -x $$f ] || $$f --version 2>&1 | grep -q Pollux || echo $$p; done)
MAN_PAGES = $(filter-out $(FOREIGN:%=%.8),$(notdir $(wildcard docs/man/*.[158])) hb_takeover.1)
DOCUMENTS := $(wildcard README.md LICENSE docs/*.md)
.PHONY: man
man: ## man pages in build/man, the HTML manual in build/html
	@docs/man/build build/man build/html

.PHONY: install
install: programs ## programs and documents under $(DESTDIR)$(PREFIX) (PREFIX=/usr)
	@$(MAKE) --no-print-directory install-files

# What is built, as it is.
.PHONY: install-files
install-files:
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/doc/pollux
	install -m 755 $(patsubst %,$(BUILD)/bin/%,$(filter-out $(FOREIGN),$(PROGRAMS))) $(DESTDIR)$(PREFIX)/sbin
	install -d $(DESTDIR)$(PREFIX)/share/pollux/resource.d
	install -m 755 ocf-agents/resource.d/* $(DESTDIR)$(PREFIX)/share/pollux/resource.d
	install -d $(DESTDIR)$(PREFIX)/lib/ocf/resource.d/pollux $(DESTDIR)$(PREFIX)/share/pollux/ocf/pollux $(DESTDIR)$(PREFIX)/share/pollux/ocf/linbit
	install -m 755 ocf-agents/ocf/pollux/* $(DESTDIR)$(PREFIX)/lib/ocf/resource.d/pollux
	install -m 755 ocf-agents/ocf/pollux/* $(DESTDIR)$(PREFIX)/share/pollux/ocf/pollux
	ln -sfn ../pollux/replicator $(DESTDIR)$(PREFIX)/share/pollux/ocf/linbit/drbd
	install -m 644 $(DOCUMENTS) $(DESTDIR)$(PREFIX)/share/doc/pollux
	@docs/man/build build/man
	install -d $(foreach n,1 5 8,$(DESTDIR)$(PREFIX)/share/man/man$n)
	$(foreach n,1 5 8,cp -P $(patsubst %,build/man/%,$(filter %.$n,$(MAN_PAGES))) $(DESTDIR)$(PREFIX)/share/man/man$n || exit 1;)
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -m 644 packaging/completion/drbdadm packaging/completion/pollux $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	ln -sfn drbdadm $(DESTDIR)$(PREFIX)/share/bash-completion/completions/drbdsetup
	ln -sfn drbdadm $(DESTDIR)$(PREFIX)/share/bash-completion/completions/drbdmeta

.PHONY: deb
deb: programs ## Debian packages in build/deb
	+@packaging/build-deb $(BUILD) build/deb

.PHONY: uninstall
uninstall: ## take away what install put there
	rm -f $(patsubst %,$(DESTDIR)$(PREFIX)/sbin/%,$(filter-out $(FOREIGN),$(PROGRAMS)))
	rm -f $(foreach n,1 5 8,$(patsubst %,$(DESTDIR)$(PREFIX)/share/man/man$n/%,$(filter %.$n,$(MAN_PAGES))))
	rm -f $(foreach c,drbdadm drbdsetup drbdmeta pollux,$(DESTDIR)$(PREFIX)/share/bash-completion/completions/$c)
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/pollux $(DESTDIR)$(PREFIX)/share/pollux/resource.d \
	  $(DESTDIR)$(PREFIX)/share/pollux/ocf $(DESTDIR)$(PREFIX)/lib/ocf/resource.d/pollux
