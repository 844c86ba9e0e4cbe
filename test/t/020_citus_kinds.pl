# Citus: the kinds of tables, and what its functions make of a store. Partitions, local tables, schemas that are tenants,
# tables that are altered, brought back or moved; and UIDVALIDITY, where a shard comes to a server whose clock is behind.
#
# Where Citus is not installed, all of it is skipped.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;
use ModseqTest::Citus;

# What shards leave behind stays till it is told to go
my ($coordinator, @workers) = start_citus(<<'CONF', qw(coordinator worker1 worker2));
citus.enable_unsafe_triggers = on
citus.defer_shard_delete_interval = -1
CONF

add_node($_) foreach @workers;
sql($coordinator, 'CREATE EXTENSION modseq');

# A move to the other worker, as is Citus's default: while writers go on
sub moves
{
	my ($account, $table) = @_;

	sql($coordinator, 'SET client_min_messages = error; ' . move_of($account, 'auto', $table));
	return;
}

sub is_sound
{
	my ($table, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	is(sql($coordinator, "SELECT * FROM modseq.check('$table')"), '', "$what: check finds nothing");
	return;
}

# What a client hears that knows the mailbox as of a mod-sequence
sub told
{
	my ($table, $box, $since) = @_;

	return sql($coordinator, "SELECT vanished, changed FROM modseq.resync('$table', '$box', "
		. "(SELECT uidvalidity FROM modseq.status('$table', '$box')), $since)");
}

# --- a store with accounts, as Citus changes it

sql($coordinator, <<'SQL');
CREATE SCHEMA mw;
CREATE TABLE mw.box (account bigint, id bigint, name text, PRIMARY KEY (account, id));
CREATE TABLE mw.mail (
	account bigint, id bigint, box_id bigint NOT NULL, flags text[] NOT NULL DEFAULT '{}', PRIMARY KEY (account, id));
SELECT create_distributed_table('mw.box', 'account');
SELECT create_distributed_table('mw.mail', 'account', colocate_with => 'mw.box');
ALTER TABLE mw.mail ADD FOREIGN KEY (account, box_id) REFERENCES mw.box ON DELETE CASCADE;
INSERT INTO mw.box SELECT a, i, 'box ' || i FROM generate_series(1, 8) AS a, generate_series(1, 2) AS i;
INSERT INTO mw.mail SELECT a, i, 1 + i % 2 FROM generate_series(1, 8) AS a, generate_series(1, 6) AS i;
SELECT modseq.attach('mw.mail', 'mw.box', account => '{account}', email => 'id');
DELETE FROM mw.mail WHERE account = 1 AND id = 2;
SQL
moves(1);
sql($coordinator, 'DELETE FROM mw.mail WHERE account = 1 AND id = 4');
is(told('mw.mail', '{1,1}', 1), '1:2|', 'accounts: what departed came along');
sql($coordinator, "SELECT modseq.compact('mw.mail', '0', '0')");
is_sound('mw.mail', 'a logical move');

sql($coordinator, <<'SQL');
SELECT isolate_tenant_to_new_shard('mw.mail', 2, 'CASCADE', shard_transfer_mode => 'block_writes');
INSERT INTO mw.mail VALUES (2, 100, 1);
SQL
is_sound('mw.mail', 'a shard of its own for an account');
sql($coordinator, "SELECT modseq.attach('mw.mail', notify => true, mailbox_properties => '{name}')");
is(sql($_, 'SELECT notify, mailbox_properties FROM modseq.stores'), 't|{name}', 'other options after that, at ' . $_->name)
  foreach nodes();
is_sound('mw.mail', 'other options');
is(told('mw.mail', '{2,1}', 1), '|4', 'and nothing else is told');

sql($coordinator, "SET client_min_messages = warning; SELECT alter_distributed_table('mw.mail', shard_count => 5, cascade_to_colocated => true)");
sql($coordinator, 'DELETE FROM mw.mail WHERE account = 2 AND id = 100');
is(told('mw.mail', '{2,1}', 1), '4|', 'alter_distributed_table: goes on');
is_sound('mw.mail', 'alter_distributed_table');

sql($coordinator, "SET client_min_messages = warning; SELECT undistribute_table('mw.mail', cascade_via_foreign_keys => true)");
is(sqlstate($coordinator, 'INSERT INTO mw.mail VALUES (2, 101, 1)'), '55000', 'undistribute_table: writing fails');
like(sql($coordinator, "SELECT problem FROM modseq.check('mw.mail')"),
	qr/table mw\.mail_mailbox is distributed by Citus, and table mw\.mail is not/, 'undistribute_table: check says why');
sql($coordinator, "SET client_min_messages = warning; SELECT modseq.attach('mw.mail')");
sql($coordinator, 'INSERT INTO mw.mail VALUES (2, 101, 1)');
is(told('mw.mail', '{2,1}', 1), '4|5', 'undistribute_table: after attach it goes on');
is_sound('mw.mail', 'undistribute_table');
is(sql($coordinator, "SELECT count(*) FROM pg_dist_partition WHERE logicalrelid::text LIKE 'mw.%'"), 0, 'all tables are back');
is(sql($coordinator, "SELECT uidvalidities IS NULL, to_regclass('mw.mail_uidvalidity') IS NULL FROM modseq.stores"), 't|t',
	'and values of UIDVALIDITY are noted no more');
sql($coordinator, 'DROP SCHEMA mw CASCADE');

# --- partitions: no row comes or leaves by what Citus does with them

sql($coordinator, <<'SQL');
CREATE SCHEMA mp;
CREATE TABLE mp.box (account bigint, id bigint, PRIMARY KEY (account, id));
CREATE TABLE mp.mail (
	account bigint, id bigint, box_id bigint NOT NULL, year int NOT NULL, seen boolean DEFAULT false,
	PRIMARY KEY (account, id, year)) PARTITION BY RANGE (year);
CREATE TABLE mp.mail_2025 PARTITION OF mp.mail FOR VALUES FROM (2025) TO (2026);
CREATE TABLE mp.mail_2026 PARTITION OF mp.mail FOR VALUES FROM (2026) TO (2027);
SELECT create_distributed_table('mp.box', 'account');
SELECT create_distributed_table('mp.mail', 'account', colocate_with => 'mp.box');
INSERT INTO mp.box SELECT a, 1 FROM generate_series(1, 8) AS a;
INSERT INTO mp.mail SELECT a, i, 1, 2025 + i % 2 FROM generate_series(1, 8) AS a, generate_series(1, 4) AS i;
SELECT modseq.attach('mp.mail', 'mp.box', message_mailbox => '{account,box_id}');
UPDATE mp.mail SET seen = true WHERE account = 1 AND id = 1;
UPDATE mp.mail SET year = 2026 WHERE account = 1 AND id = 2;
DELETE FROM mp.mail WHERE account = 1 AND id = 3;
CREATE TABLE mp.mail_2027 PARTITION OF mp.mail FOR VALUES FROM (2027) TO (2028);
INSERT INTO mp.mail VALUES (1, 5, 1, 2027);
SQL
is(told('mp.mail', '{1,1}', 1), '3|1,5', 'partitions: changes');
is_sound('mp.mail', 'partitions');
my $numbers = "SELECT string_agg(concat_ws(' ', id, uid, modseq), ', ' ORDER BY id) FROM mp.mail WHERE account = 1";
my $before = sql($coordinator, $numbers);
moves(1, 'mp.mail');
is(sql($coordinator, $numbers), $before, 'partitions: numbers after a move');
sql($coordinator, "SET client_min_messages = error; " . move_of(1, 'block_writes', 'mp.mail'));
is(sql($coordinator, $numbers), $before, 'partitions: and after one that blocks writers');
sql($coordinator, 'DROP TABLE mp.mail_2026');
is(told('mp.mail', '{1,1}', 1), '1:3|5', 'partitions: what goes with one');
is_sound('mp.mail', 'partitions, one gone');
sql($coordinator, 'DROP SCHEMA mp CASCADE');
is(sql($coordinator, "SELECT count(*) FROM run_command_on_all_nodes('SELECT 1 FROM pg_namespace WHERE nspname = ''mp''') WHERE result <> ''"),
	0, 'partitions: all goes with the schema');

# --- local tables that Citus knows, for a foreign key to a reference table perhaps

foreach my $first ('Citus', 'modseq')
{
	my @steps = (
		"SELECT citus_add_local_table_to_metadata('ml.mail', cascade_via_foreign_keys => true)",
		"SELECT modseq.attach('ml.mail', 'ml.box')");

	sql($coordinator, <<'SQL');
CREATE SCHEMA ml;
CREATE TABLE ml.box (id bigint PRIMARY KEY);
CREATE TABLE ml.mail (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES ml.box, seen boolean);
INSERT INTO ml.box VALUES (1);
INSERT INTO ml.mail VALUES (1, 1);
SQL
	sql($coordinator, $_) foreach $first eq 'Citus' ? @steps : reverse @steps;
	if ($first eq 'modseq')
	{
		is(sqlstate($coordinator, 'INSERT INTO ml.mail VALUES (9, 1)'), '55000', 'local tables: writing fails');
		sql($coordinator, $steps[1]);
	}
	sql($coordinator, 'INSERT INTO ml.mail VALUES (2, 1); DELETE FROM ml.mail WHERE id = 1');
	is(told('ml.mail', 1, 1), '1|2', "local tables, $first first: changes");
	is(sql($workers[0], "SELECT uidnext FROM modseq.status('ml.mail', 1)"), 3, "local tables, $first first: from a worker");
	is_sound('ml.mail', "local tables, $first first");
	sql($coordinator, "SELECT modseq.detach('ml.mail', true)");
	is(sql($coordinator, "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class"
		. " WHERE relnamespace = 'ml'::regnamespace AND relkind = 'r'"), 'box mail', "local tables, $first first: detached");
	sql($coordinator, 'DROP SCHEMA ml CASCADE');
}

# --- reference tables, which are at each server

sql($coordinator, <<'SQL');
CREATE SCHEMA mr;
CREATE TABLE mr.box (account bigint, id bigint, PRIMARY KEY (account, id));
CREATE TABLE mr.mail (account bigint, id bigint, box_id bigint NOT NULL, seen boolean, PRIMARY KEY (account, id));
SELECT create_reference_table('mr.box');
SELECT create_distributed_table('mr.mail', 'account');
SQL
my (undef, undef, $error) = $coordinator->psql('postgres', "SELECT modseq.attach('mr.mail', 'mr.box', message_mailbox => '{account,box_id}')");
like($error, qr/table mr\.box is distributed in a way that modseq cannot serve/, 'a mailbox table that is a reference table');
sql($coordinator, 'DROP SCHEMA mr CASCADE');

# --- a schema that is a tenant, and moves

sql($coordinator, <<'SQL');
SET citus.enable_schema_based_sharding = on;
CREATE SCHEMA t1;
CREATE TABLE t1.box (id bigint PRIMARY KEY);
CREATE TABLE t1.mail (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES t1.box, seen boolean);
INSERT INTO t1.box VALUES (1);
INSERT INTO t1.mail VALUES (1, 1);
SELECT modseq.attach('t1.mail', 't1.box');
INSERT INTO t1.mail VALUES (2, 1);
SQL
my ($at) = grep { $_->port == sql($coordinator, "SELECT DISTINCT nodeport FROM citus_shards WHERE table_name = 't1.mail'::regclass") } nodes();
my ($other) = grep { $_ != $at && $_ != $coordinator } nodes();
sql($coordinator, "SET client_min_messages = error; SELECT citus_schema_move('t1', '@{[ $other->host ]}', @{[ $other->port ]}, 'auto')");
sql($coordinator, 'INSERT INTO t1.mail VALUES (3, 1); DELETE FROM t1.mail WHERE id = 1');
is(told('t1.mail', 1, 1), '1|2:3', 'a tenant: changes, after a move');
is_sound('t1.mail', 'a tenant');
sql($coordinator, "SELECT modseq.attach('t1.mail', notify => true)");
is_sound('t1.mail', 'a tenant, with other options');
sql($coordinator, 'DROP SCHEMA t1 CASCADE');

# --- UIDVALIDITY rises, whatever the clocks of the servers

sql($coordinator, <<'SQL');
CREATE SCHEMA mu;
CREATE TABLE mu.box (account bigint, id bigint, PRIMARY KEY (account, id));
CREATE TABLE mu.mail (account bigint, id bigint, box_id bigint NOT NULL, PRIMARY KEY (account, id));
SELECT create_distributed_table('mu.box', 'account');
SELECT create_distributed_table('mu.mail', 'account', colocate_with => 'mu.box');
ALTER TABLE mu.mail ADD FOREIGN KEY (account, box_id) REFERENCES mu.box ON DELETE CASCADE;
INSERT INTO mu.box VALUES (1, 1);
SELECT modseq.attach('mu.mail', 'mu.box', message_flags => '{}');
SQL

sub uidvalidity
{
	my ($id) = @_;

	return sql($coordinator, "SELECT uidvalidity FROM modseq.status('mu.mail', '{1,$id}')");
}

# As if its clock were a day ahead
sql(server_of(1, 'mu.mail'), "SELECT setval('modseq.uidvalidity_seq', extract(epoch FROM now())::bigint + 86400)");
sql($coordinator, 'INSERT INTO mu.box VALUES (1, 2), (1, 3)');
my $given = uidvalidity(3);
cmp_ok($given, '>', time + 80000, 'a clock that is ahead');
sql($coordinator, 'DELETE FROM mu.box WHERE id > 1');
sql($coordinator, "SELECT modseq.compact('mu.mail', '0')");
is(sql($coordinator, 'SELECT count(*) FROM mu.mail_uidvalidity'), 1, 'of an account, one value is kept');
moves(1, 'mu.mail');
cmp_ok(sql(server_of(1, 'mu.mail'), 'SELECT modseq.next_uidvalidity()'), '<', $given, 'the clock of the other server is behind');
sql($coordinator, 'INSERT INTO mu.box VALUES (1, 3)');
cmp_ok(uidvalidity(3), '>', $given, 'a name that is used again');
$given = uidvalidity(3);
cmp_ok(sql($coordinator, "SELECT modseq.reset_uidvalidity('mu.mail', '{1,1}')"), '>', $given, 'reset_uidvalidity');
$given = uidvalidity(1);
sql($coordinator, "SET client_min_messages = warning; SELECT modseq.attach('mu.mail')");
sql($coordinator, 'INSERT INTO mu.box VALUES (1, 4)');
cmp_ok(uidvalidity(4), '>', $given, 'after another attach');
sql($coordinator, 'INSERT INTO mu.box VALUES (5, 1)');
is_sound('mu.mail', 'UIDVALIDITY');
sql($coordinator, "SELECT modseq.detach('mu.mail', true)");
is(sql($coordinator, "SELECT to_regclass('mu.mail_uidvalidity') IS NULL"), 't', 'detached');

# --- a server that is added later, and an account there

my $late = late_server('citus.enable_unsafe_triggers = on', 'worker3');
sql($coordinator, "SELECT modseq.attach('mu.mail', 'mu.box', message_flags => '{}', account => '{account}', email => 'id')");
add_node($late);
sql($coordinator, 'SET client_min_messages = error; ' . move_of(1, 'auto', 'mu.mail', $late));
is(server_of(1, 'mu.mail'), $late, 'a server that is added later has the account');
my $state = sql($coordinator, "SELECT email FROM modseq.account_state('mu.mail', 1)");
sql($late, 'INSERT INTO mu.mail VALUES (1, 1, 1)');
is(sql($_, "SELECT verdict, created FROM modseq.email_changes('mu.mail', 1, '$state')"), 'ok|{1}', 'its changes, from ' . $_->name)
  foreach nodes();
is_sound('mu.mail', 'a server that is added later');

stop_citus();
done_testing();
