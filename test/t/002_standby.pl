# A streaming standby: the reading functions answer there, also while it replays load, and the ordering
# promise holds: a client that only asks the standby misses nothing. One that comes from the primary may
# know more than a standby that lags; it is told so, and keeps what it has. Writing fails clearly. After promotion, planned or
# not, numbers go on above what was told.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;

my $boxes = 4;
my $primary = new_server('primary', <<'CONF', allows_streaming => 1);
max_prepared_transactions = 10
hot_standby_feedback = on
max_standby_streaming_delay = -1
CONF

$primary->start;
create_store($primary, 'postgres', $boxes);
$primary->safe_psql('postgres', <<'SQL');
INSERT INTO mail (box_id, subject) SELECT b, 'old' FROM generate_series(1, 4) AS b, generate_series(1, 10);
DELETE FROM mail WHERE uid = 3
SQL

# A standby of some node, up and streaming
sub new_standby
{
	my ($node, $name) = @_;
	my $standby = PostgreSQL::Test::Cluster->new($name);

	$node->backup($name);
	$standby->init_from_backup($node, $name, has_streaming => 1);
	$standby->start;
	$node->wait_for_catchup($standby);
	return $standby;
}
my $standby = new_standby($primary, 'standby');

# Lists of numbers, whatever their order
sub in_order
{
	return join '|', map { join ',', sort { $a <=> $b } /\d+/g } @_;
}

#
# The reading functions
#

my $status = "SELECT * FROM modseq.status('mail', ARRAY[1, 2, 3, 4])";
is( $standby->safe_psql('postgres', $status),
	$primary->safe_psql('postgres', $status), 'status');
is($standby->safe_psql('postgres',
		"SELECT uid FROM modseq.changed_since('mail', 1, 0, '1:4')"),
	"1\n2\n4", 'changed_since');
is($standby->safe_psql('postgres', "SELECT modseq.vanished_since('mail', 1, 0)"),
	'3', 'vanished_since');
is($standby->safe_psql('postgres', <<'SQL'), '2|3|5:6', 'resync, with seq-match data');
SELECT r.uidnext - 9, vanished, changed
FROM mail_mailbox, modseq.resync('mail', id, uidvalidity, 1, '3,5:6', '1', '1') AS r WHERE id = 1
SQL
sound($standby, 'standby');

# What changed in accounts, on both in turn: a walk that one server begins, the other goes on with
$primary->safe_psql('postgres', <<'SQL');
CREATE TABLE folder (id bigint PRIMARY KEY, owner text NOT NULL);
CREATE TABLE letter (id bigint PRIMARY KEY, folder_id bigint NOT NULL REFERENCES folder ON DELETE CASCADE, seen boolean);
SELECT modseq.attach('letter', 'folder', account => '{owner}');
INSERT INTO folder VALUES (1, 'a'), (2, 'a');
INSERT INTO letter SELECT i, 1 + i % 2 FROM generate_series(1, 20) AS i;
SQL
my %state;
$state{$_} = $primary->safe_psql('postgres', "SELECT $_ FROM modseq.account_state('letter', 'a')")
	foreach 'email', 'mailbox';
$primary->safe_psql('postgres', <<'SQL');
INSERT INTO letter VALUES (21, 1), (22, 2);
UPDATE letter SET seen = true WHERE id IN (3, 5);
UPDATE letter SET folder_id = 2 WHERE id = 7;
DELETE FROM letter WHERE id IN (8, 9);
INSERT INTO folder VALUES (3, 'a');
DELETE FROM folder WHERE id = 1;
SQL
foreach my $kind ('email', 'mailbox')
{
	my $changes = "created, updated, destroyed FROM modseq.${kind}_changes('letter', 'a', '%s'%s)";
	my $whole = sprintf "SELECT $changes", $state{$kind}, '';
	my @told = ('') x 3;
	my ($turn, $more) = (0, 't');

	$primary->wait_for_catchup($standby);
	is($standby->safe_psql('postgres', $whole), $primary->safe_psql('postgres', $whole), "standby: ${kind}_changes");
	while ($more eq 't')
	{
		my $page = sprintf "SELECT has_more, new_state, $changes", $state{$kind}, ', 2';
		my $server = $turn++ % 2 ? $primary : $standby;
		my @ids;

		($more, $state{$kind}, @ids) = split /\|/, $server->safe_psql('postgres', $page);
		$told[$_] .= $ids[$_] foreach 0 .. 2;
	}
	my @wanted = split /\|/, $primary->safe_psql('postgres', $whole);
	is(in_order(@told), in_order(@wanted), "primary and standby in turn: ${kind}_changes");
	is($state{$kind}, $standby->safe_psql('postgres', "SELECT $kind FROM modseq.account_state('letter', 'a')"),
		"primary and standby in turn: ${kind}_changes ends at the present state");
}

#
# Writing
#

foreach my $sql (
	"SELECT FROM modseq.lock('mail', 1)",
	"SELECT FROM modseq.lock('mail', ARRAY[1, 2])",
	"SELECT FROM modseq.account_lock('letter', 'a')",
	"SELECT modseq.touch('mail', 1)",
	"SELECT FROM modseq.unchanged_since('mail', 1, '1', 1)",
	"SELECT modseq.next_uidvalidity()",
	"SELECT modseq.reset_uidvalidity('mail', 1)",
	"SELECT modseq.attach('mail', 'box', 'mail_flag')",
	"SELECT modseq.detach('mail')",
	"INSERT INTO mail (box_id) VALUES (1)",
	"UPDATE mail SET flags = '{x}'",
	"DELETE FROM mail",
	"TRUNCATE mail CASCADE",
	"INSERT INTO mail_flag SELECT id, 'x' FROM mail")
{
	is(sqlstate($standby, $sql), '25006', "standby: $sql");
	is(sqlstate($primary, "BEGIN READ ONLY; $sql"),
		'25006', "read-only transaction: $sql");
}

#
# During load
#

my $live = ModseqTest::Client->new(1 .. $boxes);
my $never_synced = $live->copy;
my $at_primary = $live->copy;
my @clients;

in_sync([ $live, $at_primary ], $standby, 'before load');
my $load = ModseqTest::Load->start($primary, $boxes);
foreach my $round (1 .. 3)
{
	my $session = session($standby, 'live');

	push @clients, $live->copy;
	foreach my $step (1 .. 15)
	{
		$load->work(10);
		in_sync([$live], $session, "during load, round $round, step $step");
	}

	# Two answers in one transaction are from one snapshot
	$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
	my $then = $session->query_safe($status);
	$load->work(5);
	my $copy = $live->copy;
	in_sync([$copy], $session, "during load, round $round, in one snapshot");
	is($session->query_safe($status),
		$then, "during load, round $round: status is of that snapshot");
	hang_up($session);
	in_sync(\@clients, $standby, "during load, round $round");
	$standby->stop('immediate') if $round == 1;
	$standby->stop('fast') if $round == 2;
	$standby->start if $round < 3;
}
$load->stop;
$primary->wait_for_catchup($standby);
is( $standby->safe_psql('postgres', $status),
	$primary->safe_psql('postgres', $status),
	'after load: the standby has what the primary has');
sound($standby, 'after load');
my $digests = "SELECT b.id, d.* FROM box b, modseq.digest('mail', b.id) d ORDER BY b.id";
my $digests_then = $primary->safe_psql('postgres', $digests);
is($standby->safe_psql('postgres', $digests), $digests_then, 'after load: digests');
in_sync([ $live, @clients, $never_synced->copy ], $standby, 'after load');
is($live->told('unknown_modseq'),
	0, 'who only asks the standby never knows too much');

#
# A standby that lags
#

$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$standby->poll_query_until('postgres',
	"SELECT pg_get_wal_replay_pause_state() = 'paused'")
  or die 'replay is not paused';
$primary->safe_psql('postgres', <<'SQL');
INSERT INTO mail (box_id, subject) VALUES (1, 'new'), (1, 'new');
UPDATE mail SET flags = '{lag}' WHERE box_id = 1;
DELETE FROM mail WHERE box_id = 1 AND uid % 2 = 0
SQL
in_sync([$at_primary], $primary, 'at the primary');
is($at_primary->told('unknown_modseq'), 0, 'the primary knows it all');

$at_primary->{may_be_ahead} = 1;
in_sync([ $live, $at_primary ], $standby, 'at a standby that lags');
is($at_primary->told('behind'), 1, 'who knows more of one mailbox than the standby is told so');
is($live->told('behind'), 0, 'who does not is not');

is($standby->safe_psql('postgres', $digests), $digests_then, 'at a standby that lags, digests are of what it has');
is(join(',', map { s/\|.*//r } grep { $digests_then !~ /^\Q$_\E$/m } split /\n/, $primary->safe_psql('postgres', $digests)),
	'1', 'and differ for the mailbox that has changed');

$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $digests), $primary->safe_psql('postgres', $digests),
	'at a standby that has caught up: digests');
in_sync([ $live, $at_primary ], $standby, 'at a standby that has caught up');
is($at_primary->told('behind'), 1, 'who kept what it had goes on from there');

#
# Failover: the primary is lost in mid-load. With synchronous replication what a client of the primary
# saw is on the standby, and it can go on there.
#

$at_primary->{may_be_ahead} = 0;
$primary->safe_psql('postgres', <<'SQL');
BEGIN;
INSERT INTO mail (box_id, subject) VALUES (4, 'prepared');
DELETE FROM mail WHERE box_id = 4 AND uid = (SELECT max(uid) - 1 FROM mail WHERE box_id = 4);
PREPARE TRANSACTION 'over';
SQL
$primary->append_conf('postgresql.conf', "synchronous_standby_names = '*'");
$primary->reload;
$primary->poll_query_until('postgres',
	"SELECT sync_state = 'sync' FROM pg_stat_replication")
  or die 'replication is not synchronous';

# The prepared transaction has locked one mailbox
$load = ModseqTest::Load->start($primary, $boxes - 1);
foreach my $step (1 .. 5)
{
	$load->work(20);
	in_sync([$at_primary], $primary, "synchronous, step $step");
	in_sync([$live], $standby, "synchronous, step $step");
}

# These commits will never be known to the standby, so nobody sees them
$standby->stop('immediate');
wait_until_waits($primary, 'load', 'SyncRep');
in_sync([$at_primary], $primary, 'synchronous, at last');
$primary->stop('immediate');
$load->lose;
my $at_primary_before = $at_primary->copy;
my $live_before = $live->copy;

$standby->start;
$standby->promote;
sound($standby, 'promoted');
in_sync([ $live, $at_primary ], $standby, 'promoted');
is( $live->told('unknown_modseq') + $at_primary->told('unknown_modseq'),
	0, 'promoted: nothing told was lost');

is( sqlstate($standby,
		"SET lock_timeout = '10ms'; UPDATE mail SET flags = '{x}' WHERE box_id = 4"),
	'55P03', 'promoted: the prepared transaction has its lock');
$standby->safe_psql('postgres', "COMMIT PREPARED 'over'");
in_sync([$live], $standby, 'promoted: COMMIT PREPARED');

foreach my $box (1 .. $boxes)
{
	my $told = $live->{boxes}{$box}{modseq};

	$standby->safe_psql('postgres',
		"INSERT INTO mail (box_id, subject) VALUES ($box, 'promoted')");
	cmp_ok(highest($standby, $box), '>', $told,
		"promoted: next change of mailbox $box is higher");
}
$standby->append_conf('postgresql.conf', "synchronous_standby_names = ''");
$standby->reload;
$load = ModseqTest::Load->start($standby, $boxes);
$load->work(100);
in_sync([$live], $standby, 'promoted: during load');
$load->stop;
sound($standby, 'promoted, after load');
in_sync([ $live, $at_primary_before, $live_before, @clients, $never_synced ],
	$standby, 'promoted, after load');

#
# Switchover: the primary is stopped, and a standby of it has it all
#

my $next = new_standby($standby, 'next');
$standby->safe_psql('postgres', "UPDATE mail SET flags = '{switch}'");
in_sync([$live], $standby, 'switchover: before');
$standby->stop('fast');
$next->promote;
my $told = $live->{boxes}{1}{modseq};
in_sync([ $live, $live_before ], $next, 'switchover');
$next->safe_psql('postgres', "DELETE FROM mail WHERE box_id = 1");
cmp_ok(highest($next, 1), '>', $told, 'switchover: next change is higher');
in_sync([ $live, $live_before ], $next, 'switchover: afterwards');
sound($next, 'switchover');

$next->stop;
done_testing();
