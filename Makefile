# SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later OR MIT
#
# What a person calls. The module is built by Kbuild through scripts/build-module,
# library and command by userspace/Makefile.
#
#	make			module for the running kernel, library, command
#	make demo		the main job on real data, in a virtual machine
#	make check		every automatic test; TESTS='unit kunit' runs some
#	make fuzz TIME=SECONDS	the fuzzers, each for so long, and the module on the debug kernel
#	make torture		everything at once: TIME=SECONDS, KERNEL=debug or kcsan
#	make bench		snapmap and its peers, measured; a quarter of an hour. QUICK=1: a few minutes
#	make bench-vm		the real device in a virtual machine; a minute where KVM does not work
#	make lint		style and static checks
#	make coverage		which lines the tests run; a quarter of an hour
#	make install		library, command, headers, man pages
#	make modules_install	the module, for the running kernel

KDIR ?= /lib/modules/$(shell uname -r)/build
TESTS ?=

all: modules user

modules:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

modules_install:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules_install

user:
	$(MAKE) -C userspace all

install:
	$(MAKE) -C userspace install

demo:
	scripts/demo

check:
	scripts/check $(TESTS)

fuzz:
	scripts/deps build test
	$(MAKE) -s -C userspace/tests/fuzz
	userspace/tests/fuzz/run --long --time $(or $(TIME),600)
	scripts/deps vm debug
	$(MAKE) -s -C userspace/tests/device
	SNAPMAP_FUZZ_SECONDS=$(or $(TIME),600) SNAPMAP_ONLY=test_random_use_BEFGH scripts/vm --kernel debug \
		--timeout $$(($(or $(TIME),600) + 1200)) -- build/user/tests/device/fuzz_test

torture:
	scripts/torture --kernel $(or $(KERNEL),debug) --time $(or $(TIME),60)

bench:
	bench/run $(if $(QUICK),--quick) $(OUT)

bench-vm:
	bench/vm/run $(OUT)

coverage:
	scripts/coverage

help:
	@sed -nE 's/^#\t(make)/\1/p' Makefile

lint:
	scripts/deps build lint
	scripts/lint

clean:
	rm -rf build
	-$(MAKE) -C $(KDIR) M=$(CURDIR) clean

.PHONY: all modules modules_install user install demo check torture fuzz bench bench-vm coverage lint help clean
