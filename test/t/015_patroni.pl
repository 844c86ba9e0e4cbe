# docs/scale.md: three servers under Patroni, with etcd: a switchover and the loss of a primary while they are written to,
# and a crash that loses commits and that no timeline shows. What clients knew they go on with, and numbers never mean
# two things. The page's settings and commands are taken from it.

use strict;
use warnings FATAL => 'all';

use File::Basename;
use HTTP::Tiny;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;

my ($patroni, $patronictl, $etcd) = map { installed_program($_) } 'patroni', 'patronictl', 'etcd';

plan skip_all => 'Patroni or etcd is not installed' if !$patroni || !$etcd;

my $page = 'docs/scale.md';
my $boxes = 3;
my $db = 'mail';
my $user = getpwuid($>);
my $tmp = $PostgreSQL::Test::Utils::tmp_check;

sub free_port { return PostgreSQL::Test::Cluster::get_free_port() }

#
# Three servers as the page has them, but for hosts, paths, passwords and patience
#

my ($etcd_port, $peer_port) = (free_port(), free_port());
run_beside('etcd', $etcd, '--data-dir', "$tmp/etcd", '--listen-client-urls', "http://127.0.0.1:$etcd_port",
	'--advertise-client-urls', "http://127.0.0.1:$etcd_port", '--listen-peer-urls', "http://127.0.0.1:$peer_port");

my %nodes = map { $_ => PostgreSQL::Test::Cluster->new($_) } 'mail1', 'mail2', 'mail3';
my %rest = map { $_ => free_port() } keys %nodes;
my %running;

append_to_file("$tmp/started", blocks_of($page, 'sh callback'));
foreach my $name (sort keys %nodes)
{
	my $node = $nodes{$name};
	my ($port, $host) = ($node->port, $node->host);
	my $yaml = join '', blocks_of($page, 'yaml patroni');
	my $settings = join '', map { "    $_\n" } "unix_socket_directories: $host", 'shared_buffers: 64MB', 'max_connections: 40',
	  'log_statement: none', 'wal_writer_delay: 10s', map { s/=(.*)/: '$1'/r } split /\n/, $ENV{MODSEQ_SETTINGS} // '';

	append_to_file("$tmp/callback.$name", "#!/bin/sh\nexport PGHOST=$host PGPORT=$port PGUSER=$user\nexec sh $tmp/started \"\$@\"\n");
	chmod 0755, "$tmp/callback.$name";
	$yaml =~ s/^name: .*/name: $name/m;
	$yaml =~ s/hosts: .*/hosts: 127.0.0.1:$etcd_port/;
	$yaml =~ s/(?:0\.0\.0\.0|mail1):8008/127.0.0.1:$rest{$name}/g;
	$yaml =~ s/(?:0\.0\.0\.0|mail1):5432/127.0.0.1:$port/g;
	$yaml =~ s/(ttl:) \d+/$1 10/;
	$yaml =~ s/(loop_wait:) \d+/$1 1/;
	$yaml =~ s/(retry_timeout:) \d+/$1 3/;
	$yaml =~ s/(data_dir:) .*/"$1 " . $node->data_dir/e;
	$yaml =~ s/(bin_dir:) .*/"$1 " . dirname(installed_program('postgres')) . "\n  use_unix_socket: true\n  parameters:\n$settings"/e;
	$yaml =~ s/(username:) postgres/$1 $user/;
	$yaml =~ s/scram-sha-256|peer/trust/g;
	$yaml =~ s/(on_start:) .*/$1 $tmp\/callback.$name/;
	append_to_file("$tmp/$name.yml", $yaml);
}

sub start_patroni
{
	my ($name) = @_;

	$running{$name} = run_beside($name, $patroni, "$tmp/$name.yml");
	return;
}

# What Patroni says of the servers: names and roles of those that run as they should, on the leader's timeline
sub members
{
	my ($all, %roles);

	foreach my $name (sort keys %running)
	{
		my $answer = HTTP::Tiny->new(timeout => 5)->get("http://127.0.0.1:$rest{$name}/cluster");

		$all = decode_json($answer->{content})->{members} if $answer->{success};
	}
	my ($leader) = grep { $_->{role} eq 'leader' } @{ $all // [] };
	return () if !$leader;
	return map { $_->{name} => $_->{role} }
	  grep { $_->{state} =~ /^(running|streaming)$/ && ($_->{timeline} // 0) == ($leader->{timeline} // -1) } @$all;
}

# All processes of a server, as when its machine is lost. A backend that waits for a synchronous standby does not end by itself.
sub lose_server
{
	my ($node) = @_;
	my ($postmaster) = split /\n/, slurp_file($node->data_dir . '/postmaster.pid');

	kill 'STOP', $postmaster;
	kill 'KILL', $postmaster, split /\n/, `pgrep -P $postmaster`;
	return;
}

# Nothing of Patroni's can be waited for but by asking
sub wait_for
{
	my ($what, $condition) = @_;

	wait_until($condition) or die "$what: " . join(', ', %{ { members() } });
	return;
}

# Wait until so many servers are there, one of them synchronous, and the leader, if that is asked for, is who was told:
# the leader, the synchronous standby, the other one
sub settled
{
	my ($count, $wanted) = @_;
	my %by_role;

	wait_for(
		"no $count servers",
		sub {
			my %roles = members();

			%by_role = reverse %roles;
			return keys %roles == $count && $by_role{sync_standby} && (!$wanted || $wanted->($by_role{leader}));
		});
	return @by_role{ 'leader', 'sync_standby', 'replica' };
}

# What a server says that may not be there
sub asked
{
	my ($name, $sql) = @_;

	return (run_command([ 'psql', '-XAtq', '-d', $nodes{$name}->connstr($db), '-c', $sql ]))[0];
}

start_patroni($_) foreach sort keys %nodes;
my ($leader, $sync, $other) = settled(3);
$nodes{$leader}->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template0");
create_store($nodes{$leader}, $db, $boxes);
is($nodes{$leader}->safe_psql($db, 'SHOW restart_after_crash'), 'off', 'the page\'s settings are used');

#
# Clients of the primary, of each standby, and one that goes from one to another
#

my $at_primary = ModseqTest::Client->new(1 .. $boxes);
my %at = map { $_ => ModseqTest::Client->new(1 .. $boxes) } keys %nodes;
my $anywhere = $at_primary->copy;
my @old;

$_->{may_be_ahead} = 1 foreach values %at, $anywhere;

# All sync; standbys may be behind, or not be there
sub all_sync
{
	my ($what, @there) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	push @old, $at_primary->copy;
	in_sync([$at_primary], $nodes{ $there[0] }, "$what, at the primary", $db);
	in_sync([ $at{$_} ], $nodes{$_}, "$what, at $_", $db) foreach @there;
	in_sync([$anywhere], $nodes{$_}, "$what, anywhere", $db) foreach @there;
	return;
}

sub timeline
{
	return $nodes{ $_[0] }->safe_psql('postgres', 'SELECT timeline_id FROM pg_control_checkpoint()');
}

my $load = ModseqTest::Load->start($nodes{$leader}, $boxes, $db);
foreach my $step (1 .. 3)
{
	$load->work(20);
	all_sync("before, step $step", $leader, $sync, $other);
}

#
# Switchover, to the synchronous standby, by the page's command
#

my ($switchover, $list) = split /\n/, join '', blocks_of($page, 'sh patronictl');
my $before = $leader;

sub patronictl
{
	my ($command) = @_;

	$command =~ s{^patronictl -c \S+}{$patronictl -c $tmp/$before.yml};
	$command =~ s/--candidate \w+/--candidate $sync/;
	return run_command([ 'sh', '-c', "LC_ALL=C.UTF-8 $command" ]);
}
my ($said) = patronictl($switchover);
like($said, qr/Successfully switched over to "$sync"/, 'switchover');
$load->lose;
my $wanted = $sync;
($leader, $sync, $other) = settled(3, sub { $_[0] eq $wanted });
in_sync([$at_primary], $nodes{$leader}, 'switchover', $db);
$load = ModseqTest::Load->start($nodes{$leader}, $boxes, $db);
$load->work(40);
all_sync('switched over', $leader, $sync, $other);
is($at_primary->told('unknown_modseq'), 0, 'switchover: nothing is lost');
($said) = patronictl($list);
like($said, qr/\b$_ .*(Leader|Sync Standby|Replica)/, "$_ is in the list") foreach sort keys %nodes;

#
# The primary is lost in mid-load, and Patroni with it
#

my $lost = $leader;

$load->work(20);
in_sync([$at_primary], $nodes{$leader}, 'before the loss', $db);
(delete $running{$lost})->signal('KILL');
lose_server($nodes{$lost});
$load->lose;
$wanted = $sync;
($leader, $sync) = settled(2, sub { $_[0] ne $lost });
is($leader, $wanted, 'failover to the synchronous standby');
in_sync([$at_primary], $nodes{$leader}, 'failover', $db);
is($at_primary->told('unknown_modseq'), 0, 'failover: nothing that was told is lost');
$load = ModseqTest::Load->start($nodes{$leader}, $boxes, $db);
$load->work(40);

# Who has read on a standby may have seen what is lost
$_->{may_have_lost} = 1 foreach values %at, $anywhere;
all_sync('failed over', $leader, $sync);

# And comes back as a standby, without what only it had
start_patroni($lost);
($leader, $sync, $other) = settled(3);
$load->work(20);
all_sync('the lost one is back', $leader, $sync, $other);
$load->stop;
sound($nodes{$leader}, 'failed over', $db);

#
# A backend crashes, and commits that did not wait for the WAL are lost. Patroni starts the server in its place: Patroni 3.0
# by promoting it, later ones on the same timeline, with the page's callback.
#

my $count = 'SELECT count(*) FROM modseq.incarnation';

sub called
{
	my ($action, $role) = @_;
	my $incarnations = $nodes{$leader}->safe_psql($db, $count);

	run_command([ "$tmp/callback.$leader", $action, $role, 'mail' ]);
	return $nodes{$leader}->safe_psql($db, $count) - $incarnations;
}
is(called(@$_), $_->[2], "callback: $_->[0] $_->[1]")
  foreach [ 'on_start', 'replica', 0 ], [ 'on_role_change', 'primary', 0 ], [ 'on_start', 'master', 1 ], [ 'on_start', 'primary', 1 ];

$nodes{$leader}->safe_psql($db, "UPDATE mail SET flags = '{kept}' WHERE box_id = 1");
in_sync([$at_primary], $nodes{$leader}, 'after the callback', $db);
is($at_primary->told('unknown_modseq'), 0, 'callback: who has seen nothing that is lost is not bothered');
$nodes{$leader}->safe_psql($db, 'CHECKPOINT');
my $timeline = timeline($leader);
my $incarnations = $nodes{$leader}->safe_psql($db, $count);
my $session = session($nodes{$leader}, 'hasty', $db);
my ($pid, $started) = split /\|/, $session->query_safe('SELECT pg_backend_pid(), pg_postmaster_start_time()');
$session->query_safe('SET synchronous_commit = off');
$session->query_safe("UPDATE mail SET flags = '{lost}' WHERE box_id = 1");
$session->query_safe("INSERT INTO mail (box_id, subject) VALUES (1, 'lost')");
in_sync([$at_primary], $nodes{$leader}, 'before the crash', $db);
my $known = $at_primary->{boxes}{1}{modseq};
kill 'KILL', $pid;
hang_up($session);
wait_for('it does not start',
	sub { asked($leader, "SELECT NOT pg_is_in_recovery() AND pg_postmaster_start_time() <> '$started'") eq 't' });
wait_for('no callback', sub { timeline($leader) ne $timeline || asked($leader, $count) > $incarnations });
cmp_ok(highest($nodes{$leader}, 1, $db), '<', $known, 'crash: commits are lost');
$nodes{$leader}->safe_psql($db, "UPDATE mail SET flags = '{again}' WHERE box_id = 1 AND uid % 2 = 0");
$at_primary->{may_have_lost} = 1;
in_sync([$at_primary], $nodes{$leader}, 'crash', $db);
is($at_primary->told('unknown_modseq'), 1, 'crash: who has seen what is lost is told');

#
# All have what there is
#

($leader, $sync, $other) = settled(3);
$nodes{$leader}->wait_for_catchup($_, 'replay', $nodes{$leader}->lsn('flush')) foreach $sync, $other;
$_->{may_have_lost} = 1 foreach @old;
foreach my $name ($leader, $sync, $other)
{
	in_sync([ map { $_->copy } $at_primary, $anywhere, values %at, @old ], $nodes{$name}, "at the end, $name", $db);
	sound($nodes{$name}, "at the end, $name", $db);
}
my ($connect) = blocks_of($page, 'sh connect');
my $hosts = join ',', map { $_->host } @nodes{ sort keys %nodes };
my $ports = join ',', map { $_->port } @nodes{ sort keys %nodes };
$connect =~ s/'host=\S+/-XAtc 'SHOW port' 'host=$hosts port=$ports/;
is((run_command([ 'sh', '-c', $connect ]))[0], $nodes{$leader}->port, 'a front end finds the primary');
$connect =~ s/read-write/prefer-standby/;
isnt((run_command([ 'sh', '-c', $connect ]))[0], $nodes{$leader}->port, 'and a standby');

done_testing();
