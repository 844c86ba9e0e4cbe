# pg_upgrade, between two servers of the same version: much like a dump and restore, but the members of
# the extension are recreated one by one, and the data files stay. Counters are beside the mailbox table
# in one database, in it in another, and those of an account in the third.

use strict;
use warnings FATAL => 'all';

use List::Util qw(max);
use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;

my $boxes = 4;
my $old = new_server('old');
my $new = new_server('new');
my %stores = (
	postgres => { counters => 'mail_mailbox' },
	columns => { counters => 'box', options => [ counters => 'mailbox' ] },
	accounts => { counters => 'mail_mailbox', options => [ account => '{}' ], others => [qw(mail_account mail_departed)] });

# What an upgrade has to bring along
sub contents
{
	my ($node, $dbname) = @_;

	return map { $node->safe_psql($dbname, $_) }
	  'SELECT * FROM box ORDER BY id',
	  'SELECT * FROM mail ORDER BY id',
	  'SELECT * FROM mail_flag ORDER BY mail_id, flag',
	  "SELECT * FROM $stores{$dbname}{counters} ORDER BY id",
	  'SELECT * FROM mail_vanished ORDER BY id, modseq',
	  (map { "SELECT * FROM $_ AS a ORDER BY a::text" } @{ $stores{$dbname}{others} // [] }),
	  'SELECT * FROM modseq.stores',
	  'SELECT last_value FROM modseq.uidvalidity_seq';
}

$old->start;
$old->safe_psql('postgres', "CREATE DATABASE $_") foreach qw(columns accounts);
foreach my $dbname (sort keys %stores)
{
	my $store = $stores{$dbname};

	create_store($old, $dbname, $boxes, @{ $store->{options} // [] });
	$store->{client} = ModseqTest::Client->new(1 .. $boxes);
	my $load = ModseqTest::Load->start($old, $boxes, $dbname);
	$load->work(50);
	in_sync([ $store->{client} ], $old, "$dbname: before", $dbname);
	$store->{offline} = $store->{client}->copy;
	$load->work(50);
	$load->stop;
	in_sync([ $store->{client} ], $old, "$dbname: before", $dbname);
	$old->safe_psql($dbname, "SELECT setval('modseq.uidvalidity_seq', 4000000000)");
	$store->{before} = [ contents($old, $dbname) ];
	$store->{told} = { map { $_ => highest($old, $_, $dbname) } 1 .. $boxes };
}
$old->stop;

chdir PostgreSQL::Test::Utils::tempdir or die;
command_ok(
	[
		'pg_upgrade', '--no-sync',
		'--old-datadir', $old->data_dir,
		'--new-datadir', $new->data_dir,
		'--old-bindir', $old->config_data('--bindir'),
		'--new-bindir', $new->config_data('--bindir'),
		'--socketdir', $new->host,
		'--old-port', $old->port,
		'--new-port', $new->port
	],
	'pg_upgrade');
$new->start;

foreach my $dbname (sort keys %stores)
{
	my $store = $stores{$dbname};

	is_deeply([ contents($new, $dbname) ], $store->{before}, "$dbname: all is as it was");
	sound($new, "$dbname: upgraded", $dbname);
	in_sync([ $store->{client}, $store->{offline}->copy ], $new, "$dbname: upgraded", $dbname);

	$new->safe_psql($dbname, <<'SQL');
INSERT INTO mail (box_id, subject) SELECT b, 'new' FROM generate_series(1, 4) AS b;
DELETE FROM mail WHERE id IN (SELECT min(id) FROM mail GROUP BY box_id)
SQL
	# It is another cluster, and so another incarnation
	my $jump = $new->safe_psql($dbname, 'SELECT max(modseq) FROM modseq.incarnation');

	cmp_ok($jump, '>', max(values %{ $store->{told} }), "$dbname: it counts from a higher number on");
	is(highest($new, $_, $dbname) - $jump, 2, "$dbname: next change of mailbox $_ is higher")
	  foreach 1 .. $boxes;
	is($new->safe_psql($dbname, 'SELECT modseq.next_uidvalidity()'),
		4000000001, "$dbname: UIDVALIDITY still rises");
	in_sync([ $store->{client}, $store->{offline} ], $new, "$dbname: afterwards", $dbname);
}

$new->stop;
done_testing();
