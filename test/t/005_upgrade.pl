# pg_upgrade, between two servers of the same version: much like a dump and restore, but the members of
# the extension are recreated one by one, and the data files stay.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;

my $boxes = 4;
my $old = new_server('old');
my $new = new_server('new');

$old->start;
create_store($old, 'postgres', $boxes);
my $client = ModseqTest::Client->new(1 .. $boxes);
my $load = ModseqTest::Load->start($old, $boxes);
$load->work(50);
in_sync([$client], $old, 'before');
my $offline = $client->copy;
$load->work(50);
$load->stop;
in_sync([$client], $old, 'before');

my @contents = (
	'SELECT * FROM box ORDER BY id',
	'SELECT * FROM mail ORDER BY id',
	'SELECT * FROM mail_flag ORDER BY mail_id, flag',
	'SELECT * FROM mail_vanished ORDER BY id, modseq',
	'SELECT * FROM modseq.stores',
	'SELECT last_value FROM modseq.uidvalidity_seq');
$old->safe_psql('postgres',
	"SELECT setval('modseq.uidvalidity_seq', 4000000000)");
my @before = map { $old->safe_psql('postgres', $_) } @contents;
my @told = map { highest($old, $_) } 1 .. $boxes;
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

is($new->safe_psql('postgres', $contents[$_]), $before[$_], $contents[$_])
  foreach 0 .. $#contents;
sound($new, 'upgraded');
in_sync([ $client, $offline->copy ], $new, 'upgraded');

$new->safe_psql('postgres', <<'SQL');
INSERT INTO mail (box_id, subject) SELECT b, 'new' FROM generate_series(1, 4) AS b;
DELETE FROM mail WHERE id IN (SELECT min(id) FROM mail GROUP BY box_id)
SQL
is(highest($new, $_), $told[ $_ - 1 ] + 2, "next change of mailbox $_ is higher")
  foreach 1 .. $boxes;
is($new->safe_psql('postgres', 'SELECT modseq.next_uidvalidity()'),
	4000000001, 'UIDVALIDITY still rises');
in_sync([ $client, $offline ], $new, 'afterwards');

$new->stop;
done_testing();
