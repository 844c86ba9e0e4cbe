# Instructions that a command takes, the server's, counted by valgrind: the same on a quiet machine and on a busy one.
#
# Processors can count them, too, but virtual machines often hide that. Under valgrind a server is 30 to 50 times as
# slow. So the cluster is stopped, and its postmaster started under valgrind, for the few commands of one row.

package Count;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use File::Temp qw(tempdir);
use List::Util qw(max);

use Bench;
use Server;

our @EXPORT = qw(prepare_counting counting instructions_of_transactions instructions_of_statement);

my $few = 10;    # transactions: then plans are made, and generic
my $more = 50;
my $directory;

# COUNT says whether; if it is not given, all but quick runs do
sub counting_is_wanted { return length($ENV{COUNT} // '') ? $ENV{COUNT} : !$ENV{QUICK} }

sub prepare_counting
{
	system('../bootstrap', 'valgrind') == 0 or die "no valgrind: set COUNT=0\n" if counting_is_wanted();
}

# counting(what): runs it on the server under valgrind
sub counting
{
	my ($what) = @_;
	return unless counting_is_wanted();

	$directory = tempdir(CLEANUP => 1);
	chmod 0777, $directory;
	stop_server();
	local $ENV{TMPDIR} = $directory;    # valgrind's own files
	start_server_under('valgrind', '-q', '--tool=callgrind', '--trace-children=yes', "--callgrind-out-file=$directory/%p");
	my $done = eval { $what->(); 1 };
	my $error = $@;
	stop_server();
	start_server();
	die $error if !$done;
}

# What the busiest backend has executed meanwhile. Each writes its count when it ends.
sub busiest
{
	my ($run) = @_;
	my %before = map { $_ => 1 } server_children();
	my $most = 0;

	unlink glob "$directory/*";
	$run->();
	select undef, undef, undef, 0.02 while grep { !$before{$_} } server_children();
	for my $name (glob "$directory/*")
	{
		open my $file, '<', $name or die "$name: $!";
		while (<$file>) { $most = max($most, $1) if /^(?:summary|totals): (\d+)/ }
	}
	return $most;
}

# instructions_of_transactions(SQL, variables): of one transaction, prepared
sub instructions_of_transactions
{
	my ($sql, $variables) = @_;
	my %variables = %$variables;
	my $n = $variables{n} // 1;
	my @counts;

	# The first only fills the buffers
	for my $count ($few, $few, $few + $more)
	{
		push @counts, busiest(sub { run_transactions($sql, \%variables, $count) });
		$variables{next} = ($variables{next} // 1) + $count * $n;
	}
	return ($counts[2] - $counts[1]) / $more;
}

# instructions_of_statement(SQL, variables, variables to warm up with)
sub instructions_of_statement
{
	my ($sql, $variables, $warm_up) = @_;
	my $set = sub { join '', map { "\\set $_ $_[0]{$_}\n" } sort keys %{ $_[0] } };
	my @scripts = ($set->($warm_up) . "SET search_path = store;\n\\o /dev/null\n$sql");

	push @scripts, "$scripts[0]\n" . $set->($variables) . $sql;
	return busiest(sub { psql($scripts[1]) }) - busiest(sub { psql($scripts[0]) });
}

1;
