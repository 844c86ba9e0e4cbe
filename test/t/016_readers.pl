# docs/scale.md: front ends that read on any of several standbys. Who is ahead of one waits for it or goes to the primary,
# as the page says, and is never told anything wrong; also while a standby does not get on at all.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;

my $page = 'docs/scale.md';
my $boxes = 3;
my $primary = new_server('primary', "hot_standby_feedback = on\n", allows_streaming => 1);
my @standbys;

$primary->start;
create_store($primary, 'postgres', $boxes);
$primary->backup('base');
foreach my $name ('one', 'two', 'three')
{
	my $standby = PostgreSQL::Test::Cluster->new($name);

	$standby->init_from_backup($primary, 'base', has_streaming => 1);
	$standby->append_conf('postgresql.conf', "hot_standby_feedback = on");
	$standby->start;
	push @standbys, $standby;
}

my ($ask) = blocks_of($page, 'sql standby');
my ($wait, $resync) = split /(?<=;)\n/, $ask;

sub asked
{
	my ($node, $sql, $client, $box, $timeout) = @_;
	my $known = $client->{boxes}{$box};

	$sql =~ s/'2 seconds'/'$timeout'/ if defined $timeout;
	return $node->safe_psql('postgres', $sql,
		extra_params => [ '-v', "box=$box", '-v', "known=$known->{modseq}", '-v', "uidvalidity=$known->{uidvalidity}" ]);
}

# A session's turn at a standby: where it is ahead and stays so, it reads at the primary
my %served = (standby => 0, primary => 0);

sub turn
{
	my ($client, $standby, $timeout) = @_;
	my $there = !grep { asked($standby, $wait, $client, $_, $timeout) ne 't' } 1 .. $boxes;

	$served{ $there ? 'standby' : 'primary' }++;
	return $client->sync($there ? $standby : $primary);
}

# Each goes from standby to standby, and now and then writes at the primary, and so knows what that has
my @clients = map { ModseqTest::Client->new(1 .. $boxes) } 1 .. 4;
my @old;
my $load = ModseqTest::Load->start($primary, $boxes);
my ($three) = grep { $_->name eq 'three' } @standbys;
my @problems;

srand(ModseqTest::seed());
foreach my $round (1 .. 24)
{
	my $client = $clients[ rand @clients ];

	push @old, $client->copy if $round % 6 == 0;
	push @problems, $client->sync($primary) if rand() < 0.5;
	push @problems, turn($client, $standbys[ rand @standbys ], rand() < 0.2 ? '0' : undef);
}
is(join("\n", @problems), '', 'clients that go around have what there is');
cmp_ok($served{standby}, '>', 0, "they were served by standbys: $served{standby}, by the primary: $served{primary}");

# One stays behind
$three->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$three->poll_query_until('postgres', "SELECT pg_get_wal_replay_pause_state() = 'paused'") or die 'replay is not paused';
$load->work(10);
%served = (standby => 0, primary => 0);
@problems = map { ($_->sync($primary), turn($_, $three, '10 ms')) } @clients;
is(join("\n", @problems), '', 'a standby that does not get on: nothing wrong is told');
is($served{primary}, scalar @clients, 'and the primary is asked');
like(asked($three, $resync, $clients[0], 1), qr/^behind\|\d+\|\|$/, 'who does not wait is told that it is behind');
is(join("\n", map { turn($_, $standbys[0], "$PostgreSQL::Test::Utils::timeout_default s") } @clients), '', 'another one gets on');
is($served{standby}, scalar @clients, 'and has it all');
$primary->poll_query_until('postgres', <<'SQL') or die 'no lag is seen';
SELECT count(*) FILTER (WHERE pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) > 0) > 0 FROM pg_stat_replication
SQL
my %bytes = map { (split /\|/)[ 0, 3 ] } split /\n/, $primary->safe_psql('postgres', blocks_of($page, 'sql primary'));
is(join(' ', sort keys %bytes), 'one three two', 'the primary knows its standbys');
cmp_ok($bytes{three}, '>', 0, 'and how far behind they are');

$three->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$load->stop;
$primary->wait_for_catchup($_) foreach @standbys;
foreach my $standby (@standbys)
{
	in_sync([ map { $_->copy } @clients, @old ], $standby, 'at the end, ' . $standby->name);
	sound($standby, 'at the end, ' . $standby->name);
}
is(join(' ', map { $_->told('unknown_modseq') + $_->told('behind') } @clients), '0 0 0 0', 'nobody was told too much');

$_->stop foreach @standbys, $primary;
done_testing();
