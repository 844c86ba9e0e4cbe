# Partitions that pg_partman looks after: it makes them ahead, moves messages out of the default
# partition, detaches or drops old ones, and undoes it all. Clients of any age get to what the server has.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;

my $boxes = 4;
my $node = new_server('partman', '');
$node->start;
if ($node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_partman'") == 0)
{
	plan skip_all => 'pg_partman is not installed';
}

# The store that load and clients know, but with partitions of 100 messages each
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION modseq;
CREATE SCHEMA partman;
CREATE EXTENSION pg_partman SCHEMA partman;
CREATE TABLE box (id bigint PRIMARY KEY, name text);
CREATE SEQUENCE mail_ids;
CREATE TABLE mail (
	id bigint PRIMARY KEY DEFAULT nextval('mail_ids'),
	box_id bigint NOT NULL REFERENCES box ON DELETE CASCADE,
	subject text,
	flags text[] NOT NULL DEFAULT '{}') PARTITION BY RANGE (id);
CREATE TABLE mail_flag (
	mail_id bigint NOT NULL REFERENCES mail ON DELETE CASCADE,
	flag text,
	PRIMARY KEY (mail_id, flag));
SELECT modseq.attach('mail', 'box', 'mail_flag', counters => 'mailbox');
INSERT INTO box SELECT i, 'box ' || i FROM generate_series(1, $boxes) AS i;
SELECT partman.create_parent('public.mail', 'id', 'native', '100', p_premake := 2, p_start_partition := '0');
SQL

my $uids = 'SELECT box_id, uid FROM mail ORDER BY 1, 2';
my $move = "CALL partman.partition_data_proc('public.mail', p_wait := 0)";
# Maintenance cannot make a partition whose messages are in the default one: they are moved first
sub maintain
{
	$node->safe_psql('postgres', $move);
	$node->safe_psql('postgres', "SELECT partman.run_maintenance('public.mail')");
	return;
}

sub rows_of
{
	return $node->safe_psql('postgres', "SELECT count(*) FROM $_[0]");
}

my $client = ModseqTest::Client->new(1 .. $boxes);
my @clients = $client;

# Messages fill the default partition, before partitions are made for them. (Maintenance keeps writers away, and
# deadlocks with those that write to several tables, as any DDL can: so they have a rest.)
foreach my $round (1 .. 4)
{
	my $load = ModseqTest::Load->start($node, $boxes);

	push @clients, $clients[0]->copy;
	$node->poll_query_until('postgres', 'SELECT count(*) > 20 FROM mail_default')
	  or die 'nothing is in the default partition';
	in_sync(\@clients, $node, "round $round, beside writers");
	$load->stop;

	my $before = $node->safe_psql('postgres', $uids);
	push @clients, $clients[0]->copy;
	maintain();
	is(rows_of('mail_default'), '0', "round $round: all messages were moved");
	is($node->safe_psql('postgres', $uids), $before, "round $round: under their UIDs");
	in_sync(\@clients, $node, "round $round");
	sound($node, "round $round");
}

# Each partition does its part: a message of each gets a flag, and its mod-sequence
$node->safe_psql('postgres', "UPDATE mail SET flags = '{last}'");
is( $node->safe_psql('postgres', <<'SQL'),
SELECT count(*) FROM mail WHERE modseq <> (SELECT highestmodseq FROM modseq.status('mail', box_id))
SQL
	'0', 'all are stamped');

# Old partitions go: detached, and dropped. Foreign keys that refer to them would not let the latter happen.
$node->safe_psql('postgres', 'ALTER TABLE mail_flag DROP CONSTRAINT mail_flag_mail_id_fkey');
my ($oldest, $older) = split(
	/\n/,
	$node->safe_psql('postgres', <<'SQL'));
SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'mail'::regclass AND inhrelid <> 'mail_default'::regclass
ORDER BY substring(inhrelid::regclass::text FROM '\d+')::int LIMIT 2
SQL
my $last = $node->safe_psql('postgres', 'SELECT max(id) FROM mail');
foreach my $retention ([ 'true', $last / 2 ], [ 'false', $last / 4 ])
{
	my ($keep, $ids) = @$retention;

	push @clients, $clients[0]->copy;
	$node->safe_psql('postgres', 'UPDATE partman.part_config SET retention = ' . int($ids)
		. ", retention_keep_table = $keep");
	my $there = rows_of('mail');
	maintain();
	cmp_ok(rows_of('mail'), '<', $there, "retention, keeping tables: $keep");
	in_sync(\@clients, $node, "retention, keeping tables: $keep");
	sound($node, "retention, keeping tables: $keep");
}
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_trigger WHERE tgrelid = '$oldest'::regclass"
		. q{ AND tgfoid::regproc::text LIKE 'modseq.%'}), '0', 'what was detached has no triggers of ours');

# All is undone, into a table that is none of the store
$node->safe_psql('postgres', 'CREATE TABLE kept (LIKE mail INCLUDING DEFAULTS)');
$node->safe_psql('postgres', <<'SQL');
CALL partman.undo_partition_proc('public.mail', p_target_table := 'public.kept', p_keep_table := false, p_wait := 0)
SQL
cmp_ok(rows_of('kept'), '>', 0, 'what is moved elsewhere');
in_sync(\@clients, $node, 'undone');
sound($node, 'undone');
is($node->safe_psql('postgres', 'SELECT sum(modseq.cardinality(modseq.live_uids(\'mail\', id))) FROM box'),
	rows_of('mail'), 'has vanished');

$node->stop;
done_testing();
