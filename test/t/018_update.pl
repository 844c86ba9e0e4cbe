# ALTER EXTENSION UPDATE from each older version. Afterwards the catalogs have what CREATE EXTENSION makes of this version;
# and stores of the oldest one, with mail, go on, so that no client notices. Before it, they do too, with the library of
# this version: between the installation of the files and the update they must.
#
# Scripts of older versions are not installed. They are put where only the servers of this test find them.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;

my @older = sort map { m{/modseq--([\d.]+)\.sql$} } glob 'sql/update/modseq--*.sql';
my $dir = PostgreSQL::Test::Utils::tempdir;
my $node = new_server('update', scripts_of(@older));

$node->start;

# Where the extension is, with the scripts of older versions beside: the setting that a server finds it by
sub scripts_of
{
	my %setting = map { /^(\w+)=(.*)/ } split /\n/, $ENV{MODSEQ_SETTINGS} // '';
	my ($name, $value, $extensions);

	if (my $path = $setting{extension_control_path})
	{
		my ($sharedir) = split /:/, $path;
		($name, $value, $extensions) = (extension_control_path => "$dir:\$system", "$dir/extension");
		system_or_bail('cp', '-R', "$sharedir/extension", $extensions);
	}
	elsif (my $dest = $setting{extension_destdir})
	{
		chomp(my $sharedir = `pg_config --sharedir`);
		($name, $value, $extensions) = (extension_destdir => "$dir/dest", "$dir/dest$sharedir/extension");
		system_or_bail('cp', '-R', $dest, "$dir/dest");
	}
	else
	{
		plan skip_all => 'the extension is installed where scripts cannot be added';
	}
	system_or_bail('cp', "sql/update/modseq--$_.sql", $extensions) foreach @_;
	return "$name = '$value'";
}

# Lines of the first that the second does not have
sub only_in
{
	my ($lines, $others) = @_;
	my %others = map { $_ => 1 } split /\n/, $others;

	return join "\n", grep { !$others{$_} } split /\n/, $lines;
}

#
# The catalogs
#

my $catalog = slurp_file('test/t/catalog.sql');

$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', 'CREATE EXTENSION modseq');
my $fresh = $node->safe_psql('fresh', $catalog);
my ($version) = $fresh =~ /^the extension, itself: ([\d.]+)/m;

unlike($fresh, qr/of a kind that nobody looks at/, 'all kinds of members are compared');
cmp_ok(scalar(split /\n/, $fresh), '>', 1000, 'and there is something to compare');
foreach my $older (@older)
{
	$node->safe_psql('postgres', 'DROP DATABASE IF EXISTS updated');
	$node->safe_psql('postgres', 'CREATE DATABASE updated');
	$node->safe_psql('updated', "CREATE EXTENSION modseq VERSION '$older'");
	$node->safe_psql('updated', 'ALTER EXTENSION modseq UPDATE');
	my $updated = $node->safe_psql('updated', $catalog);

	is(only_in($updated, $fresh), '', "$older, updated, has nothing that $version does not have");
	is(only_in($fresh, $updated), '', "and all that $version has");
}

#
# Stores
#

my $boxes = 4;
my $jump = '(SELECT max(modseq) FROM modseq.incarnation)';
my %stores = (
	beside => {},
	columns => { options => { counters => 'mailbox', changes => 'log' } },
	accounts => { options => { account => '{}', notify => 'true' } });

# Partitions, soft delete, and no flag table
my $partitioned = <<'SQL';
CREATE SCHEMA parts;
CREATE TABLE parts.box (id int PRIMARY KEY);
CREATE TABLE parts.mail (id int, box_id int NOT NULL REFERENCES parts.box, seen boolean NOT NULL DEFAULT false, deleted_at timestamptz,
	PRIMARY KEY (box_id, id)) PARTITION BY LIST (box_id);
CREATE TABLE parts.mail_1 PARTITION OF parts.mail FOR VALUES IN (1);
CREATE TABLE parts.mail_2 PARTITION OF parts.mail FOR VALUES IN (2);
INSERT INTO parts.box VALUES (1), (2), (3);
SELECT modseq.attach('parts.mail', 'parts.box', message_expunged => 'deleted_at');
INSERT INTO parts.mail SELECT i, 1 + i % 2 FROM generate_series(1, 20) AS i;
SQL
my $change_partitions = <<'SQL';
UPDATE parts.mail SET seen = NOT seen WHERE id % 5 = 0;
UPDATE parts.mail SET deleted_at = now() WHERE id IN (SELECT min(id) FROM parts.mail WHERE deleted_at IS NULL GROUP BY box_id);
SELECT string_agg(concat_ws(' ', b, s.uidnext, s.highestmodseq, modseq.vanished_since('parts.mail', b, 0),
		(SELECT string_agg(concat_ws(' ', c.uid, c.modseq), ',') FROM modseq.changed_since('parts.mail', b, 0) AS c)), E'\n')
FROM generate_series(1, 2) AS b, modseq.status('parts.mail', b) AS s;
SQL

# What the tables have that stays, and what clients are told by
sub contents
{
	my ($dbname) = @_;
	my $tables = $node->safe_psql($dbname,
		"SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1");

	return join "\n", map { $node->safe_psql($dbname, $_) }
	  (map { "SELECT * FROM $_ AS t ORDER BY t::text" } split /\n/, $tables),
	  "SELECT modseq.digest('mail', id), modseq.live_uids('mail', id) FROM box ORDER BY id",
	  'SELECT * FROM modseq.incarnation',
	  'SELECT last_value FROM modseq.uidvalidity_seq';
}

# Each kind of write to the store, which the client of its database has then to be told of
sub goes_on
{
	my ($dbname, $when, $with_load) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $store = $stores{$dbname};
	my $before = highest($node, 1, $dbname);

	if ($with_load)
	{
		my $load = ModseqTest::Load->start($node, $boxes, $dbname);
		$load->work(20);
		$load->stop;
	}
	$node->safe_psql($dbname, <<'SQL');
INSERT INTO mail (box_id, subject) SELECT b, 'new' FROM generate_series(1, 4) AS b, generate_series(1, 3);
INSERT INTO mail_flag SELECT max(id), 'late' FROM mail GROUP BY box_id;
DELETE FROM mail WHERE id IN (SELECT min(id) FROM mail GROUP BY box_id);
SELECT modseq.compact('mail', '0');
SQL
	cmp_ok(highest($node, 1, $dbname), '>', $before, "$dbname, $when: it counts on");
	is($node->safe_psql($dbname, "SELECT $jump < 1000"), 't', "$dbname, $when: in the same incarnation");
	is($node->safe_psql($dbname, "SELECT * FROM modseq.check('mail')"), '', "$dbname, $when: modseq.check finds nothing");
	in_sync([ $store->{client} ], $node, "$dbname, $when", $dbname);
	return;
}

sub email_changes
{
	my ($state) = @_;

	return $node->safe_psql('accounts', <<"SQL");
SELECT verdict, cardinality(created), cardinality(destroyed) FROM modseq.email_changes('mail', NULL::text[], '$state')
SQL
}

foreach my $dbname (sort keys %stores)
{
	my $store = $stores{$dbname};

	$node->safe_psql('postgres', "CREATE DATABASE $dbname");
	$node->safe_psql($dbname, "CREATE EXTENSION modseq VERSION '$older[0]'");
	create_store($node, $dbname, $boxes, %{ $store->{options} // {} });
	$store->{client} = ModseqTest::Client->new(1 .. $boxes);
	goes_on($dbname, $older[0], 'with load');
	$store->{offline} = $store->{client}->copy;
	$node->safe_psql($dbname, "INSERT INTO mail (box_id) VALUES (1); SELECT modseq.attach('mail')");
	goes_on($dbname, "$older[0], attached again");
	$store->{before} = contents($dbname);
}
my $state = $node->safe_psql('accounts', "SELECT email FROM modseq.account_state('mail', NULL::text[])");
$node->safe_psql('accounts', "INSERT INTO mail (box_id) VALUES (1), (2)");
my $told = email_changes($state);
is($told, 'ok|2|0', 'accounts: changes of two messages');
$stores{accounts}{before} = contents('accounts');

$node->safe_psql('beside', $partitioned);
my $parts = $node->safe_psql('beside', $change_partitions);

# A session that has used the store, and a transaction that is in the middle of something
my $session = session($node, 'session', 'beside');
$session->set_query_timer_restart() if $session->can('set_query_timer_restart');	# it lives as long as the test
$session->query_safe("INSERT INTO mail (box_id, subject) VALUES (1, 'before')");
$stores{beside}{before} = contents('beside');
$session->query_safe("BEGIN; INSERT INTO mail (box_id, subject) VALUES (2, 'under way')");

foreach my $dbname (sort keys %stores)
{
	my $store = $stores{$dbname};

	$node->safe_psql($dbname, 'CREATE VIEW depends AS SELECT s.*, modseq.cardinality(uids)
		FROM modseq.stores s, modseq.live_uids(s.message, 1::bigint) AS uids') if $dbname ne 'beside';
	$node->safe_psql($dbname, 'ALTER EXTENSION modseq UPDATE');
	is($node->safe_psql($dbname, "SELECT extversion FROM pg_extension WHERE extname = 'modseq'"), $version, "$dbname: updated");
	is(contents($dbname), $store->{before}, "$dbname: all is as it was");
	if ($dbname eq 'beside')
	{
		$session->query_safe('COMMIT');
		$session->query_safe("INSERT INTO mail (box_id, subject) VALUES (1, 'after')");
		$session->quit;
	}
	in_sync([ $store->{client}, $store->{offline}->copy ], $node, "$dbname: updated", $dbname);
	goes_on($dbname, $version, 'with load');
	in_sync([ $store->{offline} ], $node, "$dbname, $version: after its changes", $dbname);
}

like(email_changes($state), qr/^ok\|/, 'accounts: a state of before is known');

isnt($node->safe_psql('beside', $change_partitions), $parts, 'partitions: they change');
is($node->safe_psql('beside', <<'SQL'), '3|1', 'partitions: a new one is known');
CREATE TABLE parts.mail_3 PARTITION OF parts.mail FOR VALUES IN (3);
INSERT INTO parts.mail VALUES (3, 3) RETURNING id, uid;
SELECT modseq.check('parts.mail');
SQL

# What only this version does begins with attach()
foreach my $dbname (sort keys %stores)
{
	$node->safe_psql($dbname, "SELECT modseq.attach('mail')");
	goes_on($dbname, "$version, attached again");
	$node->safe_psql($dbname, "SELECT modseq.detach('mail', remove => true)");
}

$node->stop;
done_testing();
