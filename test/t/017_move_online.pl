# modseq-move --online: writers go on while rows are copied, nothing of what they do is missed, and nothing is left of one
# that was killed.

use strict;
use warnings FATAL => 'all';

use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;
use ModseqTest::Move;

my ($source, $target) = move_servers("max_prepared_transactions = 5\n");

$_->start foreach $source, $target;
is($source->safe_psql('postgres', 'SHOW wal_level'), 'minimal', 'no WAL is decoded, and none is kept');
create_store($source, 'postgres', 40);
create_store($target, 'postgres', 0);
$_->safe_psql('postgres', <<'SQL') foreach $source, $target;
CREATE TABLE part (mail_id bigint, body text, size int GENERATED ALWAYS AS (length(body)) STORED);
ALTER TABLE mail ADD serial bigint GENERATED ALWAYS AS IDENTITY, ADD noted text;
SQL
$target->safe_psql('postgres', "SELECT setval('mail_id_seq', 1000000), setval('box_id_seq', 1000)");
$source->safe_psql('postgres', <<'SQL');
INSERT INTO mail (box_id, subject) SELECT b, 'old' FROM generate_series(1, 40) AS b, generate_series(1, 12);
UPDATE mail SET flags = '{seen}' WHERE uid IN (2, 3);
INSERT INTO mail_flag SELECT id, 'x' FROM mail WHERE uid IN (3, 4);
DELETE FROM mail WHERE uid = 5;
SQL

# Start one, which stops at a table of the target's that is locked until the returned session is hung up
sub start_held
{
	my ($table, $err, @arguments) = @_;
	my $holder = session($target, 'holder');
	my $run;

	$holder->query_safe("BEGIN; LOCK TABLE $table IN EXCLUSIVE MODE");
	$run = IPC::Run::start([ command_for($source, $target, '--online', @arguments), 'mail' ],
		'<', \undef, '2>', $err, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	wait_until_waits($target, 'modseq-move', 'relation');
	return ($run, $holder);
}

# Until it has said that
sub wait_until_said
{
	my ($run, $err, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	eval { $run->pump until $$err =~ $what };
	like($$err, $what, 'it says so');
	return;
}

#
# All that writers can do to a mailbox while it is copied, and at the last moment
#

my $rows = <<'SQL';
SELECT md5(string_agg(r, chr(10) ORDER BY r)) FROM (
	SELECT mail::text FROM mail WHERE box_id = 3
	UNION ALL SELECT f::text FROM mail_flag f JOIN mail ON id = mail_id WHERE box_id = 3
	UNION ALL SELECT p::text FROM part p JOIN mail ON id = mail_id WHERE box_id = 3
	UNION ALL SELECT v::text FROM mail_vanished v WHERE id = 3
	UNION ALL SELECT b::text FROM mail_mailbox b WHERE id = 3) AS u (r)
SQL
$source->safe_psql('postgres', <<'SQL');
INSERT INTO mail (box_id, subject) SELECT 3, 'many' FROM generate_series(1, 12000);
INSERT INTO part SELECT id, repeat('body ' || id, 10) FROM mail WHERE box_id IN (3, 4);
INSERT INTO part SELECT id, string_agg(md5(i::text), '') FROM mail, generate_series(1, 5000) AS i WHERE box_id = 3 AND uid = 7 GROUP BY id;
SQL
{
	my $client = ModseqTest::Client->new(3);
	my ($run, $holder, $err);

	in_sync([$client], $source, 'before');
	($run, $holder) = start_held('mail_vanished', \$err, '--mailbox', 3,
		'--with', 'part:mail_id IN (SELECT id FROM mail WHERE box_id = 3)');
	wait_until_said($run, \$err, qr/^copy public\.mail\n  \d+ rows in all\ncopy public\.mail_vanished\n\z/m);
	is(value($target, 'SELECT (SELECT count(*) FROM mail) + (SELECT count(*) FROM part)'), '0', 'nobody sees it');
	# Nobody waits. What is written anew is elsewhere then, and what was elsewhere is there
	is(sqlstate($source, "SET lock_timeout = '100ms'; $_"), '', $_) foreach split /;\n/, <<'SQL';
UPDATE mail SET flags = '{new}' WHERE box_id = 3 AND uid % 7 = 1;
UPDATE mail SET noted = 'no flag' WHERE box_id = 3 AND uid % 11 = 1;
UPDATE part SET body = body || '!' WHERE mail_id % 50 = 1;
DELETE FROM part WHERE mail_id % 50 = 2;
DELETE FROM mail WHERE box_id = 3 AND uid % 5 = 2;
INSERT INTO mail_flag SELECT id, 'y' FROM mail WHERE box_id = 3 AND uid % 100 = 3 ON CONFLICT DO NOTHING;
DELETE FROM mail_flag USING mail WHERE id = mail_id AND box_id = 3 AND uid = 3 AND flag = 'x';
UPDATE mail SET box_id = 3 WHERE box_id = 4 AND uid IN (3, 4);
UPDATE mail SET box_id = 4 WHERE box_id = 3 AND uid IN (4, 8);
INSERT INTO mail (box_id, subject) SELECT 3, 'late' FROM generate_series(1, 1500);
DELETE FROM mail WHERE box_id = 3 AND subject = 'late' AND uid % 2 = 0;
VACUUM mail, part, mail_flag, mail_vanished, mail_mailbox;
SQL
	# Whoever has it now comes before the fence
	my $writer = session($source, 'writer');
	$writer->query_safe(<<'SQL');
BEGIN;
UPDATE mail SET flags = '{last}' WHERE box_id = 3 AND uid = 9;
SQL
	$holder->query_safe('COMMIT');
	wait_until_waits($source, 'modseq-move', 'transactionid');
	wait_until_said($run, \$err, qr/^catch up\n  \d{4,5} rows\n(?:catch up\n  0 rows\n)?lock\n\z/m);
	# Rows that one transaction has written are where others of it have been
	$source->safe_psql('postgres', 'VACUUM FULL part');
	$writer->query_safe(<<'SQL');
INSERT INTO mail (box_id, subject) VALUES (3, 'last');
DELETE FROM mail WHERE box_id = 3 AND uid = 10;
DELETE FROM mail_flag USING mail WHERE id = mail_id AND box_id = 3 AND uid = 103;
UPDATE mail SET box_id = 3 WHERE box_id = 4 AND uid IN (6, 13);
UPDATE part SET body = 'last' FROM mail WHERE id = mail_id AND box_id = 3 AND uid = 11;
SQL
	my $before = $writer->query_safe($rows);
	$writer->query_safe('COMMIT');
	$run->finish;
	like($err, qr/writers have waited for \d+ ms\nmoved\n\z/, 'it moves') or diag $err;
	cmp_ok(($err =~ /^move public\.mail\n  \d+ rows in all, (\d+) of them changes$/m)[0], '<', 20, 'few rows are changes');
	is(value($target, $rows), $before, 'all is as it was');
	in_sync([$client], $target, 'moved');
	is($client->told('ok'), 1, 'a client does not notice');
	is(value($source, <<'SQL'), '0', 'no ghost');
SELECT (SELECT count(*) FROM mail WHERE box_id = 3) + (SELECT count(*) FROM box WHERE id = 3)
	+ (SELECT count(*) FROM mail_vanished WHERE id = 3) + (SELECT count(*) FROM mail_mailbox WHERE id = 3)
	+ (SELECT count(*) FROM mail_flag WHERE mail_id NOT IN (SELECT id FROM mail))
SQL
	sound($_, 'moved') foreach $source, $target;
	hang_up($holder, $writer);
}

#
# Writers all the time
#

{
	my $load = ModseqTest::Load->start($source, 2);
	my $client = ModseqTest::Client->new(1);
	my ($err, $said) = ('', '');
	my $script = $source->basedir . '/online.sql';

	append_to_file($script, <<'SQL');
INSERT INTO mail (box_id, subject) VALUES (6, 'online');
UPDATE mail SET flags = ARRAY['f' || :client_id] WHERE box_id = 6 AND uid = 1 + :client_id;
DELETE FROM mail WHERE box_id = 6 AND uid = (SELECT max(uid) FROM mail WHERE box_id = 6) - 5;
SQL
	my $writers = IPC::Run::start([ 'pgbench', '--no-vacuum', '--client=3', '--time=60', '--rate=300', '--max-tries=100',
			'--host', $source->host, '--port', $source->port, '-f', $script, 'postgres' ], '<', \undef, '>&', \$said);
	$load->work(10);
	in_sync([$client], $source, 'load: before');
	my ($run, $holder) = start_held('mail_vanished', \$err, '--mailbox', 6);
	my $now = highest($source, 6);
	$source->poll_query_until('postgres', "SELECT highestmodseq > $now + 50 FROM modseq.status('mail', 6)") or die 'no writers';
	hang_up($holder);
	$run->finish;
	like($err, qr/^moved$/m, 'load: moves') or diag $err;
	$writers->finish;
	like($said, qr/violates foreign key constraint|mailbox \(6\) does not exist/, 'load: writers fail then');
	$load->work(20);
	$load->stop;
	cmp_ok(highest($target, 6), '>', $now + 50, 'load: what was written meanwhile is there');
	in_sync([$client], $source, 'load: others go on');
	sound($_, 'load') foreach $source, $target;
}

#
# Killed before each step
#

my @steps = do { my %seen; grep { !/^ / && !$seen{$_}++ } split /\n/, moves('mailbox', 7, 'mail', options => ['--online']) };
is(pop @steps, 'moved', 'the last line');
is(scalar @steps, 18, 'steps') or diag join ', ', @steps;
my $box = 8;
my $prepared = 0;
my $left = <<'SQL';
SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_publication)
	+ (SELECT count(*) FROM pg_subscription) + (SELECT count(*) FROM pg_class WHERE relname LIKE '%move\_%')
SQL
foreach my $step (@steps)
{
	my $client = ModseqTest::Client->new($box);
	my ($code, $err);

	in_sync([$client], $source, "$step: before");
	($code, $err) = move('mailbox', $box, 'mail', kill => $step, options => ['--online']);
	is($code, 'signal 9', "$step: killed") or diag $err;
	alone();
	$prepared ||= $step eq 'decide';
	is(value($_, $left), '0', "$step: nothing is left") foreach $source, $target;
	is(value($source, 'SELECT count(*) FROM pg_prepared_xacts'), $prepared ? 1 : 0, "$step: transactions at the source");
	is(value($target, "SELECT (SELECT count(*) FROM mail WHERE box_id = $box), (SELECT count(*) FROM mail_mailbox WHERE id = $box)"),
		$step eq 'finish' ? '11|1' : '0|0', "$step: rows at the target");
	is(sqlstate($source, "SET lock_timeout = '100ms'; UPDATE mail SET flags = '{source}' WHERE box_id = $box AND uid = 1"),
		$prepared ? '55P03' : '', "$step: a writer at the source");
	# Started again, online or not
	$err = moves('mailbox', $box, 'mail', options => [ ('--online') x ($box % 2) ]);
	like($err, qr/^undo$/m, "$step: undone") if $step eq 'decide';
	like($err, qr/^begin\n(?:  .*\n)*finish\nmoved$/m, "$step: finished") if $step eq 'finish';
	is(value($source, 'SELECT count(*) FROM pg_prepared_xacts'), 0, "$step: no transaction is left");
	in_sync([$client], $target, "$step: moved");
	is($client->told('ok'), 1, "$step: the client does not notice");
	$box++;
}
sound($_, 'killed everywhere') foreach $source, $target;

# While it copies, and the server with it
foreach my $case ('killed', 'target crashes', 'source crashes')
{
	my $err = '';
	my ($run, $holder) = start_held('mail_vanished', \$err, '--mailbox', $box);

	if ($case eq 'killed')
	{
		$run->signal('KILL');
	}
	else
	{
		my $node = $case eq 'target crashes' ? $target : $source;

		$node->stop('immediate');
		$node->start;
	}
	hang_up($holder);
	eval { $run->finish };
	unlike($err, qr/^moved$/m, "$case in the middle");
	like($err, qr/Nothing has moved/, "$case: it says so") if $case ne 'killed';
	alone();
	is(value($_, $left), '0', "$case in the middle: nothing is left") foreach $source, $target;
	is(value($target, "SELECT count(*) FROM mail WHERE box_id = $box"), '0', "$case in the middle: no rows at the target");
	is(sqlstate($source, "UPDATE mail SET flags = '{source}' WHERE box_id = $box AND uid = 1"), '', "$case in the middle: writers go on");
}
moves('mailbox', $box++, 'mail', options => ['--online']);

# Who has locked a message goes first, and nothing is copied again for that
{
	my $writer = session($source, 'writer');
	my $err = '';

	$writer->query_safe("BEGIN; SELECT FROM mail WHERE box_id = $box AND uid = 1 FOR UPDATE");
	my $run = IPC::Run::start([ command_for($source, $target, '--online', '--mailbox', $box), 'mail' ], '<', \undef, '2>', \$err);
	wait_until_waits($source, 'modseq-move', 'transactionid');
	$writer->query_safe("UPDATE mail SET flags = '{first}' WHERE box_id = $box AND uid = 1; COMMIT");
	$run->finish;
	like($err, qr/a writer has some of it; starting over\nlock\n.*moved$/s, 'who comes first goes first');
	is(scalar(() = $err =~ /^copy public\.mail$/mg), 1, 'and nothing is copied again');
	is(value($target, "SELECT flags FROM mail WHERE box_id = $box AND uid = 1"), '{first}', 'nothing of it is lost');
	hang_up($writer);
	$box++;
}

#
# All kinds of store, there and back again
#

foreach my $store (sort keys %kinds)
{
	value($_, $kinds{$store}) foreach $source, $target;
}
value($source, <<'SQL');
INSERT INTO "In a row" SELECT a, n FROM unnest('{"é{b}",NULL}'::text[]) AS u, coalesce(u, 'NULL') AS a, unnest('{"In,x",Sent}'::text[]) AS n;
INSERT INTO "In its row" SELECT "Acc't", "Na{m}e", i, false FROM "In a row", generate_series(1, 9) AS i;
UPDATE "In its row" SET expunged_at = now() WHERE uid = 3;
INSERT INTO "In flags" SELECT "Acc't", "Na{m}e", uid, 'x' FROM "In its row" WHERE uid > 7;
DELETE FROM "In its row" WHERE uid = 4;
INSERT INTO mixed_box SELECT md5(i::text)::uuid, 'u' || i % 2, 1, 'box ' || i FROM generate_series(1, 6) AS i;
INSERT INTO mixed SELECT gen_random_uuid(), i, id, '["a"]' FROM mixed_box, generate_series(1, 5) AS i;
INSERT INTO mixed_flag SELECT id, 'x' FROM mixed WHERE thread = 2;
DELETE FROM mixed WHERE thread = 3;
INSERT INTO one_source VALUES ('INBOX'), ('Trash');
INSERT INTO one SELECT path, i FROM one_source, generate_series(1, 5) AS i;
INSERT INTO shared_box VALUES (3);
INSERT INTO shared VALUES (3, 9);
INSERT INTO shared_flag VALUES (9, 'x');
SQL
foreach my $case (
	[ 'mailbox', '{"é{b}","In,x"}', 'In its row', q{SELECT modseq.digest('"In its row"', '{"é{b}","In,x"}'), modseq.status('"In its row"', '{"é{b}","In,x"}'), modseq.resync('"In its row"', '{"é{b}","In,x"}', s.uidvalidity, 2) FROM modseq.status('"In its row"', '{"é{b}","In,x"}') AS s} ],
	[ 'account', '{u1,1}', 'mixed', q{SELECT modseq.account_state('mixed', '{u1,1}'), md5(string_agg(mixed::text, '' ORDER BY mixed)) FROM mixed JOIN mixed_box b ON b.id = box WHERE "Owner" = 'u1'} ],
	[ 'account', '{}', 'one', q{SELECT modseq.account_state('one', '{}'), md5(string_agg(one::text, '' ORDER BY one)) FROM one} ],
	[ 'mailbox', 3, 'shared', q{SELECT modseq.digest('shared', 3), string_agg(flag, ',') FROM shared_flag WHERE id = 9} ])
{
	my ($what, $key, $store, $query) = @$case;
	my $quoted = qq{"$store"};
	my $before;

	# The first one takes a number of the incarnation
	moves($what, $key, $quoted, options => ['--online']);
	$before = value($target, $query);
	moves($what, $key, $quoted, options => ['--online'], from => $target, to => $source);
	is(value($source, $query), $before, "$store: there and back again");
	is(value($_, "SELECT * FROM modseq.check('$quoted')"), '', "$store: sound") foreach $source, $target;
}
is(value($source, q{SELECT count(*) FROM "In flags" f WHERE f."Acc't" = 'é{b}' AND f."Na{m}e" = 'In,x'}), '2', 'flags by UID');

#
# Another incarnation
#

# It begins just before the lock; the mailbox takes a number of it first
foreach my $option ('online', 'offline')
{
	my $writer = session($source, 'writer');
	my $err = '';
	my $incarnation;

	$writer->query_safe("BEGIN; SELECT FROM mail_mailbox WHERE id = $box FOR KEY SHARE");
	my $run = IPC::Run::start([ command_for($source, $target, ('--online') x ($option eq 'online'), '--mailbox', $box), 'mail' ],
		'<', \undef, '2>', \$err);
	wait_until_waits($source, 'modseq-move', 'transactionid');
	$incarnation = value($source, 'SELECT modseq.recovered()');
	$writer->query_safe('COMMIT');
	$run->finish;
	like($err, qr/another incarnation has begun; starting over\n.*moved$/s, "$option: another incarnation");
	cmp_ok(highest($target, $box), '>', $incarnation, "$option: the mailbox is beyond it");
	hang_up($writer);
	$box++;
}
sound($_, 'incarnation') foreach $source, $target;

#
# What is remembered of mailboxes that are gone goes on in the source's incarnation
#

$_->safe_psql('postgres', <<'SQL') foreach $source, $target;
CREATE TABLE shelf (id bigint PRIMARY KEY, owner text NOT NULL);
CREATE TABLE shelved (id bigint PRIMARY KEY, shelf bigint NOT NULL, seen boolean);
SELECT modseq.attach('shelved', 'shelf', account => '{owner}');
SQL
$source->safe_psql('postgres', <<'SQL');
INSERT INTO shelf VALUES (1, 'a'), (2, 'a');
INSERT INTO shelved VALUES (1, 1), (2, 1), (3, 2);
UPDATE shelved SET seen = true WHERE id = 2;
DELETE FROM shelf WHERE id = 1;
SQL
{
	my ($uidvalidity, $uidnext, $highest) = split /\|/, value($source, <<'SQL');
SELECT uidvalidity, uidnext, highestmodseq FROM shelved_mailbox WHERE id = 1
SQL
	my $incarnation = value($source, 'SELECT modseq.recovered()');

	moves('account', 'a', 'shelved', options => ['--online']);
	value($target, "INSERT INTO shelf VALUES (1, 'a')");
	is(value($target, <<"SQL"), 't|unknown_modseq|ok', 'remembered: what was lost is unknown');
SELECT s.highestmodseq > $incarnation, l.verdict, k.verdict FROM modseq.status('shelved', 1) AS s,
	modseq.resync('shelved', 1, $uidvalidity, $highest + 1) AS l, modseq.resync('shelved', 1, $uidvalidity, $highest) AS k
SQL
	cmp_ok(value($target, "INSERT INTO shelved VALUES (4, 1) RETURNING uid"), '>', $uidnext + 9999, 'remembered: UIDs are left out');
	is(value($_, "SELECT * FROM modseq.check('shelved')"), '', 'remembered: sound') foreach $source, $target;
}

#
# Without a superuser
#

$_->safe_psql('postgres', <<'SQL') foreach $source, $target;
CREATE ROLE mover LOGIN;
CREATE SCHEMA AUTHORIZATION mover;
SET SESSION AUTHORIZATION mover;
CREATE TABLE mover.own_box (id int PRIMARY KEY);
CREATE TABLE mover.own (id int PRIMARY KEY, box_id int NOT NULL REFERENCES mover.own_box, flags text[]);
SELECT modseq.attach('mover.own', 'mover.own_box');
SQL
value($source, <<'SQL');
INSERT INTO mover.own_box SELECT generate_series(1, 2);
INSERT INTO mover.own SELECT 10 * b + i, b FROM generate_series(1, 2) AS b, generate_series(1, 5) AS i;
SQL
refuses('mailbox', 1, 'mover.own', qr/GRANT SET ON PARAMETER session_replication_role TO mover/, user => 'mover');
value($_, 'GRANT SET ON PARAMETER session_replication_role TO mover') foreach $source, $target;
moves('mailbox', 1, 'mover.own', user => 'mover');
moves('mailbox', 2, 'mover.own', user => 'mover', options => ['--online']);
is(value($target, "SELECT count(*) FROM mover.own"), '10', 'no superuser: moved');
is(value($_, "SELECT * FROM modseq.check('mover.own')"), '', 'no superuser: sound') foreach $source, $target;
cmp_ok(value($target, 'SELECT modseq.next_uidvalidity()'), '>', value($source, 'SELECT last_value FROM modseq.uidvalidity_seq'),
	'no superuser: UIDVALIDITY is above the source\'s');
value($source, "INSERT INTO mover.own_box VALUES (3); SELECT setval('modseq.uidvalidity_seq', extract(epoch FROM now())::bigint + 10000000)");
refuses('mailbox', 3, 'mover.own', qr/UIDVALIDITY is ahead of the target's clock/, user => 'mover');

$_->stop foreach $source, $target;
done_testing();
