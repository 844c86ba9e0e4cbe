# Dump and restore, in all of pg_dump's formats: what comes out is what went in, numbers included, and
# goes on from there. The triggers of a store are restored after its data, so that they leave it alone;
# where that is not so, in a restore of data alone, it is an error rather than new numbers.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;

my $boxes = 4;
my $node = new_server('dump');
my $dir = PostgreSQL::Test::Utils::tempdir;

$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE original');
create_store($node, 'original', $boxes);

# A second store, with counters in its mailbox table, with names that need quoting wherever they are written, and a
# mailbox key of two columns
$node->safe_psql('original', <<'SQL');
CREATE SCHEMA "Post & ""Söhne""";
SET search_path = "Post & ""Söhne""";
CREATE TABLE "Böxes, {a}" (
	"Acc't" text COLLATE "C", "Name\x" varchar(40), "UID Next" bigint, "High 'est'" bigint, "VALID" bigint,
	PRIMARY KEY ("Acc't", "Name\x"));
CREATE TABLE "Mäil=1" (
	"Acc't" text COLLATE "C", "Name\x" varchar(40), "U,ID" bigint, "MOD}SEQ" bigint, "cre{ated" bigint, "is ""seen""" boolean,
	FOREIGN KEY ("Acc't", "Name\x") REFERENCES "Böxes, {a}" ON UPDATE CASCADE ON DELETE CASCADE);
CREATE TABLE "Fläg NULL" (
	"Acc't" text COLLATE "C", "Name\x" varchar(40), "U,ID" bigint, "null" text, " note" text);
SELECT modseq.attach('"Mäil=1"', '"Böxes, {a}"', '"Fläg NULL"',
	mailbox_uidvalidity => 'VALID', mailbox_uidnext => 'UID Next', mailbox_highestmodseq => 'High ''est''',
	message_uid => 'U,ID', message_modseq => 'MOD}SEQ', message_created_modseq => 'cre{ated',
	message_flags => '{"is \"seen\""}',
	flag_mailbox => '{Acc''t,Name\\x}', flag_uid => 'U,ID', flag_columns => '{"null"}');
INSERT INTO "Böxes, {a}" ("Acc't", "Name\x", "VALID") VALUES ('é"\', 'In,{x}', 7), ('é"\', 'NULL', 8);
INSERT INTO "Mäil=1" SELECT 'é"\', n FROM generate_series(1, 10), unnest('{"In,{x}",NULL}'::text[]) AS u,
	coalesce(u, 'NULL') AS n;
UPDATE "Mäil=1" SET "is ""seen""" = true WHERE "U,ID" = 4;
INSERT INTO "Fläg NULL" SELECT "Acc't", "Name\x", "U,ID", 'x' FROM "Mäil=1" WHERE "U,ID" > 8;
DELETE FROM "Mäil=1" WHERE "U,ID" IN (2, 3, 10);
UPDATE "Mäil=1" SET "Name\x" = 'NULL' WHERE "Name\x" <> 'NULL' AND "U,ID" = 7;
SQL

# A third, all of it partitioned: on two levels, and with columns in another order. (What has a unique index could
# have a primary key, but then pg_restore --clean would fail, with or without modseq: "cannot drop inherited constraint".)
$node->safe_psql('original', <<'SQL');
CREATE SCHEMA part;
SET search_path = part;
CREATE TABLE box (account int, id int) PARTITION BY LIST (account);
CREATE UNIQUE INDEX ON box (account, id);
CREATE TABLE box_1 PARTITION OF box FOR VALUES IN (1);
CREATE TABLE box_2 PARTITION OF box FOR VALUES IN (2);
CREATE TABLE mail (
	id int, account int NOT NULL, box int NOT NULL, day int, seen boolean,
	FOREIGN KEY (account, box) REFERENCES box (account, id) ON DELETE CASCADE) PARTITION BY RANGE (day);
CREATE TABLE mail_new PARTITION OF mail FOR VALUES FROM (10) TO (20) PARTITION BY HASH (account);
CREATE TABLE mail_new_0 PARTITION OF mail_new FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE mail_new_1 PARTITION OF mail_new FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE flag (name text, account int, box int, uid bigint) PARTITION BY HASH (account);
CREATE TABLE flag_0 PARTITION OF flag FOR VALUES WITH (MODULUS 1, REMAINDER 0);
SELECT modseq.attach('mail', 'box', 'flag', mailbox_key => '{account,id}', flag_mailbox => '{account,box}', flag_uid => 'uid');
CREATE TABLE mail_old (seen boolean, uid bigint NOT NULL, box int NOT NULL, account int NOT NULL, day int, id int, modseq bigint NOT NULL);
INSERT INTO box VALUES (1, 1), (1, 2), (2, 1);
INSERT INTO mail_old SELECT false, 0, 1, 1, 5, i, 0 FROM generate_series(1, 5) AS i;
ALTER TABLE mail ATTACH PARTITION mail_old FOR VALUES FROM (0) TO (10);
INSERT INTO mail SELECT 10 + i, account, id, 10, false FROM generate_series(1, 5) AS i, box;
UPDATE mail_old SET seen = true WHERE id = 2;
UPDATE mail SET day = 15 WHERE id = 3;
UPDATE mail SET day = 5, box = 2 WHERE id = 11 AND account = 1;
DELETE FROM mail_new_0 WHERE id = 15;
INSERT INTO flag SELECT 'x', account, box, uid FROM mail WHERE id > 13;
SQL

# A fourth, where messages stay when their mailbox goes, which counts on when it comes back
$node->safe_psql('original', <<'SQL');
CREATE SCHEMA kept;
SET search_path = kept;
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (id int, box_id int, seen boolean);
SELECT modseq.attach('mail', 'box');
INSERT INTO box VALUES (1), (2);
INSERT INTO mail SELECT i, 1 + i % 2, false FROM generate_series(1, 6) AS i;
DELETE FROM mail WHERE id = 6;
DELETE FROM box WHERE id = 1;
SQL

# A fifth, where flags know messages by a key of two columns
$node->safe_psql('original', <<'SQL');
CREATE SCHEMA tenants;
SET search_path = tenants;
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail ("Ten,{ant}" text, id int, box_id int NOT NULL REFERENCES box, PRIMARY KEY (id, "Ten,{ant}"));
CREATE TABLE flag ("of ""whom""" text, mail_id int, flag text, FOREIGN KEY ("of ""whom""", mail_id) REFERENCES mail ("Ten,{ant}", id));
SELECT modseq.attach('mail', 'box', 'flag');
INSERT INTO box VALUES (1);
INSERT INTO mail VALUES ('a', 1, 1), ('b', 1, 1);
INSERT INTO flag VALUES ('b', 1, 'seen');
SQL

# A sixth with accounts, of two columns
$node->safe_psql('original', <<'SQL');
CREATE SCHEMA accounts;
SET search_path = accounts;
CREATE TABLE box (id int PRIMARY KEY, "Own{er}" text COLLATE "C", "re,'alm" int, name text);
CREATE TABLE mail ("E""mail" uuid PRIMARY KEY DEFAULT gen_random_uuid(), box_id int NOT NULL REFERENCES box ON DELETE CASCADE,
	"{Thread}" varchar(9), seen boolean);
INSERT INTO box VALUES (1, 'é"\', 1), (2, 'é"\', 1), (3, 'NULL', 1);
INSERT INTO mail (box_id, "{Thread}") SELECT 1 + i % 3, i FROM generate_series(1, 9) AS i;
SELECT modseq.attach('mail', 'box', account => '{"Own{er}","re,''alm"}', thread => '{Thread}', mailbox_properties => '{name}');
INSERT INTO box VALUES (4, 'é"\', 1), (5, 'NULL', 1);
UPDATE mail SET seen = true WHERE box_id = 1;
DELETE FROM mail WHERE box_id = 2;
DELETE FROM box WHERE id = 5;
SQL

# Far ahead of the clock, which would do without the sequence
$node->safe_psql('original',
	"SELECT setval('modseq.uidvalidity_seq', 4000000000)");

# All that a restore has to bring back
my $quoted = '"Post & ""Söhne"""';
my @contents = (
	'SELECT * FROM box ORDER BY id',
	'SELECT * FROM mail ORDER BY id',
	'SELECT * FROM mail_flag ORDER BY mail_id, flag',
	'SELECT * FROM mail_mailbox ORDER BY id',
	'SELECT * FROM mail_vanished ORDER BY id, modseq',
	"SELECT * FROM $quoted.\"Böxes, {a}\" ORDER BY 1, 2",
	"SELECT * FROM $quoted.\"Mäil=1\" ORDER BY 1, 2, 3",
	"SELECT * FROM $quoted.\"Fläg NULL\" ORDER BY 1, 2, 3",
	"SELECT * FROM $quoted.\"Mäil=1_vanished\" ORDER BY 1, 2, 3",
	'SELECT tableoid::regclass, * FROM part.box ORDER BY account, id',
	'SELECT tableoid::regclass, id, account, box, day, seen, uid, modseq FROM part.mail ORDER BY account, box, uid',
	'SELECT * FROM part.flag ORDER BY account, box, uid',
	'SELECT * FROM part.mail_mailbox ORDER BY account, id',
	'SELECT * FROM part.mail_vanished ORDER BY 1, 2, 3',
	'SELECT * FROM kept.mail ORDER BY id',
	'SELECT * FROM kept.mail_mailbox ORDER BY id',
	'SELECT * FROM kept.mail_vanished ORDER BY id, modseq',
	'SELECT * FROM tenants.mail ORDER BY 1, 2',
	'SELECT * FROM tenants.flag ORDER BY 1, 2',
	'SELECT * FROM accounts.mail ORDER BY 1',
	'SELECT * FROM accounts.mail_mailbox ORDER BY id',
	'SELECT * FROM accounts.mail_account ORDER BY 1, 2',
	'SELECT * FROM accounts.mail_departed ORDER BY 1, 2, 3',
	'SELECT last_value FROM modseq.uidvalidity_seq',
	'SELECT * FROM modseq.stores ORDER BY message::text',
	"SELECT modseq_internal.trigger_options(oid), tgenabled, pg_get_triggerdef(oid) FROM pg_trigger
		-- pg_dump --disable-triggers leaves no trigger as ALWAYS
		WHERE NOT tgisinternal AND tgrelid <> 'modseq.incarnation'::regclass ORDER BY tgrelid::regclass::text, tgname",
	"SELECT indexdef FROM pg_indexes WHERE schemaname NOT LIKE 'pg\\_%' ORDER BY 1",
	"SELECT c.oid::regclass, obj_description(c.oid, 'pg_class'), relacl, relowner::regrole FROM pg_class c
		WHERE relname ~ '_(vanished|mailbox|account|departed)\$' ORDER BY c.oid::regclass::text",
	"SELECT c.oid::regclass::text, attname, description FROM pg_description JOIN pg_class c ON c.oid = objoid
		LEFT JOIN pg_attribute ON attrelid = c.oid AND attnum = objsubid AND objsubid > 0
		WHERE classoid = 'pg_class'::regclass AND description ~ 'modseq.attach' ORDER BY 1, 2");

sub contents
{
	my ($dbname) = @_;

	return join("\n--\n", map { $node->safe_psql($dbname, $_) } @contents);
}

# Run PostgreSQL's programs on the node; true if all of them succeed
sub run_all
{
	my @commands = @_;
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;

	foreach my $command (@commands)
	{
		run_log($command) or return 0;
	}
	return 1;
}

my @pg_restore = ('pg_restore', '--exit-on-error', '--dbname=restored');
my @psql = ('psql', '--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', '--dbname=restored');

# An empty database to restore into
sub make_room
{
	$node->safe_psql('postgres', 'DROP DATABASE IF EXISTS restored');
	$node->safe_psql('postgres', 'CREATE DATABASE restored');
	return;
}

# What is restored counts from another number on, that of its incarnation, and leaves out UIDs
my $jump = '(SELECT max(modseq) FROM modseq.incarnation)';
my $gap = '(SELECT uid_gap FROM modseq.incarnation ORDER BY modseq DESC LIMIT 1)';

# The partitioned store, and each partition, goes on with higher numbers
sub partitions_work
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $highest = "SELECT highestmodseq - $jump FROM part.mail_mailbox ORDER BY account, id";

	is($node->safe_psql('restored', "SELECT * FROM modseq.check('part.mail')"),
		'', "$what: modseq.check finds nothing in the partitioned store");
	$node->safe_psql('restored', <<'SQL');
UPDATE part.mail_old SET seen = NOT seen WHERE box = 1;
DELETE FROM part.mail_new_1;
DELETE FROM part.mail_new_0;
UPDATE part.mail SET day = 12 WHERE box = 2;
INSERT INTO part.mail_new SELECT 20, account, id, 11, false FROM part.box;
ALTER TABLE part.mail DETACH PARTITION part.mail_new;
CREATE TABLE part.mail_newer PARTITION OF part.mail DEFAULT;
INSERT INTO part.mail_newer SELECT 30, account, id, 30, false FROM part.box;
SQL
	is( $node->safe_psql('restored', $highest),
		join("\n", 5, 4, 4),
		"$what: next changes of partitions are higher");
	$node->safe_psql('restored', <<'SQL');
DROP TABLE part.mail_newer;
ALTER TABLE part.mail ATTACH PARTITION part.mail_new FOR VALUES FROM (10) TO (20);
SQL
	is($node->safe_psql('restored', "SELECT * FROM modseq.check('part.mail')"),
		'', "$what: modseq.check finds nothing in the partitioned store, afterwards");
	return;
}

# What was restored is what it was, and goes on from there
sub is_restored
{
	my ($what, $original, @clients) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	is(contents('restored'), $original, "$what: all is as it was");
	sound($node, $what, 'restored');
	is($node->safe_psql('restored', "SELECT * FROM modseq.check('$quoted.\"Mäil=1\"')"),
		'', "$what: modseq.check finds nothing in the other store");

	my @copies = map { $_->copy } @clients;
	in_sync(\@copies, $node, $what, 'restored');
	$node->safe_psql('restored', <<"SQL");
INSERT INTO mail (box_id, subject) SELECT b, 'after' FROM generate_series(1, $boxes) AS b;
DELETE FROM mail WHERE id IN (SELECT min(id) FROM mail GROUP BY box_id);
SQL
	foreach my $box (1 .. $boxes)
	{
		is(highest($node, $box, 'restored') - $node->safe_psql('restored', "SELECT $jump"), 2,
			"$what: next change of mailbox $box is higher");
	}
	in_sync(\@copies, $node, "$what: afterwards", 'restored');
	is( $node->safe_psql('restored', <<"SQL"), '11|1|1', "$what: so is that of the other store");
INSERT INTO $quoted."Mäil=1" VALUES ('é"\\', 'In,{x}')
RETURNING "U,ID" - $gap, "MOD}SEQ" - $jump, "cre{ated" - $jump
SQL
	$node->safe_psql('restored', "INSERT INTO tenants.flag VALUES ('a', 1, 'after')");
	is( $node->safe_psql('restored', qq(SELECT "Ten,{ant}", modseq % $jump FROM tenants.mail ORDER BY 1)),
		"a|1\nb|3", "$what: flags know the message of their tenant");
	partitions_work($what);
	is($node->safe_psql('restored', 'SELECT modseq.next_uidvalidity()'),
		4000000001, "$what: UIDVALIDITY still rises");
	is( $node->safe_psql('restored', <<"SQL"), '4|1', "$what: a mailbox that comes back counts on");
INSERT INTO kept.box VALUES (1);
INSERT INTO kept.mail VALUES (7, 1) RETURNING uid - $gap, modseq - $jump;
SELECT modseq.check('kept.mail')
SQL
	is( $node->safe_psql('restored', <<'SQL'), '', "$what: accounts are sound, and go on");
SELECT modseq.check('accounts.mail');
UPDATE accounts.mail SET seen = NOT seen;
SELECT modseq.check('accounts.mail');
SQL
	return;
}

# A client that went offline early, and one that has it all
my $client = ModseqTest::Client->new(1 .. $boxes);
my $load = ModseqTest::Load->start($node, $boxes, 'original');
$load->work(50);
in_sync([$client], $node, 'original', 'original');
my $offline = $client->copy;
$load->work(100);
$load->stop;
in_sync([$client], $node, 'original', 'original');
my $original = contents('original');

#
# The formats
#

my %restores = (
	'1 plain' => [
		[ 'pg_dump', '--file', "$dir/plain", 'original' ],
		[ @psql, '--file', "$dir/plain" ]
	],
	'2 plain, as INSERTs' => [
		[ 'pg_dump', '--inserts', '--file', "$dir/inserts", 'original' ],
		[ @psql, '--file', "$dir/inserts" ]
	],
	'3 custom' => [
		[ 'pg_dump', '--format=custom', '--file', "$dir/custom", 'original' ],
		[ @pg_restore, "$dir/custom" ]
	],
	'4 custom, over what is there' =>
	  [ [ @pg_restore, '--clean', '--if-exists', "$dir/custom" ] ],
	'5 directory, parallel' => [
		[ 'pg_dump', '--format=directory', '--jobs=2', '--file', "$dir/directory", 'original' ],
		# In one go, the triggers of a partitioned table may come before the data of its partitions
		[ @pg_restore, '--section=pre-data', "$dir/directory" ],
		[ @pg_restore, '--section=data', '--jobs=2', "$dir/directory" ],
		[ @pg_restore, '--section=post-data', "$dir/directory" ]
	],
	'6 sections' => [
		map { [ @pg_restore, "--section=$_", "$dir/custom" ] }
		  qw(pre-data data post-data)
	],
	'7 schema and data apart' => [
		[ 'pg_dump', '--schema-only', '--file', "$dir/schema", 'original' ],
		[ 'pg_dump', '--data-only', '--disable-triggers', '--file', "$dir/data", 'original' ],
		[ @psql, '--file', "$dir/schema" ],
		[ @psql, '--single-transaction', '--file', "$dir/data" ]
	],
	'8 schema and data apart, by pg_restore' => [
		[ @pg_restore, '--schema-only', "$dir/custom" ],
		[ @pg_restore, '--data-only', '--disable-triggers', '--jobs=2', "$dir/custom" ]
	]);

foreach my $what (sort keys %restores)
{
	make_room() unless $what =~ /over what is there/;
	ok(run_all(@{ $restores{$what} }), "$what: dump and restore succeed")
	  and is_restored($what, $original, $client, $offline);
}

# Data alone, and triggers that are not told: to them these are arrivals. Where the counters are in the mailbox table,
# their UIDs were all used before. Where they are beside it, triggers have made new ones before the old ones come: that is
# an error, and clients start over, for the UIDVALIDITY is another.
make_room();
run_all([ @psql, '--file', "$dir/schema" ]) or die 'no schema';
$node->command_fails_like(
	[ @pg_restore, '--data-only', '--single-transaction', "$dir/custom" ],
	qr/is below UIDNEXT|mail_mailbox_pkey/,
	'data alone, with triggers: it is an error');
is($node->safe_psql('restored', 'SELECT count(*) FROM box'),
	0, 'data alone, with triggers: nothing is half done');
$node->command_fails_like(
	[ 'pg_restore', '--dbname=restored', '--data-only', "$dir/custom" ],
	qr/\bis below UIDNEXT.*"mail_mailbox_pkey"|"mail_mailbox_pkey".*\bis below UIDNEXT/s,
	'data alone, with triggers, table by table: it is an error in both stores');
is($node->safe_psql('restored', "SELECT count(*) FROM $quoted.\"Mäil=1\""),
	0, 'data alone, with triggers, table by table: no message is renumbered under its UIDVALIDITY');
isnt($node->safe_psql('restored', "SELECT count(*) FROM modseq.check('mail')"),
	0, 'data alone, with triggers, table by table: modseq.check finds it');
$node->safe_psql('restored', "SELECT modseq.attach('mail')");
sound($node, 'data alone, with triggers, attached', 'restored');
my $stranger = $client->copy;
in_sync([$stranger], $node, 'data alone, with triggers, attached', 'restored');
is($stranger->told('uidvalidity_changed') - $client->told('uidvalidity_changed'), $boxes,
	'data alone, with triggers: clients start over');

make_room();
run_all([ @psql, '--file', "$dir/schema" ]) or die 'no schema';
{
	local $ENV{PGOPTIONS} = '-c session_replication_role=replica';

	ok( run_all([ @pg_restore, '--data-only', "$dir/custom" ]),
		'data alone, as replica: succeeds');
}
is_restored('data alone, as replica', $original, $client, $offline);

# Somebody forgot the table of vanished UIDs. It is missed, and attach() makes a new one that forgets none.
make_room();
ok( run_all(
		[ 'pg_dump', '--exclude-table=mail_vanished', '--format=custom', '--file', "$dir/without", 'original' ],
		[ @pg_restore, "$dir/without" ]),
	'without vanished: restored');
like( $node->safe_psql('restored', "SELECT problem FROM modseq.check('mail')"),
	qr/^table public\.mail_vanished is missing$/m,
	'without vanished: modseq.check says so');
is(sqlstate($node, 'DELETE FROM mail', 'restored'), '55000',
	'without vanished: writing fails');
is( sqlstate($node, "SELECT modseq.vanished_since('mail', 1, 0)", 'restored'),
	'55000', 'without vanished: asking for it fails');
$node->safe_psql('restored', "SELECT modseq.attach('mail', 'box', 'mail_flag')");
sound($node, 'without vanished, attached', 'restored');
in_sync([ $client->copy, $offline->copy ],
	$node, 'without vanished, attached', 'restored');

#
# A dump of a store at work: it is one snapshot, even if two processes take it
#

my $live = $client->copy;
$load = ModseqTest::Load->start($node, $boxes, 'original');
foreach my $format ([ '--format=custom' ], [ '--format=directory', '--jobs=2' ])
{
	my $what = "during load, @$format";
	my $file = "$dir/load " . @$format;

	$load->work(50);
	in_sync([$live], $node, $what, 'original');
	ok(run_all([ 'pg_dump', @$format, '--file', $file, 'original' ]), $what);
	$load->work(10);
	make_room();
	ok(run_all([ @pg_restore, $file ]), "$what: restored");
	sound($node, $what, 'restored');
	in_sync([ $live->copy, $client->copy, $offline->copy ],
		$node, $what, 'restored');

	# The dump is behind the original: who synced there since is told so
	my $ahead = $live->copy;
	in_sync([$ahead], $node, $what, 'original');
	$ahead->{may_be_ahead} = 1;
	in_sync([$ahead], $node, "$what, ahead", 'restored');
	cmp_ok($ahead->told('unknown_modseq'), '>', 0, "$what: who knows more is told so");
}
$load->stop;

$node->stop;
done_testing();
