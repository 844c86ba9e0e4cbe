# Mailboxes and accounts move to another server, by modseq-move: clients do not notice, writers wait and then fail,
# and whenever it is killed, one of the two servers has all, and what is started again finishes.

use strict;
use warnings FATAL => 'all';

use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;
use ModseqTest::Move;

my ($source, $target) = move_servers('');

$_->start foreach $source, $target;

#
# A mailbox, while others are written to, and it is
#

# The target's numbers begin below the source's
$source->safe_psql('postgres', <<'SQL');
CREATE EXTENSION modseq;
SELECT setval('modseq.uidvalidity_seq', extract(epoch FROM now())::bigint + 100000);
SQL
create_store($source, 'postgres', 26);
create_store($target, 'postgres', 0);
$target->safe_psql('postgres', "SELECT setval('mail_id_seq', 1000000), setval('box_id_seq', 1000)");
$source->safe_psql('postgres', <<'SQL');
INSERT INTO mail (box_id, subject) SELECT b, 'old' FROM generate_series(1, 26) AS b, generate_series(1, 12);
UPDATE mail SET flags = '{seen}' WHERE uid IN (2, 3);
INSERT INTO mail_flag SELECT id, 'x' FROM mail WHERE uid IN (3, 4);
DELETE FROM mail WHERE uid = 5;
SQL
my $early = ModseqTest::Client->new(3);
my $new = ModseqTest::Client->new(3);
in_sync([$early], $source, 'early');
$source->safe_psql('postgres', <<'SQL');
DELETE FROM mail WHERE box_id = 3 AND uid = 6;
UPDATE mail SET flags = '{new}' WHERE box_id = 3 AND uid = 7;
DELETE FROM mail_flag WHERE mail_id = (SELECT id FROM mail WHERE box_id = 3 AND uid = 3);
INSERT INTO mail (box_id, subject) VALUES (3, 'late');
SQL
my $late = $early->copy;
in_sync([$late], $source, 'late');

# Writers that are at it: what they have committed is at the target, and what they commit later is not at the source
my $load = ModseqTest::Load->start($source, 2);
my $script = $source->basedir . '/fenced.sql';
append_to_file($script, <<'SQL');
INSERT INTO mail (box_id, subject) VALUES (3, 'fenced');
UPDATE mail SET flags = ARRAY['f' || :client_id], subject = subject || '!' WHERE box_id = 3 AND uid = 1 + :client_id;
SQL
my $fenced = '';
my $writers = IPC::Run::start([ 'pgbench', '--no-vacuum', '--client=3', '--time=60', '--rate=300', '--max-tries=100',
		'--host', $source->host, '--port', $source->port, '-f', $script, 'postgres' ], '<', \undef, '>&', \$fenced);
$source->poll_query_until('postgres', "SELECT count(*) > 30 FROM mail WHERE subject = 'fenced'") or die 'no writers';
my $said = moves('mailbox', 3, 'mail');
$writers->finish;
unlike($said, qr/sequence/, 'no sequence is behind');
like($fenced, qr/violates foreign key constraint|mailbox \(3\) does not exist/, 'writers fail then');
my ($processed) = $fenced =~ /transactions actually processed: (\d+)/;
my $arrived = $target->safe_psql('postgres', "SELECT count(*) FROM mail WHERE subject = 'fenced'");
cmp_ok($processed, '<=', $arrived, "what $processed transactions wrote is there");
cmp_ok($processed + 3, '>=', $arrived, 'and no more');
$load->work(20);
$load->stop;
in_sync([ $early, $late, $new ], $target, 'moved');
is(join(' ', $_->told('ok'), $_->told('uidvalidity_changed')), $_ == $late ? '2 1' : '1 1', 'a client does not notice')
  foreach $early, $late;
is($new->told('uidvalidity_changed'), 1, 'a new one begins');
foreach my $table ('box', 'mail_mailbox', 'mail_vanished', 'mail')
{
	my $column = $table eq 'mail' ? 'box_id' : 'id';

	is($source->safe_psql('postgres', "SELECT count(*) FROM $table WHERE $column = 3"), '0', "no ghost in $table");
}
is($source->safe_psql('postgres', 'SELECT count(*) FROM mail_flag f WHERE NOT EXISTS (SELECT FROM mail WHERE id = mail_id)'),
	'0', 'no ghost in mail_flag');
sound($_, 'moved') foreach $source, $target;
cmp_ok($target->safe_psql('postgres', 'SELECT modseq.next_uidvalidity()'), '>',
	$source->safe_psql('postgres', 'SELECT last_value FROM modseq.uidvalidity_seq'), 'UIDVALIDITY is above the source\'s');
$target->safe_psql('postgres', "INSERT INTO box VALUES (1), (2)");
$load = ModseqTest::Load->start($target, 3);
$load->work(50);
$load->stop;
in_sync([ $early, $late ], $target, 'goes on');
sound($target, 'goes on');
like(moves('mailbox', 3, 'mail'), qr/moved before/, 'once more');

#
# Killed before each step
#

my @steps = grep { !/^ / } split /\n/, moves('mailbox', 4, 'mail');
is(pop @steps, 'moved', 'the last line');
is(scalar @steps, 12, 'steps');
my $box = 5;
my $prepared = 0;
foreach my $step (@steps)
{
	my $client = ModseqTest::Client->new($box);
	my $write = "SET lock_timeout = '100ms'; UPDATE mail SET flags = '{%s}' WHERE box_id = $box AND uid = 1";
	my ($code, $err);

	in_sync([$client], $source, "$step: before");
	($code, $err) = move('mailbox', $box, 'mail', kill => $step);
	is($code, 'signal 9', "$step: killed") or diag $err;
	alone();
	$prepared ||= $step eq 'decide';
	is($source->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'), $prepared ? 1 : 0,
		"$step: transactions at the source");
	is($target->safe_psql('postgres', "SELECT count(*) FROM box WHERE id = $box"), $step eq 'finish' ? 1 : 0,
		"$step: mailboxes at the target");
	is(sqlstate($source, sprintf $write, 'source'), $prepared ? '55P03' : '', "$step: a writer at the source");
	is(sqlstate($target, sprintf $write, 'target'), '', "$step: a writer at the target");
	in_sync([ $client->copy ], $step eq 'finish' ? $target : $source, "$step: killed");
	# Whoever moves another one goes on, and whoever waits gets what is decided
	if ($step eq 'decide')
	{
		moves('mailbox', 23, 'mail');
	}
	my $err2 = moves('mailbox', $box, 'mail');
	like($err2, qr/^undo$/m, "$step: undone") if $step eq 'decide';
	like($err2, qr/^begin\n(?:  .*\n)*finish\nmoved$/m, "$step: finished") if $step eq 'finish';
	is($source->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'), 0, "$step: no transaction is left");
	in_sync([$client], $target, "$step: moved");
	is($client->told('ok'), 1, "$step: the client does not notice");
	$box++;
}
sound($_, 'killed everywhere') foreach $source, $target;

#
# Killed, while the target commits, and then either has
#

$target->safe_psql('postgres', <<'SQL');
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON box DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold();
ALTER TABLE box ENABLE ALWAYS TRIGGER hold;
SQL
foreach my $case ('commits', 'crashes', 'source crashes')
{
	my $client = ModseqTest::Client->new($box);
	my $holder = session($target, 'holder');
	my ($err, $again) = ('', '');
	my $run;

	in_sync([$client], $source, "$case: before");
	$holder->query_safe('SELECT pg_advisory_lock(1)');
	$run = IPC::Run::start([ command_for($source, $target, '--mailbox', $box), 'mail' ], '<', \undef, '2>', \$err);
	wait_until_waits($target, 'modseq-move', 'advisory');
	my $writer = $source->background_psql('postgres', on_error_stop => 0);
	$writer->query_safe("SET application_name = 'writer'");
	send_off($writer, "INSERT INTO mail (box_id) VALUES ($box)");
	wait_until_waits($source, 'writer', 'transactionid');
	$run->signal('KILL');
	eval { $run->finish };
	if ($case eq 'commits')
	{
		# Started again, it waits for what the first one has begun
		$run = IPC::Run::start([ command_for($source, $target, '--mailbox', $box), 'mail' ], '<', \undef, '2>', \$again);
		$target->poll_query_until('postgres', "SELECT count(*) = 2 FROM pg_stat_activity"
			. " WHERE application_name = 'modseq-move'") or die 'it does not run';
		$holder->query_safe('SELECT pg_advisory_unlock(1)');
		$run->finish;
		like($again, qr/^begin\n(?:  .*\n)*finish\nmoved$/m, "$case: finished");
		$writer->query('SELECT 1');
		like($writer->{stderr}, qr/mailbox \($box\) does not exist|foreign key/, "$case: who waited fails");
	}
	else
	{
		my $node = $case eq 'crashes' ? $target : $source;

		$node->stop('immediate');
		$node->start;
		is($source->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'), 1, "$case: prepared");
		hang_up($holder);
		$again = moves('mailbox', $box, 'mail');
		like($again, $case eq 'crashes' ? qr/^undo$/m : qr/^begin\n(?:  .*\n)*finish\nmoved$/m, "$case: started again");
	}
	hang_up($holder, $writer);
	in_sync([$client], $target, "$case: moved");
	is($client->told('ok'), 1, "$case: the client does not notice");
	$box++;
}
$target->safe_psql('postgres', 'DROP TRIGGER hold ON box');

# A writer that has locked a message before comes first
my $writer = session($source, 'writer');
$writer->query_safe("BEGIN; SELECT FROM mail WHERE box_id = $box AND uid = 1 FOR UPDATE");
my $err = '';
my $run = IPC::Run::start([ command_for($source, $target, '--mailbox', $box), 'mail' ], '<', \undef, '2>', \$err);
wait_until_waits($source, 'modseq-move', 'transactionid');
$writer->query_safe("UPDATE mail SET flags = '{first}' WHERE box_id = $box AND uid = 1; COMMIT");
$run->finish;
like($err, qr/a writer has some of it; starting over\n.*moved$/s, 'who comes first goes first');
is($target->safe_psql('postgres', "SELECT flags FROM mail WHERE box_id = $box AND uid = 1"), '{first}',
	'and nothing of it is lost');
hang_up($writer);
$box++;

# Two at a time: the second waits until the first is gone, and sees that it has prepared
{
	my $client = ModseqTest::Client->new($box);
	my $holder = session($source, 'holder');
	my ($first, $second) = ('', '');
	my $one;
	my $two;

	in_sync([$client], $source, 'two at a time: before');
	$holder->query_safe('SELECT pg_advisory_lock(5)');
	{
		local $ENV{MODSEQ_MOVE_KILL} = 'decide';
		$one = IPC::Run::start([ command_for($source, $target, '--mailbox', $box, '--source-sql', 'SELECT pg_advisory_lock(5)'),
				'mail' ], '<', \undef, '2>', \$first);
	}
	$source->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
	  or die 'the first does not wait';
	$two = IPC::Run::start([ command_for($source, $target, '--mailbox', $box), 'mail' ], '<', \undef, '2>', \$second,
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	$source->poll_query_until('postgres', 'SELECT count(*) >= 2 FROM pg_locks WHERE NOT granted') or die 'the second does not wait';
	$holder->query_safe('SELECT pg_advisory_unlock(5)');
	eval { $one->finish };
	$two->finish;
	like($second, qr/another modseq-move has it; waiting\nundo\nlock\n.*moved$/s, 'two at a time');
	in_sync([$client], $target, 'two at a time: moved');
	is($client->told('ok'), 1, 'two at a time: the client does not notice');
	hang_up($holder);
	$box++;
}

#
# What is refused
#

my $count = 'SELECT count(*) FROM mail';
my $here = $source->safe_psql('postgres', $count);
$target->safe_psql('postgres', "INSERT INTO box VALUES (25, 'another')");
refuses('mailbox', 25, 'mail', qr/table public.box of the target has rows of mailbox 25 already/);
refuses('mailbox', 99, 'mail', qr/neither at the source nor at the target/);
refuses('mailbox', 'x', 'mail', qr/invalid input syntax/);
refuses('mailbox', '{1,2}', 'mail', qr/invalid input syntax/);
refuses('account', 1, 'mail', qr/has no accounts/);
refuses('mailbox', 3, 'mail', qr/max_prepared_transactions is 0/, from => $target, to => $source);
refuses('mailbox', 25, 'box', qr/not attached/);
$target->safe_psql('postgres', 'CREATE TABLE lone_box (id int PRIMARY KEY); CREATE TABLE lone (id serial, box_id int REFERENCES lone_box)');
$source->safe_psql('postgres', <<'SQL');
CREATE TABLE lone_box (id int PRIMARY KEY); CREATE TABLE lone (id serial, box_id int REFERENCES lone_box);
SELECT modseq.attach('lone', 'lone_box');
INSERT INTO lone_box VALUES (1);
INSERT INTO lone (box_id) VALUES (1);
SQL
refuses('mailbox', 1, 'lone', qr/target: ERROR:  table public.lone is not attached/);
$target->safe_psql('postgres', "SELECT modseq.attach('lone', 'lone_box', changes => 'log')");
refuses('mailbox', 1, 'lone', qr/not attached alike/);
# What is left of another of that name
$target->safe_psql('postgres', <<'SQL');
SELECT modseq.attach('lone', 'lone_box', changes => 'index');
SET session_replication_role = replica;
INSERT INTO lone_vanished (id, modseq, uids) VALUES (1, 2, '1');
SQL
refuses('mailbox', 1, 'lone', qr/table public.lone_vanished of the target has 1 rows of mailbox 1, and not 0/);
$target->safe_psql('postgres', 'DELETE FROM lone_vanished');
$target->safe_psql('postgres', 'DROP INDEX lone_box_id_uid_idx');
refuses('mailbox', 1, 'lone', qr/check\(\) at the target says\nindex on public.lone \(box_id, uid\) is missing/);
$target->safe_psql('postgres', "SELECT modseq.attach('lone', 'lone_box')");
like(moves('mailbox', 1, 'lone'), qr/sequence lone_id_seq is at 1, and column "id" of table lone has 1 now/,
	'a sequence that is behind');

# Foreign keys of the application's: who refers, and what is referred to
foreach my $node ($source, $target)
{
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE part (mail_id bigint REFERENCES mail ON DELETE CASCADE, body text);
CREATE TABLE blob (id int PRIMARY KEY);
ALTER TABLE mail ADD blob_id int REFERENCES blob, ADD reply_to bigint REFERENCES mail;
CREATE TABLE directory (box bigint, server text);
SQL
}
$source->safe_psql('postgres', "INSERT INTO part SELECT id, 'text' FROM mail WHERE box_id = 24");
refuses('mailbox', 24, 'mail', qr/rows of table part that stay refer to what moves/);
my @with = ('--with', 'part:mail_id IN (SELECT id FROM mail WHERE box_id = 24)');
$source->safe_psql('postgres', 'INSERT INTO blob VALUES (7); UPDATE mail SET blob_id = 7 WHERE box_id = 24 AND uid = 1');
refuses('mailbox', 24, 'mail', qr/rows of table mail refer to rows of table blob that are not there/, options => \@with);
$target->safe_psql('postgres', 'INSERT INTO blob VALUES (7)');
$source->safe_psql('postgres', <<'SQL');
UPDATE mail SET reply_to = (SELECT id FROM mail WHERE box_id = 24 AND uid = 2) WHERE box_id = 1 AND uid = (SELECT min(uid) FROM mail WHERE box_id = 1);
SQL
refuses('mailbox', 24, 'mail', qr/rows of table mail that stay refer to what moves/, options => \@with);
$source->safe_psql('postgres', 'UPDATE mail SET reply_to = NULL');
is($source->safe_psql('postgres', $count), $here, 'nothing has gone');
moves('mailbox', 24, 'mail', options => [ @with, '--source-sql', "INSERT INTO directory VALUES (24, 'target')",
		'--target-sql', "INSERT INTO directory VALUES (24, 'here')" ]);
is($target->safe_psql('postgres', 'SELECT count(*), min(server) FROM part, directory'), '11|here', 'others moved, too');
is($source->safe_psql('postgres', 'SELECT count(part), max(server) FROM directory LEFT JOIN part ON true'), '0|target',
	'and are at the source no more');
sound($_, 'refused') foreach $source, $target;

# There and back again
$target->append_conf('postgresql.conf', 'max_prepared_transactions = 5');
$target->restart;
in_sync([$late], $target, 'before it goes back');
$target->safe_psql('postgres', "DELETE FROM mail WHERE box_id = 3 AND uid = 2");
moves('mailbox', 3, 'mail', from => $target, to => $source);
in_sync([ $early, $late ], $source, 'there and back again');
is($late->told('uidvalidity_changed'), 1, 'no client has noticed');
sound($_, 'there and back') foreach $source, $target;

#
# All kinds of store
#

foreach my $store (sort keys %kinds)
{
	$_->safe_psql('postgres', $kinds{$store}) foreach $source, $target;
}
$source->safe_psql('postgres', <<'SQL');
INSERT INTO "In a row" SELECT a, n FROM unnest('{"é{b}",NULL}'::text[]) AS u, coalesce(u, 'NULL') AS a, unnest('{"In,x",Sent}'::text[]) AS n;
INSERT INTO "In its row" SELECT "Acc't", "Na{m}e", i, false FROM "In a row", generate_series(1, 9) AS i;
UPDATE "In its row" SET seen = true WHERE uid = 2;
UPDATE "In its row" SET expunged_at = now() WHERE uid = 3;
INSERT INTO "In flags" SELECT "Acc't", "Na{m}e", uid, 'x' FROM "In its row" WHERE uid > 7;
DELETE FROM "In its row" WHERE uid = 4;
INSERT INTO mixed_box SELECT md5(i::text)::uuid, 'u' || i % 2, 1, 'box ' || i FROM generate_series(1, 6) AS i;
INSERT INTO mixed SELECT gen_random_uuid(), i, id, '["a"]' FROM mixed_box, generate_series(1, 5) AS i;
INSERT INTO mixed_flag SELECT id, 'x' FROM mixed WHERE thread = 2;
INSERT INTO one_source VALUES ('INBOX'), ('Trash');
INSERT INTO one SELECT path, i FROM one_source, generate_series(1, 5) AS i;
INSERT INTO shared_box VALUES (1), (2), (3);
INSERT INTO shared SELECT b, i FROM generate_series(1, 2) AS b, generate_series(b, b + 2) AS i;
INSERT INTO shared VALUES (3, 9);
INSERT INTO shared_flag VALUES (9, 'x');
SQL

my $digest = q{SELECT modseq.digest('"In its row"', '{"é{b}","In,x"}'), modseq.status('"In its row"', '{"é{b}","In,x"}')};
my $changes = q{SELECT modseq.resync('"In its row"', '{"é{b}","In,x"}', uidvalidity, 2) FROM modseq.status('"In its row"', '{"é{b}","In,x"}')};
my $before = value($source, $digest) . value($source, $changes);
refuses('mailbox', 'é{b}', '"In its row"', qr/malformed array|2 column/);
moves('mailbox', '{"é{b}","In,x"}', '"In its row"');
is(value($target, $digest) . value($target, $changes), $before, 'counters in the row: the same answers');
is(value($_, q{SELECT * FROM modseq.check('"In its row"')}), '', 'counters in the row: sound') foreach $source, $target;
is(value($_, 'SELECT count(*) FROM "In flags"'), $_ == $source ? '6' : '2', 'flags by UID') foreach $source, $target;
$target->safe_psql('postgres', q{UPDATE "In its row" SET seen = NOT seen WHERE uid IN (1, 2); DELETE FROM "In its row" WHERE uid = 6});
is(value($target, q{SELECT * FROM modseq.check('"In its row"')}), '', 'counters in the row: goes on');

my $account = q{{u1,1}};
my $states = "SELECT email, mailbox, thread FROM modseq.account_state('mixed', '$account')";
my @old = split /\|/, value($source, $states);
$source->safe_psql('postgres', <<'SQL');
DELETE FROM mixed WHERE thread = 3;
UPDATE mixed_box SET name = 'new' WHERE id = md5('1')::uuid;
DELETE FROM mixed_box WHERE id = md5('3')::uuid;
UPDATE mixed SET flags = '["b"]' WHERE thread = 4;
SQL
my $mail = "SELECT modseq.email_changes('mixed', '$account', '$old[0]'), modseq.mailbox_changes('mixed', '$account', '$old[1]'),"
  . " modseq.thread_changes('mixed', '$account', '$old[2]')";
$before = value($source, $mail);
my $other = value($source, "SELECT modseq.email_changes('mixed', '{u0,1}', email) FROM modseq.account_state('mixed', '{u0,1}')");
like($before, qr/^"?\(ok/, 'an account has changed');
refuses('mailbox', 'x', 'mixed', qr/belong to accounts/);
moves('account', $account, 'mixed');
is(value($target, $mail), $before, 'account: the same answers');
is(value($source, "SELECT modseq.email_changes('mixed', '{u0,1}', email) FROM modseq.account_state('mixed', '{u0,1}')"), $other,
	'account: another one is what it was');
is(value($_, "SELECT * FROM modseq.check('mixed')"), '', 'account: sound') foreach $source, $target;
is(value($source, <<'SQL'), '0', 'account: no ghost');
SELECT (SELECT count(*) FROM mixed_departed WHERE "Owner" = 'u1') + (SELECT count(*) FROM mixed_account WHERE "Owner" = 'u1')
	+ (SELECT count(*) FROM mixed_mailbox WHERE "Owner" = 'u1') + (SELECT count(*) FROM mixed_box WHERE "Owner" = 'u1')
	+ (SELECT count(*) FROM mixed_vanished v WHERE NOT EXISTS (SELECT FROM mixed_box b WHERE b.id = v.id))
SQL
my $step = (grep { /departed/ } @{ [ split /\n/, (move('account', '{u0,1}', 'mixed', kill => 'decide'))[1] ] })[0];
is($step, 'move public.mixed_departed', 'account: killed');
like(moves('account', '{u0,01}', 'mixed'), qr/^undo$/m, 'account: the same by another text');
$target->safe_psql('postgres', "DELETE FROM mixed WHERE thread = 5; DELETE FROM mixed_box WHERE name = 'new'");
like(value($target, "SELECT verdict FROM modseq.email_changes('mixed', '$account', '$old[0]')"), qr/^ok$/, 'account: goes on');
is(value($target, "SELECT * FROM modseq.check('mixed')"), '', 'account: goes on, sound');

moves('account', '{}', 'one');
is(value($_, "SELECT * FROM modseq.check('one')"), '', 'one account: sound') foreach $source, $target;
$source->safe_psql('postgres', "INSERT INTO mixed_box VALUES (gen_random_uuid(), 'u7', 1); DELETE FROM mixed_box WHERE \"Owner\" = 'u7'");
moves('account', '{u7,1}', 'mixed');
is(value($target, "SELECT count(*) FROM mixed_account WHERE \"Owner\" = 'u7'"), '1', 'an account without a mailbox');
is(value($source, 'SELECT (SELECT count(*) FROM one_source) + (SELECT count(*) FROM one_box) + (SELECT count(*) FROM one)'
		. ' + (SELECT count(*) FROM one_account)'), '0', 'one account: all of it');

refuses('mailbox', 1, 'shared', qr/messages are in other mailboxes, too/);
moves('mailbox', 3, 'shared');
is(value($_, "SELECT * FROM modseq.check('shared')"), '', 'shared messages: sound') foreach $source, $target;
is(value($target, 'SELECT * FROM shared_flag'), '9|x', 'shared messages: their flags');

#
# SQL of the user's cannot end the transaction
#

$source->safe_psql('postgres', <<'SQL');
INSERT INTO box SELECT generate_series(101, 110);
INSERT INTO mail (box_id, subject) SELECT b, 'more' FROM generate_series(101, 110) AS b, generate_series(1, 3);
SQL
$_->safe_psql('postgres', 'CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$BEGIN COMMIT; END$$') foreach $source, $target;
foreach my $side ('source', 'target')
{
	foreach my $sql ('COMMIT', 'ROLLBACK', 'COMMIT; BEGIN', "INSERT INTO directory VALUES (101, 'it\\''s'); COMMIT AND CHAIN")
	{
		refuses('mailbox', 101, 'mail', qr/$side: ERROR:  EXECUTE of transaction commands is not implemented/,
			options => [ "--$side-sql", $sql ]);
	}
	refuses('mailbox', 101, 'mail', qr/$side: ERROR:  invalid transaction termination/,
		options => [ "--$side-sql", $_ ]) foreach 'CALL commits()', 'DO $$BEGIN ROLLBACK; END$$';
}
is(value($_, "SELECT (SELECT count(*) FROM mail WHERE box_id = 101), (SELECT count(*) FROM directory WHERE box = 101)"),
	$_ == $source ? '3|0' : '0|0', 'SQL that ends the transaction: nothing has moved') foreach $source, $target;
moves('mailbox', 101, 'mail', options => [ '--source-sql', "INSERT INTO directory VALUES (101, E'it\\'s'); SELECT 1",
		'--target-sql', 'CREATE TABLE moved (box int); INSERT INTO moved VALUES (101)' ]);
is(value($source, 'SELECT server FROM directory WHERE box = 101') . value($target, 'SELECT box FROM moved'), "it's101",
	'SQL with quotes, and of several commands');

#
# The source is in another incarnation, in which the mailbox has not been written to
#

$source->safe_psql('postgres', <<'SQL');
INSERT INTO lone_box VALUES (2);
INSERT INTO lone (id, box_id) VALUES (102, 2);
INSERT INTO mixed_box SELECT md5('p' || i)::uuid, 'p' || (i + 1) / 2, 1 FROM generate_series(1, 3) AS i;
INSERT INTO mixed SELECT gen_random_uuid(), 1, id, '[]' FROM mixed_box;
DELETE FROM mixed_box WHERE "Owner" = 'p2';
INSERT INTO "In its row" VALUES ('NULL', 'Sent', 20);
SQL
my $incarnation = value($source, 'SELECT modseq.recovered()');
moves('mailbox', 2, 'lone');
moves('mailbox', '{"NULL",Sent}', '"In its row"');
moves('account', "{p$_,1}", 'mixed') foreach 1, 2;
is(value($target, <<"SQL"), 'lone,ok|row,ok|box,ok|box,ok|account,ok|account,ok', 'another incarnation: beyond it');
SELECT string_agg(what || ',' || CASE WHEN n > $incarnation THEN 'ok' ELSE n::text END, '|' ORDER BY place) FROM (
	SELECT 1, 'lone', highestmodseq::bigint FROM modseq.status('lone', 2)
	UNION ALL SELECT 2, 'row', highestmodseq::bigint FROM modseq.status('"In its row"', '{"NULL",Sent}')
	UNION ALL SELECT 3, 'box', highestmodseq FROM mixed_mailbox WHERE "Owner" = 'p1'
	UNION ALL SELECT 4, 'account', highestmodseq FROM mixed_account WHERE "Owner" IN ('p1', 'p2')) AS u (place, what, n)
SQL
cmp_ok(value($target, "SELECT uidnext FROM modseq.status('lone', 2)"), '>', 10000, 'another incarnation: UIDs are left out');
is(value($target, "SELECT * FROM modseq.check('lone'); SELECT * FROM modseq.check('mixed')"), '', 'another incarnation: sound');
is(value($target, "SELECT verdict FROM modseq.resync('lone', 2, (SELECT uidvalidity FROM modseq.status('lone', 2)), 1000)"),
	'unknown_modseq', 'another incarnation: what was lost is unknown');

#
# A key that is padded
#

$_->safe_psql('postgres', <<'SQL') foreach $source, $target;
CREATE TABLE padded_box (id char(10) PRIMARY KEY);
CREATE TABLE padded (id int, box_id char(10) NOT NULL REFERENCES padded_box);
SELECT modseq.attach('padded', 'padded_box');
SQL
$source->safe_psql('postgres', "INSERT INTO padded_box VALUES ('I'), ('INBOX'); INSERT INTO padded VALUES (1, 'I'), (2, 'INBOX')");
moves('mailbox', 'INBOX', 'padded');
is(value($target, 'SELECT trim(box_id), id FROM padded'), 'INBOX|2', 'a key of type character');

# A mailbox that the target gets besides takes a UIDVALIDITY
moves('mailbox', 102, 'mail', options => [ '--target-sql', 'INSERT INTO box VALUES (500)' ]);
is(value($target, 'SELECT count(*) FROM mail_mailbox WHERE id IN (102, 500)'), '2', 'a mailbox that the target makes besides');
is(value($target, 'SELECT uidvalidity > (SELECT uidvalidity FROM mail_mailbox WHERE id = 102) FROM mail_mailbox WHERE id = 500'),
	't', 'its UIDVALIDITY is higher');

#
# A table whose condition reads another one that moves
#

$_->safe_psql('postgres', <<'SQL') foreach $source, $target;
CREATE TABLE body (id int PRIMARY KEY, mail_id bigint REFERENCES mail);
CREATE TABLE attached (id int PRIMARY KEY, body_id int REFERENCES body);
SQL
$source->safe_psql('postgres', <<'SQL');
INSERT INTO body SELECT row_number() OVER (ORDER BY box_id, uid), id FROM mail WHERE box_id IN (103, 104);
INSERT INTO attached SELECT id, id FROM body;
SQL

sub chain
{
	my ($mailbox) = @_;
	my $bodies = "mail_id IN (SELECT id FROM mail WHERE box_id = $mailbox)";

	return [ [ '--with', "body:$bodies" ], [ '--with', "attached:body_id IN (SELECT id FROM body WHERE $bodies)" ] ];
}

refuses('mailbox', 103, 'mail', qr/table public.attached had 3 rows to move, and 0 when others were gone/,
	options => [ map { @$_ } @{ chain(103) } ]);
moves('mailbox', 103, 'mail', options => [ map { @$_ } reverse @{ chain(103) } ]);
is(value($_, 'SELECT (SELECT count(*) FROM body), count(*) FROM attached'), '3|3', 'a chain') foreach $source, $target;

#
# Foreign keys, while others write
#

# Whoever refers to a message that is on its way waits. So that it takes long, the target's table of another part is locked.
{
	my $holder = session($target, 'holder');
	my $said = '';

	$_->safe_psql('postgres', 'CREATE TABLE child (mail_id bigint REFERENCES mail)') foreach $source, $target;
	$holder->query_safe('BEGIN; LOCK TABLE body');
	$run = IPC::Run::start([ command_for($source, $target, '--mailbox', 104, map { @$_ } reverse @{ chain(104) }), 'mail' ],
		'<', \undef, '2>', \$said);
	wait_until_waits($target, 'modseq-move', 'relation');
	is(sqlstate($source, "SET lock_timeout = '100ms'; INSERT INTO child SELECT id FROM mail WHERE box_id = 104"), '55P03',
		'who refers to what moves waits');
	$holder->query_safe('COMMIT');
	$run->finish;
	like($said, qr/^moved$/m, 'and it moves');

	# What is referred to goes at the target
	value($target, 'INSERT INTO blob VALUES (8)');
	value($source, 'INSERT INTO blob VALUES (8); UPDATE mail SET blob_id = 8 WHERE box_id = 105 AND uid = 1');
	$said = '';
	$holder->query_safe('BEGIN; DELETE FROM blob WHERE id = 8');
	$run = IPC::Run::start([ command_for($source, $target, '--mailbox', 105), 'mail' ], '<', \undef, '2>', \$said);
	wait_until_waits($target, 'modseq-move', 'transactionid');
	$holder->query_safe('COMMIT');
	$run->finish;
	like($said, qr/rows of table mail refer to rows of table blob that are not there/, 'what is referred to is about to go');
	value($target, 'INSERT INTO blob VALUES (8)');
	$holder->query_safe('BEGIN; UPDATE blob SET id = id WHERE id = 8');
	moves('mailbox', 105, 'mail');
	hang_up($holder);
}

#
# Names and keys that look like what we put together
#

$_->safe_psql('postgres', <<'SQL') foreach $source, $target;
CREATE TABLE "b%d" (id text PRIMARY KEY);
CREATE TABLE "m%d" (id serial PRIMARY KEY, box_id text NOT NULL REFERENCES "b%d");
SELECT modseq.attach('"m%d"', '"b%d"');
SQL
my @odd = ('1', '@store@', '@chosen@', '%s', q{it's \\}, '{b.name}', '$1');
$source->safe_psql('postgres', 'INSERT INTO "b%d" VALUES ' . join(', ', map { my $key = s/'/''/gr; "('$key')" } @odd));
$source->safe_psql('postgres', 'INSERT INTO "m%d" (box_id) SELECT id FROM "b%d"');
like(moves('mailbox', $_, '"m%d"'), qr/sequence "m%d_id_seq" is at 1, and column "id" of table "m%d" has \d now: if both/,
	'the sequence is named') foreach @odd;
is(value($target, 'SELECT count(*) FROM "m%d" JOIN "b%d" b ON b.id = box_id'), scalar @odd, 'odd names');

#
# Bytes that are in no encoding
#

move_in('bytes');
foreach my $node ($source, $target)
{
	$node->safe_psql('postgres', "CREATE DATABASE bytes TEMPLATE template0 ENCODING SQL_ASCII LOCALE 'C'");
	create_store($node, 'bytes', 0);
}
$source->safe_psql('bytes', "SET client_encoding = SQL_ASCII; INSERT INTO box VALUES (1, 'box'); INSERT INTO mail (box_id, subject) VALUES (1, E'caf\\xe9')");
moves('mailbox', 1, 'mail');
is($target->safe_psql('bytes', "SELECT encode(subject::bytea, 'hex') FROM mail"), '636166e9', 'bytes that are in no encoding');

$_->stop foreach $source, $target;
done_testing();
