# A standby that lags has not lost anything: who knows more is told that it is behind, and can wait for it. Who
# waits reads by new snapshots, only when something was committed, and keeps no lock and no snapshot in between:
# with max_standby_streaming_delay = -1 and no feedback, replay would wait for it for ever.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;

my $long = "'$PostgreSQL::Test::Utils::timeout_default s'";
my $primary = new_server('primary', <<'CONF', allows_streaming => 1);
autovacuum = off
hot_standby_feedback = off
max_standby_streaming_delay = -1
CONF

$primary->start;
create_store($primary, 'postgres', 3);
$primary->safe_psql('postgres', <<'SQL');
INSERT INTO mail (box_id, subject) SELECT b, 'old' FROM generate_series(1, 3) AS b, generate_series(1, 10);
CREATE TABLE folder (id bigint PRIMARY KEY, owner text NOT NULL);
CREATE TABLE letter (id bigint PRIMARY KEY, folder_id bigint NOT NULL REFERENCES folder ON DELETE CASCADE, seen boolean);
SELECT modseq.attach('letter', 'folder', account => '{owner}');
INSERT INTO folder VALUES (1, 'a');
INSERT INTO letter SELECT i, 1 FROM generate_series(1, 10) AS i;
SQL
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);

sub pause
{
	$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
	$standby->poll_query_until('postgres', "SELECT pg_get_wal_replay_pause_state() = 'paused'")
	  or die 'replay is not paused';
	return;
}

sub resume
{
	$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
	return;
}

# A session that waits on a node, and what it has been told
sub waiter
{
	my ($node, $name, $sql) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0);

	$session->query_safe("SET application_name = '$name'");
	send_off($session, $sql);
	wait_until_waits($node, $name, 'Extension');
	return $session;
}

sub answer_of
{
	my ($session) = @_;
	my $answer = $session->query('SELECT 1') =~ s/\n?1$//r;

	hang_up($session);
	return $answer;
}

# What a backend holds while it waits
sub holds
{
	my ($node, $name) = @_;

	return $node->safe_psql('postgres', <<"SQL");
SELECT coalesce(backend_xmin::text, 'no snapshot'),
	(SELECT count(*) FROM pg_locks l WHERE l.pid = a.pid AND l.locktype <> 'virtualxid') || ' locks'
FROM pg_stat_activity a WHERE application_name = '$name'
SQL
}

#
# Behind
#

my $status = "SELECT uidvalidity, uidnext, highestmodseq FROM modseq.status('mail', %s)";
my ($uidvalidity, undef, $modseq) = split /\|/, $primary->safe_psql('postgres', sprintf $status, 1);
my $email_before = $primary->safe_psql('postgres', "SELECT email FROM modseq.account_state('letter', 'a')");
my ($old) = split /\|/, $primary->safe_psql('postgres', sprintf $status, 2);

pause();
$primary->safe_psql('postgres', <<'SQL');
UPDATE mail SET flags = '{new}' WHERE box_id = 1 AND uid = 1;
DELETE FROM mail WHERE box_id = 1 AND uid = 2;
SELECT modseq.reset_uidvalidity('mail', 2);
UPDATE letter SET seen = true WHERE id IN (1, 2, 3);
INSERT INTO folder VALUES (2, 'b');
INSERT INTO box VALUES (9, 'new');
INSERT INTO mail (box_id) VALUES (9);
SQL
my ($new) = split /\|/, $primary->safe_psql('postgres', sprintf $status, 2);
my $known = highest($primary, 1);
my ($email, $mailbox) = split /\|/,
  $primary->safe_psql('postgres', "SELECT email, mailbox FROM modseq.account_state('letter', 'a')");
my $in_walk = $primary->safe_psql('postgres',
	"SELECT new_state FROM modseq.email_changes('letter', 'a', '$email_before', 1)");
my $other = $primary->safe_psql('postgres', "SELECT mailbox FROM modseq.account_state('letter', 'b')");

cmp_ok($known, '>', $modseq, 'the client knows more');
is($standby->safe_psql('postgres', <<"SQL"), "behind|$uidvalidity|11|$modseq|null|null|null", 'resync: behind');
SELECT verdict, uidvalidity, uidnext, highestmodseq, coalesce(vanished::text, 'null'),
	coalesce(first_vanished::text, 'null'), coalesce(changed::text, 'null')
FROM modseq.resync('mail', 1, $uidvalidity, $known, '1:5', '1', '1')
SQL
is($standby->safe_psql('postgres', "SELECT verdict, changed FROM modseq.resync('mail', 1, $uidvalidity, $modseq)"),
	'ok|', 'resync: who knows no more is not behind');
is($standby->safe_psql('postgres', "SELECT verdict FROM modseq.resync('mail', 2, $new, 1)"),
	'behind', 'resync: a UIDVALIDITY that is to come');
is($standby->safe_psql('postgres', "SELECT verdict FROM modseq.resync('mail', 2, $old - 1, $known)"),
	'uidvalidity_changed', 'resync: one that was');
is($primary->safe_psql('postgres', "SELECT verdict FROM modseq.resync('mail', 1, $uidvalidity, $known + 1)"),
	'unknown_modseq', 'resync: the primary is not behind');
is($standby->safe_psql('postgres', "SELECT count(*) FROM modseq.changed_since('mail', 1, $known)"),
	'0', 'changed_since: nothing');
is($standby->safe_psql('postgres', "SELECT modseq.vanished_since('mail', 1, $known)"), '', 'vanished_since: nothing');
my (undef, undef, $stderr) = $standby->psql('postgres', "SELECT FROM modseq.resync('mail', 9, 1, 1)");
like($stderr, qr/mailbox \(9\) does not exist.*HINT:  The server is in recovery/s, 'a mailbox that is to come');
(undef, undef, $stderr) = $standby->psql('postgres', "SELECT FROM modseq.account_state('letter', 'b')");
like($stderr, qr/account \(b\) does not exist.*HINT:  The server is in recovery/s, 'an account that is to come');

foreach my $state ([ 'email', $email ], [ 'email', $in_walk ], [ 'mailbox', $mailbox ])
{
	my ($kind, $since) = @$state;
	my $changes = "verdict, created IS NULL FROM modseq.${kind}_changes('letter', 'a', '%s')";

	is($standby->safe_psql('postgres', sprintf "SELECT $changes", $since), 'behind|t', "${kind}_changes: behind");
	is($standby->safe_psql('postgres', sprintf "SELECT $changes", "x$since"), 'unknown|t', "${kind}_changes: no state");
	is($primary->safe_psql('postgres', sprintf "SELECT $changes", "${since}f"), 'unknown|t',
		"${kind}_changes: the primary is not behind");
}
is($standby->safe_psql('postgres', "SELECT new_state FROM modseq.email_changes('letter', 'a', '$email')"),
	$email_before, 'email_changes: behind says where it is');

#
# Waiting, on a standby
#

is($standby->safe_psql('postgres', "SELECT modseq.wait_for('mail', 1, $modseq, '0')"), 't', 'it is there');
is($standby->safe_psql('postgres', "SELECT modseq.wait_for('mail', 1, $known, '0')"), 'f', 'it is not, timeout 0');
is($standby->safe_psql('postgres', "SELECT modseq.wait_for('mail', 9, 1, '10 ms')"), 'f', 'no mailbox');
is($standby->safe_psql('postgres', "SELECT modseq.account_wait_for('letter', 'a', '$email_before', '0')"),
	't', 'the state is there');
is($standby->safe_psql('postgres', "SELECT modseq.account_wait_for('letter', 'a', '$email', '10 ms')"),
	'f', 'the state is not');
is($standby->safe_psql('postgres', "SELECT modseq.account_wait_for('letter', 'b', '$other', '10 ms')"),
	'f', 'no account');

# How often it looks while nothing is replayed: by what the tables count
my $scans = <<'SQL';
SELECT pg_stat_force_next_flush();
SELECT 'scans ' || sum(seq_scan + coalesce(idx_scan, 0)) FROM pg_stat_user_tables WHERE relname IN ('box', 'mail_mailbox')
SQL
my ($none, $one, $some) = $standby->safe_psql('postgres', <<"SQL") =~ /scans (\d+)/g;
$scans;
SELECT modseq.wait_for('mail', 1, $known, '0');
$scans;
SELECT modseq.wait_for('mail', 1, $known, '500 ms');
$scans
SQL
cmp_ok($one, '>', $none, 'looks are counted');
is($some - $one, $one - $none, 'nothing is replayed: it looks once');

# Whatever it waits for and whatever is replayed meanwhile, replay waits for nobody, and it gets what comes
my %waiters = (
	modseq => "modseq.wait_for('mail', 1, $known + 2, $long)",
	mailbox => "modseq.wait_for('mail', 9, 2, $long)",
	email => "modseq.account_wait_for('letter', 'a', '$email', $long)",
	walk => "modseq.account_wait_for('letter', 'a', '$in_walk', $long)",
	account => "modseq.account_wait_for('letter', 'b', '$other', $long)");

$waiters{$_} = waiter($standby, $_, "SELECT $waiters{$_}") foreach sort keys %waiters;
is(holds($standby, $_), 'no snapshot|0 locks', "$_: waits with") foreach sort keys %waiters;
my $cancelled = waiter($standby, 'cancelled', "SELECT modseq.wait_for('mail', 1, $known + 2, $long)");
$standby->safe_psql('postgres',
	"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'cancelled'");
$cancelled->query('SELECT 1');
like($cancelled->{stderr}, qr/canceling statement due to user request/, 'it can be cancelled');
$cancelled->{stderr} = '';
is($cancelled->query_safe("SELECT modseq.wait_for('mail', 1, $modseq, '0')"), 't', 'and its session goes on');
hang_up($cancelled);

# What a statement with more in it than the call holds is its own business
my $beside = waiter($standby, 'beside',
	"SELECT modseq.wait_for('mail', 1, $known, $long), count(*) FROM mail WHERE box_id = 1 AND uid > 8");
like(holds($standby, 'beside'), qr/^\d+\|/, 'a statement that reads holds its snapshot');
resume();
is(answer_of($beside), 't|2', 'a statement that reads');

# Row versions that a snapshot of before would see are removed, and a table is locked for DDL
$primary->safe_psql('postgres', <<'SQL');
UPDATE mail SET flags = '{newer}' WHERE box_id = 1;
VACUUM mail, mail_mailbox, box, letter, folder, letter_account;
ALTER TABLE mail ADD COLUMN more text;
ALTER TABLE box ADD COLUMN more text;
UPDATE mail SET flags = '{newest}' WHERE box_id = 1;
SQL
is(highest($primary, 1), $known + 2, 'the primary goes on');
is(answer_of($waiters{$_}), 't', "$_: it came") foreach sort keys %waiters;
is($standby->safe_psql('postgres', "SELECT verdict, changed FROM modseq.resync('mail', 1, $uidvalidity, $known)"),
	'ok|1,3:10', 'and is there for the next statement');

# In the same statement what comes after it sees it, and so do an open cursor's session and one in a transaction
pause();
my $next = $known + 3;
my %after = (
	call => "SELECT modseq.wait_for('mail', 1, $next, $long), (modseq.resync('mail', 1, $uidvalidity, $next)).verdict",
	two => "SELECT modseq.wait_for('mail', 1, $next, $long), modseq.wait_for('mail', 1, $next, '0')",
	transaction => "BEGIN; DECLARE c CURSOR FOR SELECT modseq.wait_for('mail', 1, $next, $long); FETCH c; COMMIT",
	savepoint => "BEGIN; SAVEPOINT a; SELECT modseq.wait_for('mail', 1, $next, $long); RELEASE a; COMMIT",
	block => "DO \$\$ BEGIN ASSERT modseq.wait_for('mail', 1, $next, $long); END \$\$",
	explained => "EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT modseq.wait_for('mail', 1, $next, $long)");
$after{$_} = waiter($standby, $_, $after{$_}) foreach sort keys %after;
is(holds($standby, $_), 'no snapshot|0 locks', "$_: waits with") foreach 'two', 'transaction', 'savepoint';
$primary->safe_psql('postgres', "UPDATE mail SET flags = '{last}' WHERE box_id = 1");
resume();
is(answer_of($after{two}), 't|t', 'two calls');
like(answer_of($after{call}), qr/^t\|(ok|behind)$/, 'a call beside');
is(answer_of($after{transaction}), 't', 'a cursor');
is(answer_of($after{savepoint}), 't', 'a savepoint');
is(answer_of($after{block}), '', 'PL/pgSQL');
like(answer_of($after{explained}), qr/Result \(actual rows=1/, 'EXPLAIN ANALYZE');

#
# Promotion, while somebody waits; then on a primary
#

my $ahead = waiter($standby, 'ahead', "SELECT modseq.wait_for('mail', 1, $next + 1, $long)");
my $gone = waiter($standby, 'gone', "SELECT modseq.wait_for('mail', 77, 1, $long)");
$primary->stop;
$standby->promote;
is($standby->safe_psql('postgres', "SELECT verdict FROM modseq.resync('mail', 1, $uidvalidity, $next + 1)"),
	'unknown_modseq', 'promoted: it is not behind any more');
$standby->safe_psql('postgres', "UPDATE mail SET flags = '{promoted}' WHERE box_id = 1");
is(answer_of($ahead), 't', 'promoted: a wait goes on');
$gone->query('SELECT 1');
like($gone->{stderr}, qr/mailbox \(77\) does not exist/, 'promoted: what did not come does not exist');
hang_up($gone);

$known = highest($standby, 1);
my $waits = waiter($standby, 'waits', "SELECT modseq.wait_for('mail', 1, $known + 1, $long)");
my $account = waiter($standby, 'account',
	"SELECT modseq.account_wait_for('letter', 'a', '" . ($email =~ s/[^.]*$/ff/r) . "', $long)");
is(holds($standby, $_), 'no snapshot|0 locks', "primary: $_ waits with") foreach 'waits', 'account';
$standby->safe_psql('postgres', "BEGIN; UPDATE mail SET flags = '{never}' WHERE box_id = 1; ROLLBACK");
$standby->safe_psql('postgres', "DELETE FROM mail WHERE box_id = 1 AND uid = 5");
is(answer_of($waits), 't', 'primary: it waits for a commit');
$standby->safe_psql('postgres', "DO \$\$ BEGIN FOR i IN 1 .. 256 LOOP UPDATE letter SET seen = i % 2 = 0; END LOOP; END \$\$");
is(answer_of($account), 't', 'primary: it waits for a state');

$standby->stop;
done_testing();
