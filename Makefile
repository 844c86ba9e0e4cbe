# modseq: IMAP CONDSTORE and QRESYNC semantics for any PostgreSQL mail schema
#
#   make, make install    build and install for the server that PG_CONFIG names
#   make installcheck     run the regression and isolation tests against a running server
#   make test, make demo  need no server: they bring their own, on Debian 12 or newer. test FAST=1 is for developers, and
#                         takes some two minutes; demo DEMO=9 shows one chapter, demo SERVE=1 stays up
#   make versions         the regression and isolation tests, and 018_update, on all versions that Debian has, in chroots
#   make dist             modseq-VERSION.zip of what is committed, as PGXN takes it
#   make deb              Debian packages for the same versions, in chroots, which then test them
#   make soak SECONDS=N   writers, crashes and clients that must converge, random schedules and ALTERs, for about so long
#   make coverage         which lines and branches the regression and isolation tests reach; FILE=src/... shows one's
#   make bench            how dear it is, beside SQL by hand; QUICK=1 takes five minutes; BENCH="append 1" is one row

# Where this file is: elsewhere than what is built, if that is asked for with make -f .../Makefile
TOP := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))

EXTENSION = modseq
MODULE_big = modseq
OBJS = $(patsubst $(TOP)/%.c,%.o,$(wildcard $(TOP)/src/*.c $(TOP)/src/*/*.c))
PG_CPPFLAGS = -I$(TOP)/src

# The script of this version, and one that updates each version before it: see sql/update/update.awk
EXTVERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" $(TOP)/modseq.control)
SCRIPT = sql/modseq--$(EXTVERSION).sql
UPDATES = $(patsubst $(TOP)/sql/update/modseq--%.sql,sql/modseq--%--$(EXTVERSION).sql, \
	$(wildcard $(TOP)/sql/update/modseq--*.sql))
DATA_built = $(SCRIPT) $(UPDATES)
$(shell mkdir -p $(sort $(dir $(OBJS) $(DATA_built))))

# The parts of the script, in the order in which they need each other. They are in a folder of their own because
# pg_regress would take sql/check.sql for the test of that name.
SQL_PARTS = schema type operator incarnation trigger function store catalog shard usual template wanted added rights \
	refuse counts counters infer vanished changes account quiet adopt uidvalidity_given distribute distributed attach detach check \
	compact activity uidvalidity event

REGRESS := $(sort $(basename $(notdir $(wildcard $(TOP)/test/sql/*.sql))))
REGRESS_OPTS = --inputdir=$(TOP)/test
ISOLATION := $(sort $(basename $(notdir $(wildcard $(TOP)/test/specs/*.spec))))
ISOLATION_OPTS = --inputdir=$(TOP)/test --outputdir=.

# PGXS looks whether it is set, so it must be before it. What is below makes these.
MOVE = test/tools/modseq-move
TEST_MODULE = test/module/in_c
EXTRA_CLEAN = $(MOVE) $(TEST_MODULE).o $(TEST_MODULE)$(DLSUFFIX) $(DIST).zip

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)

# Without PGXS, test and demo below still work: they install it first.
ifneq ($(wildcard $(PGXS)),)
include $(PGXS)
else
all install uninstall installcheck clean:
	@echo "$@ needs PGXS: install postgresql-server-dev-NN, or set PG_CONFIG" >&2; exit 1
endif

$(OBJS) $(OBJS:.o=.bc): $(wildcard $(TOP)/src/*.h $(TOP)/src/*/*.h)

$(SCRIPT): $(SQL_PARTS:%=sql/parts/%.sql)
	cat $^ >$@

$(UPDATES): sql/modseq--%--$(EXTVERSION).sql: sql/update/update.awk sql/update/modseq--%.sql \
		sql/update/%--$(EXTVERSION).sql $(SCRIPT)
	awk -f $< file=old $(word 2,$^) file=by_hand $(word 3,$^) file=new $(word 4,$^) >$@.new
	mv $@.new $@

# A program for administrators, beside pg_dump
all: $(MOVE)
$(MOVE): $(wildcard $(TOP)/test/tools/*.[ch])
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CPPFLAGS) -D_GNU_SOURCE -I$(includedir) -o $@ $(filter %.c,$^) $(LDFLAGS) -L$(libdir) -lpq
install: install-move
install-move: $(MOVE)
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	$(INSTALL_PROGRAM) $< '$(DESTDIR)$(bindir)/'
uninstall: uninstall-move
uninstall-move:
	rm -f '$(DESTDIR)$(bindir)/$(notdir $(MOVE))'
.PHONY: install-move uninstall-move

# For users, in a folder of its own: names such as attach.md are others', too. DOCS would put it beside them.
MANUAL = $(docdir)/extension/modseq
MANUAL_FILES = $(filter-out %/design.md %/testing.md,$(wildcard $(TOP)/docs/*.md))
install: install-manual
install-manual:
	$(MKDIR_P) '$(DESTDIR)$(MANUAL)/images'
	$(INSTALL_DATA) $(MANUAL_FILES) '$(DESTDIR)$(MANUAL)/'
	$(INSTALL_DATA) $(wildcard $(TOP)/docs/images/*) '$(DESTDIR)$(MANUAL)/images/'
uninstall: uninstall-manual
uninstall-manual:
	rm -rf '$(DESTDIR)$(MANUAL)'
.PHONY: install-manual uninstall-manual

# A test reads the script, and pg_regress compares with what is in expected/ where it puts the results. Others
# load a module.
installcheck: $(DATA_built) $(TEST_MODULE)$(DLSUFFIX) link-expected
$(TEST_MODULE).o: $(TOP)/$(TEST_MODULE).c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CFLAGS_SL) $(CPPFLAGS) -c -o $@ $<
$(TEST_MODULE)$(DLSUFFIX): $(TEST_MODULE).o
	$(CC) $(CFLAGS) -shared -o $@ $< $(LDFLAGS)
.PHONY: link-expected
link-expected:
	@[ -e expected ] || ln -s $(TOP)/expected expected

.PHONY: test versions dist deb demo soak bench coverage
test:
	@FAST='$(FAST)' test/run

versions:
	@test/versions

dist:
	@$(TOP)/test/meta
	git -C $(TOP) archive --format=zip --prefix=$(DIST)/ --output=$(CURDIR)/$(DIST).zip HEAD
DIST = modseq-$(shell sed -n 's/^   "version": "\(.*\)",/\1/p' $(TOP)/META.json)

deb:
	@test/versions --deb

# The convergence test for as long as asked, with a fourth of that time for owners who alter their stores, and an
# eighth for schedules
SECONDS ?= 600
soak:
	@test/run sh -c 'failed=0; test/alter/random --seconds $$(($(SECONDS) / 4)) || failed=1; \
		SCHEDULES_SECONDS=$$(($(SECONDS) / 8)) test/schedules/run random || failed=1; \
		CONVERGE_SECONDS=$$(($(SECONDS) * 5 / 8)) test/libpq/run && exit $$failed'

# Without optimization, so that what is counted is what is written
coverage:
	@FILE='$(FILE)' COPT="--coverage -O0" test/run test/coverage

# Results go to test/bench/results.md and .svg; quick ones, and single rows, to standard output only
bench:
	@test/run env QUICK=$(QUICK) BENCH='$(BENCH)' COUNT='$(COUNT)' $(if $(QUICK)$(BENCH),,BENCH_OUT=$(CURDIR)/test/bench) test/bench/run

demo:
	@DEMO='$(DEMO)' SERVE='$(SERVE)' test/run test/demo/run
