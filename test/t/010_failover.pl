# A number never means two things: all that clients of any server were ever told is collected, while servers are lost
# and others go on from what they had: standbys that lagged, two of them to the same timeline, recovery to a point
# in time, an older dump or copy under the same name, a crash that loses commits, a clock that is behind. No UID and no
# mod-sequence is told with two meanings, and every client, whatever it knew, comes to have what the server has.

use strict;
use warnings FATAL => 'all';

use JSON::PP;
use PostgreSQL::Test::Utils;
use Storable qw(dclone);
use Test::More;

use ModseqTest;

my @boxes = (1 .. 4);
my $db = 'store';
my $n = 0;    # makes what is written different, on whatever server

# What was told: a UID, a message at a mod-sequence, a mailbox and an account at a state, and by whom
my %meant;
my $contradictions = 0;

sub told
{
	my ($where, $name, $meaning) = @_;
	my $before = $meant{$name};

	$meant{$name} //= [ $meaning, $where ];
	return if !$before || $before->[0] eq $meaning;
	diag("$name was ($before->[0]) at $before->[1], and is ($meaning) at $where");
	$contradictions++;
	return;
}

my $json = JSON::PP->new->canonical;

# All that there is to see at a server, from one snapshot
sub look
{
	my ($server) = @_;
	my $all = decode_json($server->{session}->query_safe(<<'SQL'));
SELECT json_build_object(
	'boxes', (SELECT json_agg(json_build_object('id', b.id, 'uidvalidity', s.uidvalidity, 'highest', s.highestmodseq,
			'mail', (SELECT coalesce(json_object_agg(m.uid, json_build_array(m.modseq, m.subject, m.flags)), '{}')
				FROM mail m WHERE m.box_id = b.id)))
		FROM box b, modseq.status('mail', b.id) AS s),
	'email', (SELECT email FROM modseq.account_state('letter', 'a')),
	'letters', (SELECT coalesce(json_object_agg(id, seen), '{}') FROM letter))
SQL

	foreach my $box (@{ $all->{boxes} })
	{
		my $name = "mailbox $box->{id}, $box->{uidvalidity}";

		told($server->{name}, "$name at $box->{highest}", $json->encode($box->{mail}));
		while (my ($uid, $message) = each %{ $box->{mail} })
		{
			told($server->{name}, "$name, UID $uid", $message->[1]);
			told($server->{name}, "$name, UID $uid at $message->[0]", $json->encode($message));
		}
	}
	told($server->{name}, "account at $all->{email}", $json->encode($all->{letters}));
	return;
}

# A client of JMAP: what it has, and its state
sub account_sync
{
	my ($client, $server) = @_;
	my $answer = decode_json($server->{session}->query_safe(<<"SQL"));
SELECT row_to_json(a) FROM (
	SELECT c.verdict, c.new_state, to_json(c.created) AS created, to_json(c.updated) AS updated, to_json(c.destroyed) AS destroyed,
		(SELECT email FROM modseq.account_state('letter', 'a')) AS state,
		(SELECT coalesce(json_object_agg(id, seen), '{}') FROM letter) AS all
	FROM modseq.email_changes('letter', 'a', '$client->{state}') AS c) AS a
SQL

	$client->{verdicts}{ $answer->{verdict} }++;
	if ($answer->{verdict} eq 'ok')
	{
		delete @{ $client->{has} }{ @{ $answer->{destroyed} } };
		$client->{has}{$_} = $answer->{all}{$_} foreach @{ $answer->{created} }, @{ $answer->{updated} };
	}
	else
	{
		$client->{has} = $answer->{all};
	}
	$client->{state} = $answer->{state};
	return $json->encode($client->{has}) eq $json->encode($answer->{all}) ? () : ("account: $answer->{verdict}");
}

# Clients of all servers, as of each time that one has synced
my @clients;
my @accounts;
my $live = ModseqTest::Client->new(@boxes);
my $jmap = { state => '', has => {}, verdicts => {} };

$live->{may_be_ahead} = $live->{may_have_lost} = 1;

sub keep_clients
{
	my ($server) = @_;
	my @problems = ($live->sync($server->{session}), account_sync($jmap, $server));

	push @clients, $live->copy;
	push @accounts, dclone($jmap);
	return @problems;
}

# Whoever was told anything by anybody has then what that server has
sub all_converge
{
	my ($server, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @problems = map { $_->copy->sync($server->{session}) } @clients;

	push @problems, map { account_sync(dclone($_), $server) } @accounts;
	is(join("\n", @problems), '', "$what: " . @clients . ' clients have what the server has');
	is($contradictions, 0, "$what: nothing has meant two things");
	is($server->{session}->query_safe("SELECT * FROM modseq.check('mail') UNION ALL SELECT * FROM modseq.check('letter')"),
		'', "$what: modseq.check finds nothing");
	return;
}

# A server that answers, and what is there
sub serve
{
	my ($name, $node) = @_;
	my $server = { name => $name, node => $node, session => session($node, $name, $db) };

	# check() tells of what is lost
	$server->{session}->query_safe("SET client_min_messages = warning");

	look($server);
	return $server;
}

# Changes of each kind, one by one, and what clients see after each of them
sub work
{
	my ($server, @of) = @_;
	my @problems;

	foreach my $box (@of)
	{
		my $other = $box % 3 + 1;
		my $first = "(SELECT min(uid) FROM mail WHERE box_id = $box)";
		my $last = "(SELECT max(id) FROM mail WHERE box_id = $box)";

		foreach my $sql (
			sub { "INSERT INTO mail (box_id, subject) VALUES ($box, 'mail $n')" },
			sub { "UPDATE mail SET flags = '{f$n}' WHERE box_id = $box AND uid = $first" },
			sub { "INSERT INTO mail (box_id, subject) VALUES ($box, 'mail $n'), ($box, 'another $n')" },
			sub { "UPDATE mail SET box_id = $other WHERE id = $last" },
			sub { "DELETE FROM mail WHERE box_id = $box AND uid = $first" },
			sub { "INSERT INTO letter VALUES (10 * $n, 1), (10 * $n + 1, 1)" },
			sub { "UPDATE letter SET seen = true WHERE id = (SELECT max(id) FROM letter)" },
			sub { "DELETE FROM letter WHERE id = (SELECT min(id) FROM letter)" })
		{
			$n++;
			$server->{session}->query_safe($sql->());
			look($server);
		}
		push @problems, keep_clients($server);
	}
	is(join("\n", @problems), '', "$server->{name}: who goes along has what it has");
	return;
}

# It is gone, with all that nobody else has
sub lose
{
	my ($server) = @_;

	hang_up($server->{session});
	$server->{node}->stop('immediate');
	return;
}

# A standby that has what the server has now, and no more will come
sub standby
{
	my ($server, $name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init_from_backup($server->{node}, 'base', has_streaming => 1, %options);
	return $node;
}

sub promote
{
	my ($name, $node) = @_;

	$node->start;
	$node->promote;
	return serve($name, $node);
}

sub jump
{
	my ($server) = @_;

	return $server->{session}->query_safe('SELECT max(modseq) FROM modseq.incarnation');
}

#
# Standbys that lag: two of them are promoted, and a third server is recovered to a point in time. All are timeline 2.
#

my $node = new_server('primary', 'autovacuum = off', allows_streaming => 1, has_archiving => 1);
$node->start;
$node->safe_psql('postgres', "CREATE DATABASE $db");
create_store($node, $db, scalar @boxes);
$node->safe_psql($db, <<'SQL');
CREATE TABLE folder (id bigint PRIMARY KEY, owner text NOT NULL);
CREATE TABLE letter (id bigint PRIMARY KEY, folder_id bigint NOT NULL REFERENCES folder ON DELETE CASCADE, seen boolean);
SELECT modseq.attach('letter', 'folder', account => '{owner}');
INSERT INTO folder VALUES (1, 'a');
SQL
my $primary = serve('primary', $node);
work($primary, 1 .. 4);
my $seen_by_all = @clients;
$node->backup('base');
is($primary->{session}->query_safe('SELECT modseq, uid_gap FROM modseq.incarnation'), '0|0', 'the first server begins at 1');
$primary->{session}->query_safe("SELECT pg_create_restore_point('then')");
$primary->{session}->query_safe('SELECT pg_switch_wal()');
work($primary, 1 .. 3);
$primary->{session}->query_safe('SELECT pg_switch_wal()');
my $left_behind = standby($primary, 'left');
my $also_behind = standby($primary, 'also');
lose($primary);

# They do not reach the primary: what is in the backup is what they have
my $left = promote('left', $left_behind);
is(jump($left), 0, 'promoted: who only reads begins nothing');
all_converge($left, 'promoted');
work($left, 1, 2);
all_converge($left, 'promoted, after changes');
my $also = promote('also', $also_behind);
all_converge($also, 'promoted as well');
work($also, 2, 3);
all_converge($also, 'promoted as well, after changes');
all_converge($left, 'promoted, and then the other one');
cmp_ok(jump($left), '!=', jump($also), 'two servers of one timeline begin at different numbers');
is($left->{session}->query_safe('SELECT timeline FROM modseq.incarnation ORDER BY modseq DESC LIMIT 1'),
	$also->{session}->query_safe('SELECT timeline FROM modseq.incarnation ORDER BY modseq DESC LIMIT 1'), 'it is one timeline');

my @seen_by_all = map { $_->copy } @clients[0 .. $seen_by_all - 1];
$_->{verdicts} = {} foreach @seen_by_all;
in_sync(\@seen_by_all, $left->{session}, 'who knows nothing that was lost');
is((grep { $_->told('unknown_modseq') } @seen_by_all), 0, 'it is not told otherwise');

my $in_time = PostgreSQL::Test::Cluster->new('in_time');
$in_time->init_from_backup($primary->{node}, 'base', has_restoring => 1, standby => 0);
$in_time->append_conf('postgresql.conf', <<'CONF');
recovery_target_name = 'then'
recovery_target_action = 'promote'
archive_mode = off
CONF
$in_time->start;
$in_time->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'it is still in recovery';
my $recovered = serve('in time', $in_time);
all_converge($recovered, 'recovered to a point in time');
work($recovered, 1, 3);
all_converge($recovered, 'recovered to a point in time, after changes');
lose($recovered);

#
# An older dump, and an older copy, of the same name in the same cluster
#

my $dump = $left->{node}->basedir . '/dump.sql';
$left->{node}->command_ok([ 'pg_dump', '-d', $left->{node}->connstr($db), '-f', $dump ], 'pg_dump');
work($left, 1 .. 3);
hang_up($left->{session});
$left->{node}->safe_psql('postgres', "DROP DATABASE $db");
$left->{node}->safe_psql('postgres', "CREATE DATABASE $db");
$left->{node}->command_ok([ 'psql', '-qXv', 'ON_ERROR_STOP=1', '-d', $left->{node}->connstr($db), '-f', $dump ], 'restore');
$left = serve('restored', $left->{node});
all_converge($left, 'restored');
work($left, 1, 2);
all_converge($left, 'restored, after changes');

hang_up($left->{session});
$left->{node}->safe_psql('postgres', "CREATE DATABASE copy TEMPLATE $db");
$left = serve('restored', $left->{node});
work($left, 1 .. 3);
hang_up($left->{session});
$left->{node}->safe_psql('postgres', "DROP DATABASE $db");
$left->{node}->safe_psql('postgres', "ALTER DATABASE copy RENAME TO $db");
$left = serve('copied', $left->{node});
all_converge($left, 'copied');
work($left, 1, 2);
all_converge($left, 'copied, after changes');

#
# A crash that loses commits, of which only people know
#

$left->{node}->append_conf('postgresql.conf', "synchronous_commit = off\nwal_writer_delay = 10s");
$left->{node}->restart;
$left = serve('asynchronous', $left->{node});
$left->{session}->query_safe('CHECKPOINT');
work($left, 1 .. 3);
my $highest = $left->{session}->query_safe("SELECT highestmodseq FROM modseq.status('mail', 1)");
lose($left);
$left->{node}->start;
$left = serve('after the crash', $left->{node});
cmp_ok($left->{session}->query_safe("SELECT highestmodseq FROM modseq.status('mail', 1)"), '<', $highest,
	'the crash has lost commits');
my $jump = jump($left);
cmp_ok($left->{session}->query_safe('SELECT modseq.recovered()'), '>', $jump, 'recovered');
work($left, 1 .. 3);
all_converge($left, 'after the crash');
lose($left);

#
# A clock that is behind that of the server before. Then a dump is restored in a new cluster, as for another version of
# PostgreSQL, and that fails over, too.
#

$also->{session}->query_safe(<<'SQL');
INSERT INTO modseq.incarnation
SELECT system_identifier, timeline, database, extension, now(), (extract(epoch FROM now())::bigint - 1577836800 + 3600) << 20, 20000
FROM modseq.incarnation ORDER BY modseq DESC LIMIT 1
SQL
work($also, 1, 2);
$also->{node}->backup('base');
work($also, 1 .. 3);
my $behind = standby($also, 'behind');
$jump = jump($also);
lose($also);
$behind = promote('behind', $behind);
work($behind, 1, 2);
cmp_ok(jump($behind), '>', $jump, 'a clock that is behind is not believed');
all_converge($behind, 'a clock that is behind');

$behind->{node}->command_ok([ 'pg_dump', '-d', $behind->{node}->connstr($db), '-f', $dump ], 'pg_dump');
$node = new_server('upgraded', 'autovacuum = off', allows_streaming => 1);
$node->start;
$node->safe_psql('postgres', "CREATE DATABASE $db");
$node->command_ok([ 'psql', '-qXv', 'ON_ERROR_STOP=1', '-d', $node->connstr($db), '-f', $dump ], 'restore');
work($behind, 1 .. 3);
lose($behind);
my $upgraded = serve('upgraded', $node);
all_converge($upgraded, 'in a new cluster');
work($upgraded, 1, 2);
all_converge($upgraded, 'in a new cluster, after changes');
$node->backup('base');
work($upgraded, 1 .. 4);
my $last = standby($upgraded, 'last');
lose($upgraded);
$last = promote('last', $last);
all_converge($last, 'its standby');
work($last, 1 .. 4);
all_converge($last, 'its standby, after changes');

hang_up($last->{session});
$last->{node}->stop;
done_testing();
