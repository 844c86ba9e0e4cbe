# Tables of a store that are written anew while others write to them: by pg_repack, which copies a table, lets a
# trigger of its own log what happens meanwhile, and swaps the files; by VACUUM FULL, and by CLUSTER. Afterwards the
# store is sound, clients of any age get to what the server has, and it goes on.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;

my $boxes = 4;
my $node = new_server('rewrite', '');
$node->start;
create_store($node, 'postgres', $boxes);

# A store of partitions, beside it
$node->safe_psql('postgres', <<'SQL');
CREATE SCHEMA part;
CREATE TABLE part.box (id int PRIMARY KEY);
CREATE TABLE part.mail (id int, box_id int NOT NULL REFERENCES part.box ON DELETE CASCADE, year int, seen boolean,
	PRIMARY KEY (id, year)) PARTITION BY RANGE (year);
CREATE TABLE part.mail_1 PARTITION OF part.mail FOR VALUES FROM (1) TO (2);
CREATE TABLE part.mail_2 PARTITION OF part.mail FOR VALUES FROM (2) TO (3);
SELECT modseq.attach('part.mail', 'part.box');
INSERT INTO part.box SELECT generate_series(1, 4);
INSERT INTO part.mail SELECT i, 1 + i % 4, 1 + i % 2 FROM generate_series(1, 100) AS i;
SQL

my $load = ModseqTest::Load->start($node, $boxes);
my @clients = map { ModseqTest::Client->new(1 .. $boxes) } 1 .. 3;
$load->work(200);
in_sync([ @clients ], $node, 'before');

# All tables of the stores, one after the other; which there are is not for us to know
my @tables = split(
	/\n/,
	$node->safe_psql('postgres', <<'SQL'));
SELECT DISTINCT t.tgrelid::regclass FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE t.tgfoid::regproc::text LIKE 'modseq.%' AND c.relkind = 'r'
UNION SELECT vanished FROM modseq.stores
ORDER BY 1
SQL
cmp_ok(scalar(@tables), '>=', 7, "the tables: @tables");

# What a table's rows are in
sub file
{
	my ($table) = @_;

	return $node->safe_psql('postgres', "SELECT pg_relation_filenode('$table')");
}

# Rewrites each table by this, while writers go on; a client goes offline before and comes back after
sub rewrite
{
	my ($how, $command) = @_;
	my $offline = $clients[0]->copy;

	foreach my $table (@tables)
	{
		my $before = file($table);

		$node->safe_psql('postgres', 'UPDATE part.mail SET seen = seen IS NOT TRUE WHERE id % 3 = 0');
		$command->($table);
		isnt(file($table), $before, "$how: $table is in another file");
		$load->work(10);
	}
	in_sync([ @clients, $offline ], $node, $how);
	return;
}

# pg_repack drops what it has made for a table while it keeps others from that table. So it can deadlock with writers of
# several tables, as any DDL can, and is to be called again then; as where the time that it gives itself to look for
# others' locks is over while it takes that limit away again, on a busy machine.
sub repack
{
	my ($table, @options) = @_;

	foreach my $try (1 .. 20)
	{
		my ($out, $err) = run_command(
			[ 'pg_repack', '--host' => $node->host, '--port' => $node->port, '--dbname' => 'postgres', '--table' => $table,
				'--wait-timeout' => 300, '--no-kill-backend', @options ]);
		return if $? == 0;
		die "pg_repack of $table: $err" if $err !~ /deadlock detected|query was: RESET statement_timeout/;
	}
	die "pg_repack of $table: it never came to an end";
}

SKIP:
{
	skip('pg_repack is not installed', 1)
	  if $node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_repack'") == 0;

	$node->safe_psql('postgres', 'CREATE EXTENSION pg_repack');
	rewrite('pg_repack', \&repack);
	repack('mail', '--order-by' => 'subject, id DESC');
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_trigger WHERE tgname = 'repack_trigger'"),
		'0', 'pg_repack leaves no trigger');
}

rewrite('VACUUM FULL', sub { $node->safe_psql('postgres', "VACUUM FULL $_[0]") });
rewrite(
	'CLUSTER',
	sub {
		my ($table) = @_;
		my $index = $node->safe_psql('postgres',
			"SELECT max(c.relname) FROM pg_index i JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = '$table'::regclass");
		$node->safe_psql('postgres', qq{CLUSTER $table USING "$index"});
	});

# Writers of part.mail, which are no load, went on, too
$load->work(200);
in_sync(\@clients, $node, 'after');
$load->stop;
in_sync(\@clients, $node, 'when all is quiet');
sound($node, 'at the end');
is($node->safe_psql('postgres', q{SELECT * FROM modseq."check"('part.mail')}), '', 'and the store of partitions');
is( $node->safe_psql('postgres', <<'SQL'),
SELECT count(*) FROM part.mail WHERE id % 3 = 0 AND modseq <> (
	SELECT highestmodseq FROM modseq.status('part.mail', box_id))
SQL
	'0', 'whose numbers went on');

$node->stop;
done_testing();
