# Crashes: of a backend (kill -9) and of the whole server (immediate shutdown), at chosen moments of a
# transaction's life and in the middle of load; and prepared transactions, which outlive them.
#
# Afterwards the numbers are sound, what was committed is there and nothing else, and every client gets
# from wherever it was to what the server has. In particular no client is told 'unknown_modseq': what it
# has seen before the crash is not lost, nor given out again.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;

my $boxes = 6;
my $node = new_server('crash', <<'CONF', allows_streaming => 1);
restart_after_crash = on
max_prepared_transactions = 10
# For a commit that waits: see begin_all
synchronous_standby_names = 'nobody'
synchronous_commit = local
CONF

$node->start;
create_store($node, 'postgres', $boxes);

# A commit waits here, before its record is written, while somebody holds the advisory lock
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION wait_in_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock_shared(7162);
	RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER wait_in_commit AFTER INSERT ON mail
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.subject = 'wait in commit')
EXECUTE FUNCTION wait_in_commit();
INSERT INTO mail (box_id, subject) SELECT b, 'old' FROM generate_series(1, 6) AS b, generate_series(1, 10);
INSERT INTO mail_flag SELECT id, 'old' FROM mail WHERE uid = 2;
SQL

#
# The crashes, which return when the server is up again
#

sub kill_backend
{
	my ($which) = @_;
	my $pid = $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE $which LIMIT 1");
	my $log = -s $node->logfile;

	die "no such backend: $which" unless $pid;
	kill 'KILL', $pid;
	$node->wait_for_log(
		qr/all server processes terminated; reinitializing/, $log);
	wait_until_ready($node);
	return;
}

sub crash_server
{
	$node->stop('immediate');
	$node->start;
	return;
}

#
# At chosen moments
#

# Sessions that have come to where they shall be hit, each in a mailbox of its own
sub begin_all
{
	my %s = map { $_ => session($node, $_) }
	  qw(holder statement transaction before_record after_record);

	# In the middle of a statement: messages are written, their mailbox is not
	$s{holder}->query_safe(
		"BEGIN; SELECT pg_advisory_lock(7162); SELECT FROM modseq.lock('mail', 1)");
	send_off($s{statement}, <<'SQL');
WITH gone AS (DELETE FROM mail WHERE box_id = 1 AND uid % 2 = 0)
UPDATE mail SET flags = '{statement}' WHERE box_id = 1 AND uid % 2 = 1
SQL
	wait_until_waits($node, 'statement', 'transactionid');

	# In the middle of a transaction
	$s{transaction}->query_safe(<<'SQL');
BEGIN;
INSERT INTO mail (box_id, subject) SELECT 2, 'lost' FROM generate_series(1, 100);
DELETE FROM mail WHERE box_id = 2 AND uid <= 5;
SAVEPOINT a;
UPDATE mail SET box_id = 3 WHERE box_id = 2 AND uid = 6
SQL

	# In the middle of COMMIT: its record is not written yet
	send_off($s{before_record}, <<'SQL');
BEGIN;
INSERT INTO mail (box_id, subject) VALUES (4, 'wait in commit');
DELETE FROM mail WHERE box_id = 4 AND uid <= 5;
COMMIT
SQL
	wait_until_waits($node, 'before_record', 'advisory');

	# In the middle of COMMIT: the record is on disk, but nobody sees the transaction yet
	send_off($s{after_record}, <<'SQL');
SET synchronous_commit = on;
BEGIN;
INSERT INTO mail (box_id, subject) VALUES (5, 'kept');
INSERT INTO mail_flag SELECT id, 'kept ' || modseq FROM mail WHERE box_id = 5 AND uid % 2 = 0;
DELETE FROM mail WHERE box_id = 5 AND uid = (SELECT min(uid) FROM mail WHERE box_id = 5);
COMMIT
SQL
	wait_until_waits($node, 'after_record', 'SyncRep');
	return values %s;
}

my $mailboxes = 'SELECT id, uidnext, highestmodseq FROM mail_mailbox ORDER BY id';

foreach my $crash (
	[ 'kill -9 in a statement', \&kill_backend, "application_name = 'statement'" ],
	[ 'kill -9 in a commit', \&kill_backend, "application_name = 'after_record'" ],
	[ 'immediate shutdown', \&crash_server ])
{
	my ($what, $how, @arguments) = @$crash;
	my $client = ModseqTest::Client->new(1 .. $boxes);
	my $never_synced = $client->copy;
	in_sync([$client], $node, "$what: before");
	my %modseq = map { $_ => highest($node, $_) } 1 .. $boxes;

	my @sessions = begin_all();

	# The client has just been told of this when the server is hit
	$node->safe_psql('postgres', "INSERT INTO mail (box_id, subject) VALUES (6, 'told')");
	my $offline = $client->copy;
	in_sync([$client], $node, "$what: meanwhile");
	my $before = $node->safe_psql('postgres', $mailboxes);

	$how->(@arguments);
	hang_up(@sessions);

	sound($node, $what);
	my @before = split(/\n/, $before);
	my @after = split(/\n/, $node->safe_psql('postgres', $mailboxes));
	is("@after[0 .. 3, 5]", "@before[0 .. 3, 5]",
		"$what: what was not committed has left no trace");
	my (undef, $uidnext, $highestmodseq) = split(/\|/, $before[4]);
	is($after[4], join('|', 5, $uidnext + 1, $highestmodseq + 3),
		"$what: what was committed is there");
	is( $node->safe_psql('postgres',
			"SELECT count(*) FROM mail WHERE subject IN ('lost', 'wait in commit') OR flags = '{statement}'"),
		0, "$what: no rows of what was not committed");
	in_sync([ $client, $offline, $never_synced ], $node, $what);

	# What the lost transactions would have got, others get now
	$node->safe_psql('postgres', <<'SQL');
INSERT INTO mail (box_id, subject) SELECT b, 'new' FROM generate_series(1, 6) AS b;
UPDATE mail SET flags = ARRAY['x' || id] WHERE uid % 3 = 0;
DELETE FROM mail WHERE uid = 7
SQL
	foreach my $box (1 .. $boxes)
	{
		cmp_ok(highest($node, $box), '>', $modseq{$box},
			"$what: next change of mailbox $box is higher");
	}
	in_sync([ $client, $offline, $never_synced ], $node, "$what: afterwards");
	is($client->told('unknown_modseq'), 0, "$what: nothing told was lost");
}

#
# In the middle of load
#

my $live = ModseqTest::Client->new(1 .. $boxes);
my @clients;

in_sync([$live], $node, 'before load');
foreach my $round (1 .. 4)
{
	my $what =
	  "load, round $round, " . ($round % 2 ? 'kill -9' : 'immediate shutdown');
	my $load = ModseqTest::Load->start($node, $boxes);
	my $session = session($node, 'live');

	foreach my $step (1 .. 3)
	{
		$load->work(40);
		in_sync([$live], $session, "$what, step $step");
	}
	push @clients, $live->copy;
	in_sync(\@clients, $node, "$what: meanwhile");
	$clients[-1] = $live->copy;

	# It syncs as late as can be before the crash
	$load->work(10);
	in_sync([$live], $session, "$what: at last");
	if ($round % 2)
	{
		kill_backend("application_name = 'load' ORDER BY (state = 'active') DESC, random()");
	}
	else
	{
		crash_server();
	}
	$load->lose;
	hang_up($session);

	sound($node, $what);
	in_sync([$live], $node, $what);
	is($live->told('unknown_modseq'), 0, "$what: nothing told was lost");
}
my $load = ModseqTest::Load->start($node, $boxes);
$load->work(100);
$load->stop;
sound($node, 'after load');
in_sync([ $live, @clients, ModseqTest::Client->new(1 .. $boxes) ],
	$node, 'after load');

#
# Prepared transactions keep the mailbox lock, over restarts of any kind
#

my $mailbox_1 = "SELECT uidnext, highestmodseq FROM modseq.status('mail', 1)";
my $mailbox_2 = "SELECT uidnext, highestmodseq FROM modseq.status('mail', 2)";

# As the sole statement of that kind, each fails on the lock that the prepared transaction has
sub locked
{
	my ($box, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	foreach my $sql (
		"SELECT FROM modseq.lock('mail', $box)",
		"SELECT FROM modseq.unchanged_since('mail', $box, '1', 1)",
		"SELECT modseq.touch('mail', $box)",
		"INSERT INTO mail (box_id) VALUES ($box)",
		"UPDATE mail SET flags = '{locked}' WHERE box_id = $box",
		"DELETE FROM mail WHERE box_id = $box")
	{
		is(sqlstate($node, "SET lock_timeout = '10ms'; $sql"),
			'55P03', "$what: mailbox $box is locked for: $sql");
	}
	return;
}

my ($uidnext, $modseq) = split(/\|/, $node->safe_psql('postgres', $mailbox_1));
my $status_2 = $node->safe_psql('postgres', $mailbox_2);
my $last = $uidnext - 1;

$node->safe_psql('postgres', <<"SQL");
INSERT INTO mail (box_id, subject) VALUES (1, 'old'), (1, 'old');
BEGIN;
INSERT INTO mail (box_id, subject) VALUES (1, 'prepared'), (1, 'prepared');
UPDATE mail SET flags = '{prepared}' WHERE box_id = 1 AND uid = $uidnext;
DELETE FROM mail WHERE box_id = 1 AND uid = $uidnext + 1;
PREPARE TRANSACTION 'change';
BEGIN;
SELECT FROM modseq.lock('mail', 2);
PREPARE TRANSACTION 'lock';
-- as a foreign key does it: the row has two lockers then
BEGIN;
SELECT FROM box WHERE id = 2 FOR KEY SHARE;
PREPARE TRANSACTION 'share';
SQL
$live = ModseqTest::Client->new(1 .. $boxes);
in_sync([$live], $node, 'prepared');
my $told = $node->safe_psql('postgres', $mailbox_1);

foreach my $restart ('none', 'immediate', 'fast', 'kill -9')
{
	if ($restart eq 'kill -9')
	{
		my $victim = session($node, 'victim');
		kill_backend("application_name = 'victim'");
		hang_up($victim);
	}
	elsif ($restart ne 'none')
	{
		$node->restart if $restart eq 'fast';
		crash_server() if $restart eq 'immediate';
	}
	my $what = "prepared, restart: $restart";
	locked(1, $what);
	locked(2, $what);
	is(sqlstate($node, "INSERT INTO mail (box_id) VALUES (3)"),
		'', "$what: mailbox 3 is not locked");
	is($node->safe_psql('postgres', $mailbox_1),
		$told, "$what: readers see nothing of it");
	sound($node, $what);
	in_sync([$live], $node, $what);
}

my $offline = $live->copy;
$node->safe_psql('postgres', "COMMIT PREPARED 'change'");
is( $node->safe_psql('postgres', $mailbox_1),
	($uidnext + 4) . '|' . ($modseq + 4),
	'COMMIT PREPARED: counters are as the transaction left them');
is( $node->safe_psql('postgres', "SELECT changed FROM modseq.resync('mail', 1, (SELECT uidvalidity FROM mail_mailbox WHERE id = 1), $modseq + 1)"),
	"$uidnext," . ($uidnext + 2) . ':' . ($uidnext + 3),
	'COMMIT PREPARED: its changes are there');
locked(2, 'COMMIT PREPARED of the other');
sound($node, 'COMMIT PREPARED');
in_sync([$live], $node, 'COMMIT PREPARED');

$node->safe_psql('postgres',
	"ROLLBACK PREPARED 'lock'; COMMIT PREPARED 'share'");
is($node->safe_psql('postgres', $mailbox_2),
	$status_2, 'a prepared lock has changed nothing');

$node->safe_psql('postgres', <<"SQL");
BEGIN;
INSERT INTO mail (box_id, subject) VALUES (1, 'never'), (2, 'never');
DELETE FROM mail WHERE box_id = 1 AND uid = $uidnext;
PREPARE TRANSACTION 'never';
SQL
crash_server();
locked(1, 'prepared, to be rolled back');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'never'");
is( $node->safe_psql('postgres', $mailbox_1),
	($uidnext + 4) . '|' . ($modseq + 4),
	'ROLLBACK PREPARED: counters are as before');
$node->safe_psql('postgres',
	"INSERT INTO mail (box_id, subject) VALUES (1, 'next')");
is( $node->safe_psql('postgres', "SELECT uid, modseq FROM mail WHERE subject = 'next'"),
	($uidnext + 4) . '|' . ($modseq + 5),
	'ROLLBACK PREPARED: the next message gets the next numbers');
sound($node, 'ROLLBACK PREPARED');
in_sync([ $live, $offline ], $node, 'ROLLBACK PREPARED');

$node->stop;
done_testing();
