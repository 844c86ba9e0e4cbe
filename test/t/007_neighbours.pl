# Other extensions in the same server, loaded before modseq and after: those that look at each statement
# (pg_stat_statements, auto_explain, pgaudit, plpgsql_check), and one of our own that counts what its hooks are
# called for. The store gets the same numbers as without them, they see the application's statements and our own
# ones, and our queries keep their plans. What is not installed is left out, and that is said. And what the server logs
# of a wait for a lock.

use strict;
use warnings FATAL => 'all';

use Cwd;
use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;

my $node = new_server('neighbours', '');
$node->start;

my $library = $node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION modseq;
SELECT FROM modseq.next_uidvalidity();
SELECT substring(pg_read_file('/proc/self/maps') FROM '(/\S*/modseq\.so)');
SQL

# Of these names, those that this server has
sub installed
{
	my %there = map { $_ => 1 }
	  split(/\n/, $node->safe_psql('postgres', 'SELECT name FROM pg_available_extensions'));

	return grep { $there{$_} } @_;
}

my @extensions = installed('pg_stat_statements', 'pgaudit', 'plpgsql_check');
my %has = map { $_ => 1 } @extensions;
diag("$_ is not installed: not tested beside it")
  foreach grep { !$has{$_} } ('pgaudit', 'plpgsql_check');

#
# What the application does: every kind of statement, with triggers of its own on the messages, and errors
#

my @statements = (
	q{INSERT INTO mail (box_id, subject) SELECT 1 + i % 2, 'a' FROM generate_series(1, 8) AS i},
	q{UPDATE mail SET flags = '{seen}' WHERE uid <= 2},
	q{INSERT INTO mail_flag SELECT id, 'flagged' FROM mail WHERE uid <> 1},
	q{UPDATE mail SET box_id = 2 WHERE box_id = 1 AND uid = 1},
	q{DELETE FROM mail WHERE uid = 2},
	q{INSERT INTO mail (box_id, uid) VALUES (1, 2)},
	q{MERGE INTO mail USING (VALUES (3), (77)) AS v (n) ON box_id = 1 AND uid = n}
	  . q{ WHEN MATCHED THEN UPDATE SET flags = '{merged}' WHEN NOT MATCHED THEN INSERT (box_id) VALUES (1)},
	q{WITH gone AS (DELETE FROM mail WHERE box_id = 1 AND uid = 3 RETURNING *)}
	  . q{ INSERT INTO mail (box_id, subject) SELECT 2, subject FROM gone},
	q{SELECT * FROM write_in_function()},
	q{SELECT verdict, changed FROM modseq.resync('mail', 1, (SELECT uidvalidity FROM modseq.status('mail', 1)), 2)},
	q{DELETE FROM box WHERE id = 3});

# How often each was run and planned, and of how many rows, as pg_stat_statements is to have it
my $counted = <<'END';
DELETE FROM box 1 1 1
DELETE FROM mail 1 1 2
INSERT INTO mail ( 0 1 0
INSERT INTO mail ( 1 1 8
INSERT INTO mail_flag 1 1 6
MERGE INTO mail 1 1 2
SELECT * FROM write_in_function 1 1 1
SELECT verdict, changed 1 1 1
UPDATE mail SET box_id 1 1 1
UPDATE mail SET flags 1 1 4
WITH gone 1 1 1
END

my $functions = <<'SQL';
CREATE FUNCTION write_in_function() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	written bigint;
BEGIN
	INSERT INTO mail (box_id, subject) VALUES (2, 'from a function') RETURNING uid INTO written;
	BEGIN
		INSERT INTO mail (box_id, subject) VALUES (2, 'rolled back');
		UPDATE mail SET flags = '{lost}' WHERE box_id = 2;
		RAISE 'undo this';
	EXCEPTION WHEN raise_exception THEN
		DELETE FROM mail WHERE box_id = 2 AND uid = 3;
	END;
	RETURN written;
END
$$;
CREATE FUNCTION on_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM count(*) FROM mail WHERE box_id = NEW.box_id;
	RETURN NULL;
END
$$;
CREATE TRIGGER on_update AFTER UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION on_update();
CREATE TRIGGER on_update_too AFTER UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION on_update();
SQL

# Does it in a database with these extensions, in one session that begins with these commands; returns its errors
sub work
{
	my ($dbname, $with, @commands) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $dbname");
	$node->safe_psql($dbname, "CREATE EXTENSION $_") foreach @$with;
	create_store($node, $dbname, 3);
	$node->safe_psql($dbname, $functions);
	unshift @commands, 'SELECT pg_stat_statements_reset()' if @$with;

	my ($code, $out, $err) = $node->psql($dbname,
		join(";\n", @commands, 'SELECT 1 AS begin', @statements), on_error_stop => 0);
	return join(' | ', $err =~ /(?:ERROR|WARNING): +(.*)/g);
}

# All that clients can be told of that database's store
sub answers
{
	my ($dbname) = @_;

	return $node->safe_psql($dbname, <<'SQL');
SELECT b.id, s.uidnext, s.highestmodseq, modseq.vanished_since('mail', b.id, 1)
FROM box b, modseq.status('mail', b.id) AS s ORDER BY 1;
SELECT box_id, uid, modseq, flags, ARRAY(SELECT flag FROM mail_flag f WHERE f.mail_id = m.id)
FROM mail m ORDER BY 1, 2;
SELECT * FROM modseq.check('mail');
SQL
}

my $refused = work('alone', []);
my $answers = answers('alone');
like($refused, qr/^UID 2 [^|]*$/, 'one error');

#
# Beside those that look at each statement
#

# auto_explain's plans: [query, plan]
sub plans
{
	my ($log) = @_;

	return map { /^Query Text: (.*?)\n\t(?=\S.*\(cost=)(.*)/s ? [ $1, $2 ] : () }
	  map { s/\n(?!\t).*//sr } split(/plan:\n\t/, $log);
}

sub look_at_plans
{
	my ($log, $order) = @_;
	my @plans = plans($log);
	my @ours = grep { $_->[0] =~ /OPERATOR\(pg_catalog\./ && $_->[0] !~ /ONLY "/ } @plans;
	my @stamps = grep { $_->[0] =~ /^UPDATE public\.mail AS m SET modseq/ } @ours;
	# (Messages by their keys, of any mailbox, are read as the planner likes.)
	my @dear = grep { $_->[0] !~ /m\.id OPERATOR.* ANY/ && $_->[1] =~ /Seq Scan|Bitmap|Hash|Merge|Materialize|Sort/ } @ours;

	is(scalar(@dear), 0, "$order: our queries stay on their indexes")
	  or diag(join("\n", map { @$_ } @dear));
	cmp_ok(scalar(@stamps), '>', 0, "$order: messages were stamped");
	# Ours are taken out of the row triggers there, and each other one has its own count
	my $rows = 0;
	foreach my $stamp (@stamps)
	{
		my %calls = $stamp->[1] =~ /Trigger (\S+): calls=(\d+)/g;
		my $stamped = $calls{on_update} // 0;

		is_deeply(
			\%calls,
			{
				modseq_open => 1,
				modseq_flush => 1,
				on_update => $stamped,
				on_update_too => $stamped
			},
			"$order: the triggers of a stamp");
		$rows += $stamped;
	}
	is($rows, 6, "$order: the messages that were stamped");
	my ($update) = grep { $_->[0] =~ /^UPDATE mail SET flags/ } @plans;
	like($update->[1], qr/Trigger zz_modseq_assign: calls=4\b/, "$order: the triggers of an UPDATE");
	return;
}

sub look_at_audit
{
	my ($log, $order) = @_;
	my @audit = $log =~ /AUDIT: SESSION,(.*)/g;

	# One entry for each table that a statement names, with its rows
	foreach my $entry (
		'WRITE,INSERT,TABLE,public.mail,INSERT INTO mail .* SELECT .*,8$',
		'WRITE,UPDATE,TABLE,public.mail,UPDATE mail SET flags.*,4$',
		'WRITE,INSERT,TABLE,public.mail_flag,.*,6$',
		'READ,SELECT,TABLE,public.mail,INSERT INTO mail_flag.*,6$',
		'WRITE,DELETE,TABLE,public.mail,DELETE FROM mail.*,2$',
		'WRITE,DELETE,TABLE,public.box,.*,1$')
	{
		is(scalar(grep { s/"//gr =~ /$entry/ } @audit), 1, "$order: audited once: $entry");
	}
	ok(scalar(grep { /WRITE,INSERT,TABLE,public\.mail_vanished/ } @audit),
		"$order: our statements are audited too");
	return;
}

my @watching = (
	"SET auto_explain.log_min_duration = 0",
	"SET auto_explain.log_nested_statements = on",
	"SET auto_explain.log_analyze = on",
	"SET auto_explain.log_triggers = on",
	"SET auto_explain.log_timing = off",
	"SET auto_explain.log_buffers = on",
	"SET auto_explain.log_wal = on",
	$has{pgaudit} ? ("SET pgaudit.log = 'read, write'", "SET pgaudit.log_relation = on",
		"SET pgaudit.log_rows = on") : (),
	$has{plpgsql_check} ? ("SET plpgsql_check.mode = 'every_start'", "SET plpgsql_check.profiler = on",
		"SET plpgsql_check.tracer = on", "SET plpgsql_check.enable_tracer = on",
		"SET plpgsql_check.trace_assert = on") : ());

# These must be preloaded; the others need not
my @preloaded = grep { $has{$_} } 'pg_stat_statements', 'pgaudit';
my @loaded = grep { $_ eq 'auto_explain' || $has{$_} } 'auto_explain', 'plpgsql_check';
my @load = map { "LOAD '$_'" } @loaded;
my %orders = (
	before => [ [ @preloaded, @loaded, $library ] ],
	after => [ [ $library, @preloaded, @loaded ] ],
	loaded_before => [ [@preloaded], @load, "LOAD '$library'" ],
	loaded_after => [ [@preloaded], "LOAD '$library'", @load ]);

$node->append_conf('postgresql.conf', <<'CONF');
pg_stat_statements.track = 'all'
pg_stat_statements.track_planning = on
pg_stat_statements.save = off
CONF
foreach my $order (sort keys %orders)
{
	my ($preload, @session) = @{ $orders{$order} };

	$node->append_conf('postgresql.conf', "shared_preload_libraries = '" . join(',', @$preload) . "'");
	$node->restart;
	my $begin = -s $node->logfile;
	is(work($order, \@extensions, @session, @watching), $refused, "$order: the same error, and no other");
	is(answers($order), $answers, "$order: the same numbers");

	my $log = slurp_file($node->logfile, $begin);
	look_at_plans($log, $order);
	look_at_audit($log, $order) if $has{pgaudit};

	my $entries = $node->safe_psql($order, <<'SQL');
SELECT query, calls, plans, rows, toplevel FROM pg_stat_statements AS s
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
SQL
	my @seen = map { s/\|t$//r =~ s/[|]/ /gr } grep { /\|t$/ } split(/\n/, $entries);
	my $wrong = '';
	foreach my $line (sort split(/\n/, $counted))
	{
		my ($query, $counts) = $line =~ /^(.*?) (\d+ \d+ \d+)$/;
		$wrong .= "$line\n" if 1 != grep { /^\Q$query\E.* $counts$/ } @seen;
	}
	is($wrong, '', "$order: pg_stat_statements counts the application's statements")
	  or diag($entries);
	like($entries, qr/OPERATOR\(pg_catalog\.\S+ .*\|f$/m, "$order: and ours, which are not at the top");
}

#
# Each hook of ours leads on to the one before it
#

{
	my $hooks = PostgreSQL::Test::Utils::tempdir . '/hooks.so';
	my ($include) = run_command([ 'pg_config', '--includedir-server' ]);
	my $here = getcwd;

	run_log([ 'cc', '-shared', '-fPIC', "-I$include", "-I$here/src", '-o', $hooks, "$here/test/t/hooks.c" ])
	  or die 'hooks.c cannot be compiled';
	$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
	$node->restart;
	$node->safe_psql('alone', "CREATE FUNCTION hooks_calls() RETURNS text LANGUAGE c AS '$hooks'");

	# What they are called for in a session that loads these libraries, by a query without and one with our part
	my $calls = sub {
		return $node->safe_psql('alone', join(";\n", (map { "LOAD '$_'" } @_), <<'SQL'));
UPDATE mail SET subject = subject;
SELECT 'begin' WHERE hooks_calls() IS NULL;
SELECT count(*) FROM mail JOIN box ON box_id = box.id;
SELECT hooks_calls();
BEGIN;
INSERT INTO mail_flag SELECT id, 'hooks' FROM mail;
SELECT count(*) FROM modseq.unchanged_since('mail', 2, '1:10', 100);
SELECT hooks_calls();
ROLLBACK;
SQL
	};
	my ($query, $ours) = split(/\n/, $calls->($hooks, $library) =~ s/^\d+\n//mgr);
	is($query, 'planner 2, paths 2, executor 2 and 2', 'the hooks that we were put on top of are called');
	like($ours, qr{planner \d\d, paths \d\d, executor \d\d and \d\d}, 'for our queries too');
	is($calls->($library, $hooks) =~ s/^\d+\n//mgr, "$query\n$ours", 'and those that were put on top of ours');
}

#
# What the server logs of who waits for a lock names the mailbox
#

{
	my $holder = session($node, 'holder', 'alone');
	my $writer = session($node, 'writer', 'alone');
	my $begin = -s $node->logfile;

	$holder->query_safe("BEGIN; SELECT FROM modseq.lock('mail', 1)");
	$writer->query_safe("SET log_lock_waits = on; SET deadlock_timeout = '10ms'");
	send_off($writer, 'INSERT INTO mail (box_id) VALUES (1)');
	$node->wait_for_log(qr/still waiting.*STATEMENT:/s, $begin);
	like(slurp_file($node->logfile, $begin), qr/still waiting for .*while locking mailbox \(1\) of store public\.mail\n/s,
		'log_lock_waits names the mailbox');
	$holder->query_safe('COMMIT');
	hang_up($holder, $writer);
}

#
# plpgsql_check looks at functions: at ours, and at such that write to a store
#

SKIP:
{
	skip('plpgsql_check is not installed', 2) unless $has{plpgsql_check};
	$node->safe_psql('alone', 'CREATE EXTENSION plpgsql_check');

	# A cursor of dynamic SQL tells it nothing; and those that are named below call Citus, which is not here
	is($node->safe_psql('alone', <<'SQL') =~ s/^check_(?:rows|accounts|counts|shards): warning extra:.*variable "(?:mailbox|uid|problem)" is maybe unmodified\n//mgr
SELECT p.proname || ': ' || c
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang,
	plpgsql_check_function(p.oid, fatal_errors => false) AS c
WHERE l.lanname = 'plpgsql' AND p.pronamespace::regnamespace IN ('modseq', 'modseq_internal') AND c !~ '^Detail: '
	AND p.proname NOT IN ('distribution', 'shards_of', 'distribute_tables', 'allow_distributed', 'compact_shards')
UNION ALL SELECT ''
SQL
		, '', 'plpgsql_check finds nothing in our functions');
	is($node->safe_psql('alone', <<'SQL'), '', 'nor in functions that write to a store');
SELECT plpgsql_check_function('write_in_function()');
SELECT plpgsql_check_function('on_update()', 'mail');
SQL
}

$node->stop;
done_testing();
