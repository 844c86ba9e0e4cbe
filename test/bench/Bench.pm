# How the benchmark measures: psql for commands that write many rows, pgbench for those that write few.

package Bench;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use FindBin;
use List::Util qw(min sum);

our @EXPORT = qw(
  psql
  sections
  statement
  transactions
  run_transactions
  throughput
  writers
  stop_writers
  median
  progress
  write_file
);

# SQL, NAME => VALUE...: its output in psql.  Dies of any error, with it in $@.
sub psql
{
	my ($sql, %variables) = @_;
	my $file = "psql.sql";
	my @set = map { ('-v', "$_=$variables{$_}") } sort keys %variables;

	write_file($file, $sql);
	open my $pipe, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', @set, '-f', $file
	  or die "psql: $!";
	my $output = do { local $/; <$pipe> } // '';
	close $pipe or die $output;
	return $output;
}

sub write_file
{
	my ($name, @text) = @_;
	open my $file, '>', $name or die "$name: $!";
	print $file @text;
	close $file or die "$name: $!";
}

# The sections of a contender's file, by name
sub sections
{
	my ($name) = @_;
	my %sections;
	my $section;

	open my $file, '<', "$FindBin::Bin/$name.sql" or die "$name.sql: $!";
	while (my $line = <$file>)
	{
		if ($line =~ /^-- == (.*)/) { $section = $1; $sections{$section} = '' }
		elsif (defined $section)    { $sections{$section} .= $line }
	}
	return \%sections;
}

sub median
{
	my @sorted = sort { $a <=> $b } @_;
	my $middle = @sorted / 2;
	return @sorted % 2 ? $sorted[$middle] : ($sorted[ $middle - 1 ] + $sorted[$middle]) / 2;
}

sub progress { printf STDERR "%4d s  %s\n", time - $^T, "@_" }

# What the server counts: bytes of WAL, and pages that were found in shared buffers.  Other databases are quiet
# meanwhile, and a backend reports its pages when it is idle and was told to.
my $counters = <<'SQL';
SELECT pg_stat_force_next_flush();
SELECT 'COUNTERS', pg_current_wal_insert_lsn() - '0/0', blks_hit FROM pg_stat_database WHERE datname = current_database();
SQL

# Differences of the counters that psql has printed, two by two
sub count
{
	my ($output) = @_;
	my @counts = map { [ split /\|/ ] } $output =~ /^COUNTERS\|(.*)$/mg;
	return (wal => $counts[1][0] - $counts[0][0], hits => $counts[1][1] - $counts[0][1]);
}

# statement(SQL, variables, warm-up's variables, time limit in ms): one command in a session of its own, after
# the same one on a small mailbox, so that caches are filled and plans made.  The time is the sum of what psql
# measures for each of its statements.  Memory is how far the backend's address space grew at its peak: shared
# memory is a constant part of it.
sub statement
{
	my ($sql, $variables, $warm_up, $limit) = @_;
	my $set = sub { join '', map { "\\set $_ $_[0]{$_}\n" } sort keys %{ $_[0] } };
	my $memory = "\\! grep -E 'VmPeak|VmSize' /proc/\$BACKEND/status\n";
	my $output = eval {
		psql(join "\n", $set->($warm_up),
			'SELECT pg_backend_pid() AS backend \gset', '\setenv BACKEND :backend',
			'SET search_path = store;', '\o /dev/null', $sql, '\o',
			$counters, $memory, $set->($variables),
			$limit ? "SET statement_timeout = $limit;" : '',
			'\o /dev/null', '\timing on', $sql, '\timing off', '\o',
			$memory, $counters);
	};
	if (not defined $output)
	{
		die $@ if not $limit or $@ !~ /due to statement timeout/;
		return { ms => $limit, capped => 1 };
	}
	my @kb = $output =~ /^Vm(?:Peak|Size):\s*(\d+) kB/mg;    # peak, size, peak, size
	return {
		ms => sum($output =~ /^Time: ([0-9.]+) ms/mg),
		memory => ($kb[2] > $kb[0] ? $kb[2] - $kb[1] : 0) * 1024,
		count($output)
	};
}

# Moves on to the next messages with each transaction
my $preamble = <<'SQL';
\set first :next
\set last :next + :n - 1
\set next :next + :n
SQL

sub pgbench
{
	my (@options) = @_;
	open my $pipe, '-|', 'sh', '-c', 'exec pgbench -n -M prepared "$@" 2>&1', 'sh', @options or die "pgbench: $!";
	my $output = do { local $/; <$pipe> } // '';
	close $pipe or die $output;
	die $output if $output =~ /aborted/;
	return $output;
}

# The times of transactions in ms, from the logs of pgbench, which go
sub logged_times
{
	my ($prefix) = @_;
	my @times;

	for my $name (glob "$prefix.*")
	{
		open my $log, '<', $name or die "$name: $!";
		while (my $line = <$log>) { push @times, (split ' ', $line)[2] / 1000 }
		close $log;
		unlink $name;
	}
	return @times;
}

# run_transactions(SQL, variables, how many, pgbench's options): the same command again and again, prepared, by one
# client
sub run_transactions
{
	my ($sql, $variables, $count, @options) = @_;
	my %variables = (n => 1, next => 1, %$variables);

	write_file('transaction.sql', $preamble, $sql);
	pgbench('-c', 1, '-t', $count, @options, '-f', 'transaction.sql',
		map { ('-D', "$_=$variables{$_}") } sort keys %variables);
}

# transactions(SQL, variables, how many): the same, measured. The time is the median of all.
sub transactions
{
	my ($sql, $variables, $count) = @_;
	my $before = psql($counters);

	run_transactions($sql, $variables, $count, '-l', '--log-prefix=times');
	my %counts = count($before . psql($counters));
	return {
		ms => median(logged_times('times')),
		map { $_ => $counts{$_} / $count } keys %counts
	};
}

# throughput(clients, pgbench's options for when to stop, variables, SQL...): transactions a second, each of the
# commands as often, on random messages of random mailboxes
sub throughput
{
	my ($clients, $until, $variables, @sql) = @_;
	my @files;

	for my $sql (@sql)
	{
		my $name = 'client' . @files . '.sql';
		write_file($name, "\\set box random(1, :boxes)\n\\set first random(1, :messages)\n", $sql);
		push @files, '-f', $name;
	}
	my $output = pgbench('-c', $clients, '-j', min($clients, 2), @$until, @files,
		map { ('-D', "$_=$variables->{$_}") } sort keys %$variables);
	$output =~ /^tps = ([0-9.]+)/m or die $output;
	return { tps => $1 };
}

# writers(clients, SQL, variables): starts them.  stop_writers(): hangs up on them; how long each of their
# transactions took, in ms
my $writers;

sub writers
{
	my ($clients, $sql, $variables) = @_;

	write_file('writer.sql', $sql);
	$writers = fork // die "fork: $!";
	return if $writers;
	open STDOUT, '>', 'writers.log' or die "writers.log: $!";
	open STDERR, '>&', \*STDOUT or die "stderr: $!";
	exec 'pgbench', '-n', '-M', 'prepared', '-c', $clients, '-T', 3600, '-l', '--log-prefix=waits', '-f', 'writer.sql',
	  map { ('-D', "$_=$variables->{$_}") } sort keys %$variables;
}

sub stop_writers
{
	psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgbench'");
	waitpid $writers, 0;
	return logged_times('waits');
}

1;
