# Citus: a coordinator and two workers. attach() on distributed tables with mail in them; every function, from each
# node; a conditional store while its shard moves, and statements that were planned before it moved. 021_citus_load.pl has
# writers and clients meanwhile.
#
# Where Citus is not installed, all of it is skipped. test/sql/shards.sql has what needs no Citus.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use JSON::PP;
use ModseqTest;
use ModseqTest::Citus;

my $accounts = 12;
my $store = q('mw.mail');

# --- servers

# What shards leave behind stays till it is told to go
my ($coordinator, @workers) = start_citus('citus.defer_shard_delete_interval = -1', qw(coordinator worker1 worker2));

add_node($_) foreach @workers;
sql($coordinator, 'CREATE EXTENSION modseq');

# --- a store, of tables that are distributed and have mail

sql($coordinator, <<"SQL");
CREATE SCHEMA mw;
CREATE TABLE mw.box (account bigint, id bigint, name text, PRIMARY KEY (account, id));
CREATE TABLE mw.mail (
	account bigint, id bigint, box_id bigint NOT NULL, subject text, flags text[] NOT NULL DEFAULT '{}',
	PRIMARY KEY (account, id));
CREATE TABLE mw.mail_flag (account bigint, mail_id bigint, flag text, PRIMARY KEY (account, mail_id, flag));
SQL
my $attach = q(SELECT modseq.attach('mw.mail', 'mw.box', 'mw.mail_flag', notify => true, vanished_keep => '0',
	mailbox_messages => 'messages', mailbox_unseen => 'unseen', message_seen => 'flags', message_seen_flag => 'seen'));

# What cannot work is said before anything is changed
sub refused
{
	my ($sql, $error, $what) = @_;
	my ($ret, $stdout, $stderr) = $coordinator->psql('postgres', $sql);

	isnt($ret, 0, "$what: refused");
	like($stderr, $error, "$what: says why");
	return;
}

sql($coordinator, "SELECT create_distributed_table('mw.mail', 'account')");
refused($attach, qr/table mw\.box is not distributed as the other tables/, 'a table that is not distributed');
sql($coordinator, "SELECT create_distributed_table('mw.box', 'id', colocate_with => 'none')");
refused($attach, qr/not colocated/, 'a table that is elsewhere');
sql($coordinator, 'DROP TABLE mw.box');
sql($coordinator, <<"SQL");
CREATE TABLE mw.box (account bigint, id bigint, name text, PRIMARY KEY (account, id));
SELECT create_distributed_table('mw.box', 'account', colocate_with => 'mw.mail');
SELECT create_distributed_table('mw.mail_flag', 'account', colocate_with => 'mw.mail');
ALTER TABLE mw.mail ADD FOREIGN KEY (account, box_id) REFERENCES mw.box ON DELETE CASCADE;
ALTER TABLE mw.mail_flag ADD FOREIGN KEY (account, mail_id) REFERENCES mw.mail ON DELETE CASCADE;
INSERT INTO mw.box SELECT a, i, 'box ' || i FROM generate_series(1, $accounts) AS a, generate_series(1, 2) AS i;
INSERT INTO mw.mail SELECT a, i, 1 + i % 2, 'old' FROM generate_series(1, $accounts) AS a, generate_series(1, 10) AS i;
SQL
sql($coordinator, $attach);
is(sql($coordinator, 'SELECT message, mailbox, flag, vanished, counters FROM modseq.stores'),
	'mw.mail|mw.box|mw.mail_flag|mw.mail_vanished|mw.mail_mailbox', 'one store');
is(sql($_, 'SELECT count(*) FROM modseq.stores'), '1', 'and one at a worker') foreach @workers;
is(sql($coordinator, 'SELECT count(*), min(uid), max(uid) FROM mw.mail'), $accounts * 10 . '|1|5', 'all have a UID');
is(sql($coordinator, "SELECT * FROM modseq.check($store)"), '', 'check finds nothing');
sql($coordinator, $attach);
is(sql($coordinator, "SELECT * FROM modseq.check($store)"), '', 'nor after a second attach');

# A mailbox in a shard that had none
sql($coordinator, "INSERT INTO mw.box SELECT a, 1, 'new' FROM generate_series(101, 140) AS a");
sql($coordinator, "INSERT INTO mw.mail SELECT a, 1, 1, 'new' FROM generate_series(101, 140) AS a");
is(sql($coordinator, "SELECT DISTINCT uid, modseq FROM mw.mail WHERE account > 100"), '1|2', 'its first message');

# --- functions, from each node

sub counts
{
	my ($node, $account) = @_;

	return sql($node, <<"SQL");
SELECT messages, unseen, unseen = messages FROM modseq.counts($store, '{$account,1}')
SQL
}

sub counted
{
	my ($account) = @_;

	return sql($coordinator, <<"SQL");
SELECT count(*), count(*) FILTER (WHERE NOT flags @> '{seen}') FROM mw.mail WHERE account = $account AND box_id = 1
SQL
}

# Of two accounts, one at each worker
my ($elsewhere) = grep { place_of($_) != place_of(1) } 2 .. $accounts;
my $next_new = 101;
foreach my $node ($coordinator, @workers)
{
	my $name = $node->name;

	foreach my $account (1, $elsewhere)
	{
		my $box = "'{$account,1}'";

		my $before = sql($node, "SELECT highestmodseq FROM modseq.status($store, $box)");
		sql($node, "INSERT INTO mw.mail VALUES ($account, (random() * 1e15)::bigint, 1, '$name')");
		my $uid = sql($node, "SELECT max(uid) FROM mw.mail WHERE account = $account AND box_id = 1");
		is(sql($node, "SELECT vanished, changed FROM modseq.resync($store, $box, "
					. "(SELECT uidvalidity FROM modseq.status($store, $box)), $before)"),
			"|$uid", "$name: resync");
		is(sql($node, "SELECT uid FROM modseq.changed_since($store, $box, $before)"), $uid, "$name: changed_since");
		is(sql($node, "UPDATE mw.mail SET flags = '{seen}' WHERE account = $account AND uid = $uid AND box_id = 1"
					. ' RETURNING modseq'), $before + 2, "$name: a flag");
		is(counts($node, $account), counted($account) . '|f', "$name: counts");
		is(sql($node, "INSERT INTO mw.mail_flag SELECT account, id, 'f' FROM mw.mail WHERE account = $account AND uid = $uid"
					. " AND box_id = 1; SELECT highestmodseq FROM modseq.status($store, $box)"), $before + 3, "$name: a flag row");
		is( sql($node, <<"SQL"), "$uid|unchanged", "$name: lock, unchanged_since and a store");
BEGIN;
SELECT FROM modseq.lock($store, $box);
SELECT uid, verdict FROM modseq.unchanged_since($store, $box, '$uid', $before + 3);
UPDATE mw.mail SET flags = '{answered}' WHERE account = $account AND box_id = 1 AND uid = $uid;
COMMIT;
SQL
		is(sql($node, "SELECT modseq.touch($store, $box)"), $before + 5, "$name: touch");
		sql($node, "DELETE FROM mw.mail WHERE account = $account AND box_id = 1 AND uid = $uid");
		is(sql($node, "SELECT modseq.vanished_since($store, $box, $before + 5)"), $uid, "$name: vanished_since");
		unlike(sql($node, "SELECT modseq.live_uids($store, $box)"), qr/\b$uid$/, "$name: live_uids");
		isnt(sql($node, "SELECT messages FROM modseq.digest($store, $box)"), '', "$name: digest");
		is(sql($node, "SELECT modseq.wait_for($store, $box, $before + 6, '0')"), 't', "$name: wait_for");
		my $uidvalidity = sql($node, "SELECT uidvalidity FROM modseq.status($store, $box)");
		cmp_ok(sql($node, "SELECT modseq.reset_uidvalidity($store, $box)"), '>', $uidvalidity, "$name: reset_uidvalidity");
	}
	is(sql($node, "SELECT count(*) FROM mw.box b, modseq.status($store, ARRAY[b.account::text, b.id::text]) AS s"),
		$accounts * 2 + 40, "$name: status of all, where they are");
	is(sql($node, "SELECT sum(c.messages) FROM mw.box b, modseq.counts($store, ARRAY[b.account::text, b.id::text]) AS c"),
		sql($coordinator, 'SELECT count(*) FROM mw.mail'), "$name: counts of all");
	is(sql($node, "SELECT * FROM modseq.check($store)"), '', "$name: check");
	is(sql($node, "SELECT * FROM modseq.check($store, '{1,1}')"), '', "$name: check of a mailbox");
	my $new = $next_new++;
	sql($node, "INSERT INTO mw.mail VALUES ($new, 2, 1), ($new, 3, 1)");
	sql($node, "DELETE FROM mw.mail WHERE account = $new AND id = $_") foreach 2, 3;
	is(sql($node, "SELECT count(*) FROM mw.mail_vanished WHERE account = $new"), 2, "$name: two vanished");
	my (undef, undef, $warnings) = $node->psql('postgres', 'CALL modseq.compact_all()');
	is($warnings, '', "$name: compact_all, without a warning");
	is(sql($node, "SELECT uids FROM mw.mail_vanished WHERE account = $new"), '2:3', "$name: and they are one row");
	is(sql($node, "SELECT modseq.compact($store, '0')"), 0, "$name: compact has nothing to do then");
	is(sqlstate($node, "SELECT modseq.status($store, '{1,99}')"), '42704', "$name: no such mailbox");
}

# Writers fold, too, where the shard is
sql($coordinator, "INSERT INTO mw.mail SELECT 110, i, 1 FROM generate_series(2, 151) AS i");
sql($coordinator, join ' ', map { "DELETE FROM mw.mail WHERE account = 110 AND id = $_;" } 2 .. 151);
cmp_ok(sql($coordinator, 'SELECT count(*) FROM mw.mail_vanished WHERE account = 110'), '<', 150, 'writers fold');
is(sql($coordinator, "SELECT modseq.vanished_since($store, '{110,1}', 1)"), '2:151', 'and nothing is forgotten');

is(sqlstate($coordinator, "SELECT modseq.lock($store, '{{1,1},{2,1},{3,1},{4,1},{5,1},{6,1}}'::text[])"), '0A000',
	'mailboxes of several shards');
is(sqlstate($coordinator, 'TRUNCATE mw.mail'), '0A000', 'TRUNCATE');
isnt(sqlstate($coordinator, 'UPDATE mw.mail SET account = 2 WHERE account = 1'), '', 'a change of the account');

# What is wrong at one shard is found
my ($shard, $worker) = split /\|/, sql($coordinator, <<'SQL');
SELECT s.shardid, n.nodeport FROM pg_dist_shard s JOIN pg_dist_placement p USING (shardid) JOIN pg_dist_node n USING (groupid)
WHERE s.logicalrelid = 'mw.mail'::regclass AND n.groupid <> 0 AND s.shardid = get_shard_id_for_distribution_column('mw.mail', 1)
SQL
my ($home) = grep { $_->port == $worker } @workers;
sql($home, "SET citus.enable_manual_changes_to_shards = on; SET session_replication_role = replica;"
	. " UPDATE mw.mail_$shard SET uid = 4000 WHERE account = 1 AND uid = (SELECT max(uid) FROM mw.mail_$shard WHERE account = 1)");
like(sql($coordinator, "SELECT * FROM modseq.check($store)"), qr/4000\|uid is not below UIDNEXT/, 'check sees a shard');
my $counters = sql($coordinator, "SELECT modseq_internal.shard_name($shard, 'mw.mail_mailbox')");
sql($home, "SET citus.enable_manual_changes_to_shards = on; SET session_replication_role = replica;"
	. " UPDATE $counters SET messages = messages + 7 WHERE account = 1 AND id = 1");
like(sql($_, "SELECT problem FROM modseq.check($store, '{1,1}')"), qr/^count of messages is/m, 'and a count there, from ' . $_->name)
  foreach nodes();
sql($coordinator, 'DELETE FROM mw.mail WHERE account = 1');
sql($coordinator, $attach);
is(sql($coordinator, "SELECT * FROM modseq.check($store)"), '', 'and attach repairs it');
is(counts($coordinator, 1), '0|0|t', 'counts, too');

# --- what there is to watch

# Each server tells of what it has: shards, by their names
is(sql($_, "SELECT message, vanished_bytes > 0, message_inserts IS NOT NULL, counter_updates IS NOT NULL, modseq_scans IS NOT NULL"
		. " FROM modseq.activity WHERE message = to_regclass('mw.mail_$shard')"),
	$_ == $home ? "mw.mail_$shard|t|t|t|t" : '', 'activity at ' . $_->name)
  foreach nodes();
{
	my $session = session($coordinator, 'locker');
	$session->query_safe("BEGIN; SELECT FROM modseq.lock($store, '{1,1}')");
	is(sql($_, "SELECT message, mailbox, lock FROM modseq.locks"), $_ == $home ? "mw.mail_$shard|{1,1}|mailbox" : '',
		'locks at ' . $_->name)
	  foreach nodes();
	hang_up($session);
}

# --- notify, at the server that has the shard

{
	my $session = session($home, 'listener');
	$session->query_safe('LISTEN modseq');
	sql($coordinator, "INSERT INTO mw.mail VALUES (1, (random() * 1e15)::bigint, 1, 'wake up')");
	like($session->query('SELECT 1'), qr/"store": "mw\.mail", "mailbox": \[1, 1\]/, 'the table that the application knows');
	$session->quit;
}

# --- a shard moves, while somebody has judged

foreach my $mode ('block_writes', 'force_logical')
{
	foreach my $node ($coordinator, @workers)
	{
		my $name = "$mode, from " . $node->name;
		my $store_session = session($node, 'storer');
		my $before = place_of(1);
		my $modseq = sql($coordinator, "SELECT highestmodseq FROM modseq.status($store, '{1,1}')");
		my $uid = sql($coordinator, "SELECT max(uid) FROM mw.mail WHERE account = 1 AND box_id = 1");

		$store_session->query_safe('BEGIN');
		is($store_session->query_safe("SELECT verdict FROM modseq.unchanged_since($store, '{1,1}', '$uid', $modseq)"),
			'unchanged', "$name: judged");
		my $move = session($coordinator, 'mover');
		send_off($move, move_of(1, $mode));
		until_somebody_waits();
		is(place_of(1), $before, "$name: the move waits");
		$store_session->query_safe("UPDATE mw.mail SET flags = '{judged}' WHERE account = 1 AND box_id = 1 AND uid = $uid");
		$store_session->query_safe('COMMIT');
		$move->query_safe('SELECT 1');
		isnt(place_of(1), $before, "$name: then it goes on");
		is(sql($coordinator, "SELECT flags FROM mw.mail WHERE account = 1 AND box_id = 1 AND uid = $uid"), '{judged}',
			"$name: stored");
		hang_up($store_session, $move);
	}
}

# What compact() forgets, and what it notes of that, must not come apart: so a move waits for it
{
	my $session = session($workers[0], 'compacter');
	my $before = place_of(1);

	$session->query_safe('BEGIN');
	$session->query_safe("SELECT modseq.compact($store, '0')");
	my $move = session($coordinator, 'mover');
	send_off($move, move_of(1, 'block_writes'));
	until_somebody_waits();
	is(place_of(1), $before, 'a move waits for compact');
	$session->query_safe('COMMIT');
	$move->query_safe('SELECT 1');
	isnt(place_of(1), $before, 'then it goes on');
	hang_up($session, $move);
}
is(sql($coordinator, "SELECT * FROM modseq.check($store)"), '', 'check after the moves');

# --- a statement that was planned before a shard moves, and runs after: Citus has it read what the shard has left behind

sub overtaken
{
	my ($node, $call) = @_;
	my $session = session($node, 'late');
	my $before = sql($coordinator, "SELECT highestmodseq FROM modseq.status($store, '{1,1}')");

	$session->query_safe('\\set ON_ERROR_STOP 0');
	$session->query_safe('BEGIN');
	$session->query_safe("DECLARE late CURSOR FOR SELECT $call, (SELECT max(m.modseq) FROM mw.mail m WHERE m.account = 1 AND m.box_id = 1)"
		  . " FROM mw.box b WHERE b.account = 1 AND b.id = 1");
	sql($coordinator, move_of(1, 'block_writes'));
	sql($coordinator, 'INSERT INTO mw.mail VALUES (1, (random() * 1e15)::bigint, 1)');
	my ($answer) = $session->query('FETCH late');
	$session->query('COMMIT');
	hang_up($session);
	return ($before, $answer);
}

# So the answer is of then, too: else a client would believe that it has what came later. Where a session has the shard
# itself, little but a cursor can come late; to that Citus allows no query elsewhere, and it fails.
foreach (1 .. 2)
{
	my ($node) = $_ == 1 ? $coordinator : grep { $_ != server_of(1) } @workers;
	my ($before, $answer) = overtaken($node, "(modseq.status($store, '{1,1}')).highestmodseq");
	is($answer, "$before|$before", 'rows and an answer of one moment, from ' . $node->name);
}

# What such a statement would write is not written there
{
	my ($before, $answer) = overtaken($coordinator, "modseq.touch($store, '{1,1}')");
	is($answer, '', 'touch, where the shard is no more: an error');
	is(sql($coordinator, "SELECT highestmodseq FROM modseq.status($store, '{1,1}')"), $before + 1, 'and nothing is done');
}
is(sql($coordinator, "SELECT * FROM modseq.check($store)"), '', 'check after these');

# --- one schema a tenant

sql($coordinator, <<'SQL');
SET citus.enable_schema_based_sharding = on;
CREATE SCHEMA tenant;
CREATE TABLE tenant.box (id bigint PRIMARY KEY);
CREATE TABLE tenant.mail (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES tenant.box, seen boolean);
INSERT INTO tenant.box VALUES (1);
INSERT INTO tenant.mail VALUES (1, 1, false);
SELECT modseq.attach('tenant.mail', 'tenant.box');
INSERT INTO tenant.mail VALUES (2, 1, false);
SQL
is(sql($workers[1], "SELECT uidnext, highestmodseq FROM modseq.status('tenant.mail', 1)"), '3|2', 'a schema that is a tenant');
is(sql($workers[0], "SELECT * FROM modseq.check('tenant.mail')"), '', 'check of it');

# --- accounts, for JMAP, and what lost servers may have given; from each node

sql($coordinator, <<'SQL');
CREATE SCHEMA jw;
CREATE TABLE jw.box (account bigint, id bigint, name text, PRIMARY KEY (account, id));
CREATE TABLE jw.mail (
	account bigint, id bigint, box_id bigint NOT NULL, email bigint NOT NULL, thread bigint NOT NULL,
	flags text[] NOT NULL DEFAULT '{}', PRIMARY KEY (account, id));
SELECT create_distributed_table('jw.box', 'account');
SELECT create_distributed_table('jw.mail', 'account', colocate_with => 'jw.box');
ALTER TABLE jw.mail ADD FOREIGN KEY (account, box_id) REFERENCES jw.box ON DELETE CASCADE;
INSERT INTO jw.box SELECT a, i, 'box ' || i FROM generate_series(1, 8) AS a, generate_series(1, 2) AS i;
INSERT INTO jw.mail SELECT a, i, 1 + i % 2, i, i % 3 FROM generate_series(1, 8) AS a, generate_series(1, 6) AS i;
SQL
my $jmap = q(SELECT modseq.attach('jw.mail', 'jw.box', account => '{account}', email => 'email', thread => 'thread',
	mailbox_properties => '{name}'));
sql($coordinator, $jmap);
is(sql($coordinator, "SELECT account_table, departed FROM modseq.stores WHERE message = 'jw.mail'::regclass"),
	'jw.mail_account|jw.mail_departed', 'a store with accounts');
is(sql($coordinator, "SELECT * FROM modseq.check('jw.mail')"), '', 'accounts: check finds nothing');

# What the three kinds of changes give since states
sub jmap_changes
{
	my ($node, $account, $since) = @_;

	return join ' / ', map {
		sql($node, "SELECT verdict, created, updated, destroyed FROM modseq.${_}_changes('jw.mail', $account, '$since->{$_}')")
	} qw(email thread mailbox);
}

sub jmap_state
{
	my ($node, $account) = @_;

	return decode_json(sql($node, "SELECT row_to_json(s) FROM modseq.account_state('jw.mail', $account) AS s"));
}

my $email = 100;
foreach my $node ($coordinator, @workers)
{
	foreach my $account (1, $elsewhere)
	{
		my $name = $node->name . ", account $account";
		my $since = jmap_state($node, $account);
		my ($new, $old) = ($email++, $node == $coordinator ? 1 : $email - 3);

		sql($node, <<"SQL");
INSERT INTO jw.mail VALUES ($account, $new, 1, $new, $new);
UPDATE jw.mail SET flags = flags || '{x$new}' WHERE account = $account AND email = 2;
INSERT INTO jw.box VALUES ($account, $new, 'new');
DELETE FROM jw.mail WHERE account = $account AND id = $old;
UPDATE jw.box SET name = 'renamed $new' WHERE account = $account AND id = 2;
SQL
		my $thread = $node == $coordinator ? "{1}|{}" : "{}|{$old}";
		isnt(jmap_state($node, $account)->{$_}, $since->{$_}, "$name: state of $_") foreach qw(email thread mailbox);
		is(jmap_changes($node, $account, $since),
			"ok|{$new}|{2}|{$old} / ok|{$new}|$thread / ok|{\"{$account,$new}\"}|{\"{$account,1}\",\"{$account,2}\"}|{}",
			"$name: changes");
		is(sql($node, <<"SQL"), "t\nt", "$name: account_lock, ifInState and a store");
BEGIN;
SELECT email = '@{[ jmap_state($node, $account)->{email} ]}' FROM modseq.account_lock('jw.mail', $account);
UPDATE jw.mail SET flags = '{locked$new}' WHERE account = $account AND email = 3;
SELECT email <> '@{[ jmap_state($node, $account)->{email} ]}' FROM modseq.account_state('jw.mail', $account);
COMMIT;
SQL
		is(sql($node, "SELECT modseq.account_wait_for('jw.mail', $account, '@{[ jmap_state($node, $account)->{email} ]}', '0')"),
			't', "$name: account_wait_for");
		is(sql($node, "SELECT count(*) FROM modseq.lost('jw.mail', '{$account,1}')"), 0, "$name: lost, of what is not");
	}
	is(sql($node, "SELECT count(*) FROM modseq.account_lock('jw.mail', '{{1}}'::text[])"), 1, $node->name . ': a list of accounts');
	is(sqlstate($node, "SELECT modseq.account_lock('jw.mail', ARRAY[1,2,3,4,5,6,7,8]::bigint[])"), '0A000',
		$node->name . ': accounts of several shards');
	is(sqlstate($node, "SELECT modseq.account_state('jw.mail', 99)"), '42704', $node->name . ': no such account');
	is(sql($node, "SELECT * FROM modseq.check('jw.mail')"), '', $node->name . ': check of accounts');
	cmp_ok(sql($node, "SELECT modseq.compact('jw.mail', '0', '0')"), '>=', 0, $node->name . ': compact');
}
my $known = jmap_state($coordinator, 1);
sql($coordinator, $jmap);
is_deeply(jmap_state($coordinator, 1), $known, 'states after a second attach');

# A server goes on without what it has lost: it alone knows, and who asks at another is told
my $lost_at = server_of(1, 'jw.mail');
sql($lost_at, 'SELECT modseq.recovered()');
is(sql($_, "SELECT last_modseq IS NULL FROM modseq.lost('jw.mail', '{1,1}')"), 't', 'may be lost, from ' . $_->name)
  foreach $coordinator, @workers;
sql($coordinator, "UPDATE jw.mail SET flags = '{after}' WHERE account = 1; INSERT INTO jw.mail VALUES (1, 998, 1, 998, 998)");
is(sql($_, "SELECT last_modseq > first_modseq, incarnation IS NOT NULL, started IS NOT NULL FROM modseq.lost('jw.mail', '{1,1}')"),
	't|t|t', 'is lost, from ' . $_->name)
  foreach $coordinator, @workers;
is(sql($coordinator, "SELECT verdict FROM modseq.email_changes('jw.mail', 1, '$known->{email}')"), 'too_old',
	'a state from before it');
$known = jmap_state($coordinator, 1);
is(sql($_, "SELECT * FROM modseq.check('jw.mail')"), '', $_->name . ': check after it') foreach $coordinator, @workers;
sql($coordinator, move_of(1, 'block_writes', 'jw.mail'));
is(sql($_, "SELECT last_modseq > first_modseq, incarnation IS NOT NULL FROM modseq.lost('jw.mail', '{1,1}')"),
	't|f', 'is lost after a move, from ' . $_->name)
  foreach $coordinator, @workers;
is_deeply(jmap_state($_, 1), $known, 'states after a move, from ' . $_->name) foreach $coordinator, @workers;
sql($coordinator, "INSERT INTO jw.mail VALUES (1, 999, 1, 999, 999)");
is(jmap_changes($_, 1, $known), 'ok|{999}|{}|{} / ok|{999}|{}|{} / ok|{}|{"{1,1}"}|{}', 'changes after a move, from ' . $_->name)
  foreach $coordinator, @workers;
is(sql($_, "SELECT * FROM modseq.check('jw.mail')"), '', $_->name . ': check after a move') foreach $coordinator, @workers;

# A shard that comes to such a server counts on above what that has lost, too. IMAP's clients go on.
my ($other) = grep { place_of($_, 'jw.mail') != $lost_at->port } 2 .. 8;
my ($uidvalidity, $uidnext, $highest) = split /\|/,
  sql($coordinator, "SELECT uidvalidity, uidnext, highestmodseq FROM modseq.status('jw.mail', '{$other,1}')");
$known = jmap_state($coordinator, $other);
sql($coordinator, move_of($other, 'block_writes', 'jw.mail', $lost_at));
sql($coordinator, "INSERT INTO jw.mail VALUES ($other, 1000, 1, 1000, 1000)");
is(sql($coordinator, "SELECT verdict FROM modseq.email_changes('jw.mail', $other, '$known->{email}')"), 'too_old',
	'but not those of JMAP');
my $uid = sql($coordinator, "SELECT uid FROM jw.mail WHERE account = $other AND id = 1000");
cmp_ok($uid, '>', $uidnext, 'UIDs are left out');
foreach my $node ($coordinator, @workers)
{
	is(sql($node, <<"SQL"), 'ok|t|t', 'a shard that comes to a server that has lost something, from ' . $node->name);
SELECT verdict, highestmodseq > 1000000, changed::text = '$uid'
FROM modseq.resync('jw.mail', '{$other,1}', $uidvalidity, $highest)
SQL
	is(sql($node, "SELECT * FROM modseq.check('jw.mail')"), '', 'and its check, from ' . $node->name);
}

# --- the end of stores. Shards that have moved, or were split, have triggers that new ones lack

sub left_at
{
	my ($node, $schemas) = @_;

	return sql($node, <<"SQL");
SET citus.override_table_visibility = off;
SELECT tgrelid::regclass, tgname FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
WHERE tgname LIKE '%modseq%' AND relnamespace::regnamespace::text = ANY ('{$schemas}')
SQL
}

sub added_at
{
	my ($node, $schemas) = @_;

	return sql($node, <<"SQL");
SET citus.override_table_visibility = off;
SELECT attrelid::regclass, attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
WHERE (attname IN ('uid', 'modseq') OR relname ~ 'vanished|mail_mailbox') AND relnamespace::regnamespace::text = ANY ('{$schemas}')
SQL
}

sql($coordinator, 'CALL citus_cleanup_orphaned_resources()');	# what shards have left behind when they moved
sql($coordinator, "SELECT modseq.detach($store, true)");
is(sql($coordinator, "SELECT count(*) FROM modseq.stores"), '2', 'detached');
is(left_at($_, 'mw') . added_at($_, 'mw'), '', 'nothing is left at ' . $_->name) foreach $coordinator, @workers;
sql($coordinator, 'DELETE FROM mw.mail; TRUNCATE mw.mail_flag, mw.mail');
sql($coordinator, 'DROP EXTENSION modseq CASCADE');
is(left_at($_, 'mw,jw,tenant'), '', 'no trigger of other stores at ' . $_->name) foreach $coordinator, @workers;
sql($coordinator, 'INSERT INTO jw.mail SELECT a, 5000, 1, 5000, 5000 FROM generate_series(1, 8) AS a');

stop_citus();
done_testing();
