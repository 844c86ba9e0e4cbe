# Citus under load: writers at each server, while shards move and are split, the cluster is rebalanced, servers crash and
# one is added. Clients of any age, of mailboxes and of accounts, have what the servers have, each time they ask; and the
# counts of mailboxes are those of their messages.
#
#   CITUS_OPERATIONS	how many statements must have changed something, 2000 if it is not said; the long run has 100000
#   CITUS_MINUTES	how long it may take at most, 60
#
# Where Citus is not installed, all of it is skipped.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use POSIX ();
use Time::HiRes qw(usleep);
use ModseqTest;
use ModseqTest::Citus;
use ModseqTest::CitusClient;

my $operations = $ENV{CITUS_OPERATIONS} || 2000;
my $minutes = $ENV{CITUS_MINUTES} || 60;
my $pause = 15;		# seconds from one event to the next, at most; and so many operations
my $stretch = $operations < 8000 ? $operations / 20 : 400;
my $accounts = 12;
my $boxes = 3;		# the last comes and goes
my $store = q('mw.mail');

# What a crash has left prepared keeps its locks until Citus looks, which it does once a minute otherwise
my ($coordinator, @others) = start_citus(<<'CONF', qw(coordinator worker1 worker2 worker3));
citus.recover_2pc_interval = '2s'
citus.defer_shard_delete_interval = '2s'
citus.max_background_task_executors_per_node = 1
lock_timeout = '30s'
CONF
my $late = pop @others;
add_node($_) foreach @others;
sql($coordinator, 'CREATE EXTENSION modseq');
sql($coordinator, <<"SQL");
CREATE SCHEMA mw;
CREATE TABLE mw.box (account bigint, id bigint, name text, PRIMARY KEY (account, id));
CREATE TABLE mw.mail (
	account bigint, id bigint, box_id bigint NOT NULL, subject text, flags text[] NOT NULL DEFAULT '{}',
	PRIMARY KEY (account, id));
CREATE TABLE mw.mail_flag (account bigint, mail_id bigint, flag text, PRIMARY KEY (account, mail_id, flag));
SELECT create_distributed_table('mw.box', 'account');
SELECT create_distributed_table('mw.mail', 'account', colocate_with => 'mw.box');
SELECT create_distributed_table('mw.mail_flag', 'account', colocate_with => 'mw.box');
ALTER TABLE mw.mail ADD FOREIGN KEY (account, box_id) REFERENCES mw.box ON DELETE CASCADE;
ALTER TABLE mw.mail_flag ADD FOREIGN KEY (account, mail_id) REFERENCES mw.mail ON DELETE CASCADE;
INSERT INTO mw.box SELECT a, i, 'box ' || i FROM generate_series(1, $accounts) AS a, generate_series(1, $boxes) AS i;
INSERT INTO mw.mail SELECT a, i, 1 + i % $boxes, 'old' FROM generate_series(1, $accounts) AS a, generate_series(1, 10) AS i;
SELECT modseq.attach($store, 'mw.box', 'mw.mail_flag', account => '{account}', email => 'id', mailbox_properties => '{name}',
	vanished_keep => '0', mailbox_messages => 'messages', mailbox_unseen => 'unseen', message_seen => 'flags', message_seen_flag => 'seen');
SQL

# --- writers

my $stop = "$PostgreSQL::Test::Utils::tmp_check/stop_load";
my %writer;		# file with its count, by pid

# Of an account. What it inserts has its keys as constants, but once: so Citus sends it to the shard as it is, which takes a
# fraction of the time of what goes through a COPY.
sub random_statement
{
	my ($account) = @_;
	my $box = 1 + int rand $boxes;
	my $other = 1 + $box % $boxes;
	my $of = "account = $account AND box_id = $box";
	my $key = "$store, '{$account,$box}'";
	my $r = int rand 5;
	my $id = int rand 1e15;
	my $new = "INSERT INTO mw.mail VALUES ($account, $id, $box";
	my @statements = (
		"$new, 'a', '{seen}'), ($account, $id + 1, $box, 'a', '{}'), ($account, $id + 2, $box, 'a', '{}')",
		"$new, 'b'), ($account, $id + 1, $other, 'b')",
		"$new, 'b', '{seen}')",
		"UPDATE mw.mail SET flags = ARRAY['c$r'] WHERE $of AND uid % 5 = $r",
		"UPDATE mw.mail SET flags = ARRAY['seen', 'c$r'] WHERE $of AND uid % 5 = $r",
		"UPDATE mw.mail SET flags = flags || '{d$r}'::text[] WHERE account = $account AND uid % 9 = $r AND NOT flags @> '{d$r}'",
		"DELETE FROM mw.mail WHERE $of AND uid % 7 = $r",
		"UPDATE mw.mail SET box_id = $other WHERE $of AND uid % 6 = $r",
		"INSERT INTO mw.mail_flag SELECT account, id, 'f$r' FROM mw.mail WHERE $of AND uid % 5 = $r ON CONFLICT DO NOTHING",
		"DELETE FROM mw.mail_flag WHERE account = $account AND flag = 'f$r'",
		"SELECT count(*) FROM modseq.unchanged_since($key, (SELECT modseq.live_uids($key)), ("
		  . "SELECT highestmodseq - 2 FROM modseq.status($key))) WHERE verdict = 'unchanged';\n"
		  . "UPDATE mw.mail SET flags = '{judged}' WHERE $of AND uid % 5 = $r",
		"SELECT modseq.touch($key)",
		"UPDATE mw.box SET name = name || '.' WHERE account = $account AND id = $box",
		"DELETE FROM mw.mail WHERE account = $account AND id IN (SELECT id FROM mw.mail WHERE account = $account ORDER BY id LIMIT 5)",
		"DELETE FROM mw.box WHERE account = $account AND id = $boxes;\n"
		  . "INSERT INTO mw.box VALUES ($account, $boxes, 'anew') ON CONFLICT DO NOTHING",
		(
			"SELECT modseq.reset_uidvalidity($key)",
			"INSERT INTO mw.mail SELECT $account, $id + i, $box, 'copied' FROM generate_series(1, 3) AS i",
			"SELECT FROM modseq.lock($key)"
		)[ int rand 3 ]);

	return "$statements[ int rand @statements ];\n";
}

# One statement, or some, of which the last may be undone, or all. The account's lock comes first then, as it should.
sub random_transaction
{
	my $account = 1 + int rand $accounts;
	my $kind = int rand 8;

	return random_statement($account) if $kind < 4;
	return join '', "BEGIN;\nSELECT FROM modseq.account_lock($store, $account);\n",
	  (map { random_statement($account) } 1 .. 1 + int rand 4),
	  $kind == 4 ? ("SAVEPOINT a;\n", random_statement($account), "ROLLBACK TO a;\n") : (),
	  $kind == 5 && rand() < 0.4 ? "ROLLBACK;\n" : "COMMIT;\n";
}

# How many statements have changed rows, and were not rolled back, in the output of psql. Both ROLLBACK and ROLLBACK TO say
# ROLLBACK; so does a COMMIT that failed.
sub changes_in
{
	my ($count, $open, $saved) = (0);

	foreach (split /\n/, $_[0])
	{
		if    (/^BEGIN/)                          { ($open, $saved) = (0) }
		elsif (/^SAVEPOINT/)                      { $saved = $open }
		elsif (/^ROLLBACK/)                       { ($open, $saved) = ($saved) }
		elsif (/^COMMIT/)                         { $count += $open // 0; undef $open }
		elsif (/^(INSERT 0|UPDATE|DELETE) [1-9]/) { defined $open ? $open++ : $count++ }
	}
	return $count;
}

sub start_writer
{
	my ($node, $n) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir_short() . "/writer$n";
	my $pid = fork // die "fork: $!";

	return $writer{$pid} = $file if $pid;
	srand($$);
	my $count = 0;
	until (-e $stop)
	{
		my $sql = join '', map { random_transaction() } 1 .. 200;
		my ($out, $err) = ('', '');

		eval {
			IPC::Run::run([ 'psql', '-XAt', '-d', $node->connstr('postgres'), '-f', '-' ],
				'<', \$sql, '>', \$out, '2>', \$err, IPC::Run::timeout(600));
		};
		$count += changes_in($out);
		usleep(200_000) if $err =~ /could not connect|connection to server/;
		append_to_file("$file.err", $err) if $err;
		append_to_file("$file.new", $count);
		rename("$file.new", $file);
	}
	POSIX::_exit(0);
}

sub done
{
	my $done = 0;

	foreach my $file (values %writer)
	{
		$done += slurp_file($file) if -e $file;
	}
	return $done;
}

# --- what happens to the servers meanwhile. A move, split or rebalancing may fail where a server crashes beside it.

my %happened;

sub happens
{
	my ($what, $sql, $may_fail) = @_;
	my ($ret, $out, $err) = $coordinator->psql('postgres', "SET lock_timeout = 0; SET client_min_messages = warning; $sql", timeout => 300);

	$happened{ $ret == 0 ? $what : "$what, failed" }++;
	note("$what: $err") if $ret != 0;
	return if $ret == 0 || $may_fail;
	fail("$what: $err");
	return;
}

sub crash
{
	my @nodes = nodes();
	my $node = $nodes[ int rand @nodes ];

	$node->stop('immediate');
	$node->start;
	foreach my $try (1 .. 600)
	{
		last if ($node->psql('postgres', 'SELECT 1'))[0] == 0;
		usleep(100_000);
	}
	$happened{ 'crash of ' . ($node == $coordinator ? 'the coordinator' : 'a worker') }++;
	return;
}

sub crash_beside
{
	my ($what, $sql) = @_;
	my $pid = fork // die "fork: $!";

	if (!$pid)
	{
		$coordinator->psql('postgres', "SET lock_timeout = 0; $sql", timeout => 300);
		POSIX::_exit(0);
	}
	usleep(int rand 1_500_000);
	crash();
	waitpid($pid, 0);
	$happened{"$what beside a crash"}++;
	return;
}

# At any server; of a transaction that a crash has left prepared, rows may be locked. Writers fold, too.
sub compact
{
	my @nodes = nodes();
	my ($ret, $out, $err) = $nodes[ int rand @nodes ]->psql('postgres', "CALL modseq.compact_all('0')", timeout => 300);

	$happened{ $ret == 0 && $err !~ /WARNING/ ? 'compact_all' : 'compact_all, failed' }++;
	note("compact_all: $err") if $ret != 0 || $err =~ /WARNING/;
	return;
}

# At the coordinator; right after its crash it may not be able to answer yet
sub random_event
{
	my $account = 1 + int rand $accounts;
	my $r = int rand 13;

	return crash() if $r == 0;
	return crash_beside('move', move_of($account, $r == 1 ? 'block_writes' : 'force_logical')) if $r <= 2;
	return crash_beside('split', split_of($account, 'block_writes')) if $r == 3;
	if ($r == 4 && sql($coordinator, "SELECT count(*) FROM pg_dist_shard WHERE logicalrelid = 'mw.mail'::regclass") < 24)
	{
		return happens('split', split_of($account, 'block_writes'), 1);
	}
	return happens('rebalancing', "SELECT rebalance_table_shards('mw.mail', shard_transfer_mode => 'block_writes')", 1) if $r == 5;
	return compact() if $r == 6;
	return happens('move, block_writes', move_of($account, 'block_writes'), 1) if $r <= 9;
	return happens('move, force_logical', move_of($account, 'force_logical'), 1);
}

# --- the load

my @clients = (ModseqTest::CitusClient->new($accounts, $boxes));
my @problems;

sub sync_all
{
	my @nodes = nodes();

	push @problems, $_->sync($nodes[ int rand @nodes ]) foreach @_;
	return;
}

my $started = time;
my $n = 0;
my ($next, $last) = (0, 0);
start_writer($_, $n++) foreach ($coordinator, @others) x 2;
while (done() < $operations && time < $started + 60 * $minutes)
{
	if (defined $late && done() > $operations / 3)
	{
		add_node($late);
		start_writer($late, $n++) foreach 1 .. 2;
		undef $late;
		$happened{'a server is added'}++;
	}
	if (done() >= $next || time >= $last + $pause)
	{
		eval { random_event(); 1 } or note("event: $@");
		($next, $last) = (done() + $stretch, time);
		push @clients, ModseqTest::CitusClient->new($accounts, $boxes) if @clients < 8;
		note(done() . ' operations after ' . (time - $started) . ' s, ' . @problems . ' divergences');
	}
	# One that syncs often, one that is from the beginning, and some in between
	sync_all($clients[0], $clients[ int rand @clients ]);
	usleep(1_000_000);
}
append_to_file($stop, '');
waitpid($_, 0) foreach keys %writer;

# --- all is quiet. What crashes have left prepared is decided first.
sql($coordinator, 'SELECT recover_prepared_transactions()');
sql($coordinator, 'CALL citus_cleanup_orphaned_resources()');
sync_all($_) foreach @clients;
is(join("\n", @problems[ 0 .. ($#problems < 20 ? $#problems : 20) ]), '', @clients . ' clients have what the servers have');
is(sql($_, "SELECT * FROM modseq.check($store)"), '', 'check at ' . $_->name) foreach nodes();
cmp_ok(done(), '>=', $operations, 'statements that have changed something');
my $answers = 0;
$answers += $_->{answers} foreach @clients;
note(done() . ' statements in ' . (time - $started) . " s; $answers answers judged, " . @problems . ' divergences');
note("$_: $happened{$_}") foreach sort keys %happened;
my %errors;
foreach my $text ((map { @{ $_->{errors} // [] } } @clients), map { -e "$_.err" ? slurp_file("$_.err") : '' } values %writer)
{
	$errors{ s/\d+/N/gr }++ foreach $text =~ /(?:ERROR|FATAL):  (.*)/g;
}
note("$errors{$_} x $_") foreach sort { $errors{$b} <=> $errors{$a} } keys %errors;

stop_citus();
done_testing();
