# modseq: IMAP CONDSTORE and QRESYNC semantics for any PostgreSQL mail schema
#
#   make, make install    build and install for the server that PG_CONFIG names
#   make installcheck     run the regression and isolation tests against a running server
#   make test, make demo  need no server: they bring their own, on Debian 12; demo SERVE=1 stays up
#   make versions         the regression and isolation tests on all versions that Debian has, in chroots
#   make soak SECONDS=N   writers, crashes and clients that must converge, for about so long
#   make bench            how dear it is, beside SQL by hand; QUICK=1 takes two minutes

EXTENSION = modseq
MODULE_big = modseq
OBJS = $(patsubst %.c,%.o,$(wildcard src/*.c src/*/*.c))
PG_CPPFLAGS = -I$(srcdir)/src
DATA = sql/modseq--1.0.sql

REGRESS := $(sort $(basename $(notdir $(wildcard test/sql/*.sql))))
REGRESS_OPTS = --inputdir=test
ISOLATION := $(sort $(basename $(notdir $(wildcard test/specs/*.spec))))
ISOLATION_OPTS = --inputdir=test --outputdir=.

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)

# Without PGXS, test and demo below still work: they install it first.
ifneq ($(wildcard $(PGXS)),)
include $(PGXS)
else
all install uninstall installcheck clean:
	@echo "$@ needs PGXS: install postgresql-server-dev-NN, or set PG_CONFIG" >&2; exit 1
endif

$(OBJS) $(OBJS:.o=.bc): $(wildcard src/*.h src/*/*.h)

.PHONY: test versions demo soak bench
test:
	@test/run

versions:
	@test/versions

# The convergence test for as long as asked
SECONDS ?= 600
soak:
	@test/run env CONVERGE_SECONDS=$(SECONDS) test/libpq/run

# Results go to test/bench/results.md and .svg, the quick ones to standard output only
bench:
	@test/run env QUICK=$(QUICK) $(if $(QUICK),,BENCH_OUT=$(CURDIR)/test/bench) test/bench/run

demo:
	@SERVE='$(SERVE)' test/run test/demo/run
