# Logical replication of a store to a server that has modseq and the same store attached: what arrives
# there stays as it came, triggers or not, also for clients that sync there meanwhile; and after a
# switchover numbers go on above.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;

my $boxes = 4;
my $publisher = new_server('publisher', undef, allows_streaming => 'logical');
my $subscriber =
  new_server('subscriber', undef, allows_streaming => 'logical');

$publisher->start;
$subscriber->start;
create_store($publisher, 'postgres', $boxes);
create_store($subscriber, 'postgres', 0);

# What there is before the subscription is copied, and the rest is applied
$publisher->safe_psql('postgres', <<'SQL');
INSERT INTO mail (box_id, subject) SELECT b, 'old' FROM generate_series(1, 4) AS b, generate_series(1, 20);
INSERT INTO mail_flag SELECT id, 'old' FROM mail WHERE uid % 2 = 0;
DELETE FROM mail WHERE uid % 5 = 0;
CREATE PUBLICATION store FOR TABLE box, mail, mail_flag, mail_mailbox, mail_vanished, modseq.incarnation
SQL
my $live = ModseqTest::Client->new(1 .. $boxes);
in_sync([$live], $publisher, 'publisher');
my $offline = $live->copy;

my $load = ModseqTest::Load->start($publisher, $boxes);
$load->work(50);
my $connection = $publisher->connstr . ' dbname=postgres';
$subscriber->safe_psql('postgres',
	"CREATE SUBSCRIPTION store CONNECTION '$connection' PUBLICATION store");
$subscriber->wait_for_subscription_sync($publisher, 'store');

# Tables are copied one by one; only now has the subscriber something to offer
my @tables = (
	'SELECT * FROM box ORDER BY id',
	'SELECT * FROM mail ORDER BY id',
	'SELECT * FROM mail_flag ORDER BY mail_id, flag',
	'SELECT * FROM mail_mailbox ORDER BY id',
	'SELECT * FROM mail_vanished ORDER BY id, modseq',
	"SELECT b.id, d.* FROM box b, modseq.digest('mail', b.id) d ORDER BY b.id");

sub is_replicated
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	$publisher->wait_for_catchup('store');
	foreach my $table (@tables)
	{
		is( $subscriber->safe_psql('postgres', $table),
			$publisher->safe_psql('postgres', $table),
			"$what: $table");
	}
	sound($subscriber, $what);
	return;
}

# Transactions are applied whole and in their order, so a client is served there as well
my $at_subscriber = ModseqTest::Client->new(1 .. $boxes);
my $session = session($subscriber, 'live');
foreach my $step (1 .. 15)
{
	$load->work(10);
	in_sync([$at_subscriber], $session, "during load, step $step");
}
hang_up($session);
my $offline_at_subscriber = $at_subscriber->copy;
$load->work(50);
$load->stop;
is_replicated('after load');
in_sync([ $at_subscriber, $offline_at_subscriber->copy, $live, $offline->copy ],
	$subscriber, 'after load');

# What was written on one side alone, no status tells, but digests do
my $numbers = 'SELECT s.*, d.* FROM modseq.status(\'mail\', 1) s, modseq.digest(\'mail\', 1) d';
my @theirs = split /\|/, $publisher->safe_psql('postgres', $numbers);
foreach my $write (
	[ 'a flag', "UPDATE mail SET flags = flags || '{astray}' WHERE box_id = 1 AND uid = (SELECT max(uid) FROM mail WHERE box_id = 1)", 3 ],
	[ 'a flag row', "INSERT INTO mail_flag SELECT id, 'astray' FROM mail WHERE box_id = 1 ORDER BY uid LIMIT 1", 3 ],
	[ 'a message', 'DELETE FROM mail WHERE id = (SELECT max(id) FROM mail WHERE box_id = 1)', 3 ],
	[ 'what vanished', 'DELETE FROM mail_vanished WHERE id = 1 AND modseq = (SELECT min(modseq) FROM mail_vanished WHERE id = 1)', 4 ])
{
	my ($what, $sql, $differs) = @$write;
	my @ours = split /\|/, $subscriber->safe_psql('postgres',
		"BEGIN; SET LOCAL session_replication_role = replica; $sql; $numbers; ROLLBACK");

	is_deeply([ grep { $ours[$_] ne $theirs[$_] } 0 .. 4 ], [$differs], "a digest tells of $what");
}

# What load does not do
$publisher->safe_psql('postgres', <<'SQL');
INSERT INTO box (name) VALUES ('goes'), ('is renumbered'), ('gets another key');
INSERT INTO mail (box_id) SELECT b FROM generate_series(1, 3), generate_series(5, 7) AS b;
DELETE FROM mail WHERE box_id >= 5 AND uid = 2;
DELETE FROM box WHERE id = 5;
SELECT modseq.reset_uidvalidity('mail', 6);
SELECT modseq.touch('mail', 6);
BEGIN;
DELETE FROM mail WHERE box_id = 7;
UPDATE box SET id = 70 WHERE id = 7;
COMMIT
SQL
is_replicated('mailboxes that change');

# An incarnation that arrives is heard of by sessions that are there: numbers of theirs go on above it
my $own = session($subscriber, 'own');
$own->query_safe(<<'SQL');
SET client_min_messages = warning;
CREATE TABLE own_box (id bigint PRIMARY KEY);
CREATE TABLE own (id bigint PRIMARY KEY, own_box_id bigint REFERENCES own_box);
SELECT modseq.attach('own', 'own_box', message_flags => '{}');
INSERT INTO own_box VALUES (1);
INSERT INTO own VALUES (1, 1);
SQL
my $begun = $publisher->safe_psql('postgres', 'SELECT modseq.recovered(highestmodseq << 1) FROM modseq.status(\'mail\', 1)');
is_replicated('an incarnation');
$own->query_safe('INSERT INTO own VALUES (2, 1)');
cmp_ok($own->query_safe('SELECT modseq FROM own WHERE id = 2'), '>', $begun, 'an incarnation that arrives is heard of');
hang_up($own);

# Truncation
$publisher->safe_psql('postgres', 'TRUNCATE mail_flag');
is_replicated('TRUNCATE of flags');
$publisher->safe_psql('postgres', 'TRUNCATE mail CASCADE');
is_replicated('TRUNCATE of messages');
in_sync([ $at_subscriber, $offline_at_subscriber->copy, $live, $offline->copy ],
	$subscriber, 'TRUNCATE');

#
# Switchover
#

$load = ModseqTest::Load->start($publisher, $boxes);
$load->work(50);
in_sync([$live], $publisher, 'switchover: before');
$load->stop;
in_sync([$live], $publisher, 'switchover: before');
is_replicated('switchover');

# What the publisher tells after that is lost
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION store DISABLE');
$subscriber->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_subscription WHERE pid IS NOT NULL)")
  or die 'the subscription is not over';
my $ahead = $live->copy;
$ahead->{may_be_ahead} = $ahead->{may_have_lost} = 1;
$publisher->safe_psql('postgres', <<'SQL');
INSERT INTO mail (box_id, subject) SELECT b, 'lost' FROM generate_series(1, 4) AS b, generate_series(1, 3);
UPDATE mail SET flags = '{lost}' WHERE uid = (SELECT min(uid) FROM mail)
SQL
in_sync([$ahead], $publisher, 'failover: ahead');
my $lost = $publisher->safe_psql('postgres', "SELECT string_agg(format('(%s,%s)', box_id, uid), ',') FROM mail WHERE subject = 'lost'");
$publisher->stop;
$subscriber->safe_psql('postgres', <<'SQL');
ALTER SUBSCRIPTION store SET (slot_name = NONE);
DROP SUBSCRIPTION store;
-- sequences are not replicated
SELECT setval(pg_get_serial_sequence('mail', 'id'), (SELECT max(id) FROM mail)),
	setval(pg_get_serial_sequence('box', 'id'), (SELECT max(id) FROM box)),
	setval('modseq.uidvalidity_seq', (SELECT max(uidvalidity) FROM mail_mailbox));
SQL
in_sync([ $live, $at_subscriber ], $subscriber, 'switchover');

my %told = map { $_ => highest($subscriber, $_) } 1 .. $boxes;
$subscriber->safe_psql('postgres', <<'SQL');
INSERT INTO mail (box_id, subject) SELECT b, 'new' FROM generate_series(1, 4) AS b;
UPDATE mail SET flags = ARRAY['x' || id];
DELETE FROM mail WHERE uid = (SELECT min(uid) FROM mail)
SQL
foreach my $box (1 .. $boxes)
{
	cmp_ok(highest($subscriber, $box), '>=', $told{$box} + 2,
		"switchover: next change of mailbox $box is higher");
}
is( $subscriber->safe_psql('postgres',
		'SELECT modseq.next_uidvalidity() > max(uidvalidity) FROM mail_mailbox'),
	't', 'switchover: UIDVALIDITY still rises');
is($subscriber->safe_psql('postgres', "SELECT count(*) FROM mail WHERE (box_id, uid) IN ($lost)"),
	0, 'failover: what the publisher gave is given to nothing else');
in_sync([ $ahead->copy ], $subscriber, 'failover: who was ahead');
is($subscriber->safe_psql('postgres', "SELECT count(*) FROM modseq.lost('mail', 1) WHERE timeline IS NOT NULL"),
	2, 'failover: lost() tells of it, and of the incarnation that arrived');
$load = ModseqTest::Load->start($subscriber, $boxes);
$load->work(50);
in_sync([ $live, $ahead ], $subscriber, 'switchover: during load');
$load->stop;
sound($subscriber, 'switchover: afterwards');
in_sync([ $live, $offline, $at_subscriber, $offline_at_subscriber ],
	$subscriber, 'switchover: afterwards');
is($live->told('unknown_modseq'), 0, 'switchover: nothing told was lost');

$subscriber->stop;
done_testing();
