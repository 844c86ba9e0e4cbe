# The throw-away cluster of test/run, as the benchmark needs it.

package Server;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

our @EXPORT = qw(start_server stop_server start_server_under server_children compile);

my $postmaster;    # of ours, if it is not pg_ctlcluster's

# Version and name, as Debian's tools want them
sub cluster
{
	die "no throw-away cluster: call this by `make bench`\n" unless $ENV{PG_CLUSTER_CONF_ROOT};
	my ($cluster) = map { m{/([^/]+)/([^/]+)$} ? [ $1, $2 ] : () } glob "$ENV{PG_CLUSTER_CONF_ROOT}/*/*";
	return @$cluster;
}

sub run
{
	my (@command) = @_;
	system(@command) == 0 or die "@command failed\n";
}

# start_server(settings): starts it anew
sub start_server
{
	my (%settings) = @_;
	my @cluster = cluster();

	run('pg_conftool', @cluster, 'set', $_, $settings{$_}) for sort keys %settings;
	stop_server() if %settings;
	run('pg_ctlcluster', @cluster, 'start');
}

sub stop_server
{
	if ($postmaster)
	{
		kill 'INT', $postmaster->{pid};
		waitpid $postmaster->{tool}, 0;
		undef $postmaster;
		return;
	}
	run('pg_ctlcluster', cluster(), 'stop', '-m', 'fast');
}

# start_server_under(tool...): as the cluster's owner
sub start_server_under
{
	my (@tool) = @_;
	my ($version, $name) = cluster();
	my ($owner, $data) = (split ' ', `pg_lsclusters -h $version $name`)[4, 5];
	my $configuration = "$ENV{PG_CLUSTER_CONF_ROOT}/$version/$name/postgresql.conf";
	my @as_owner = $> == 0 ? ('setpriv', "--reuid=$owner", "--regid=$owner", '--init-groups') : ();
	my $bin = `$ENV{PG_CONFIG} --bindir`;

	chomp $bin;
	my $tool = fork // die "fork: $!";
	if (!$tool)
	{
		open STDOUT, '>', '/dev/null' or die;
		open STDERR, '>', '/dev/null' or die;
		exec @as_owner, @tool, "$bin/postgres", '-D', $data, '-c', "config_file=$configuration", '-c', 'logging_collector=off';
	}
	for my $try (1 .. 600)
	{
		last if system("pg_isready -q") == 0;
		die "@tool: the server did not start\n" if $try == 600 || waitpid($tool, 1) > 0;
		select undef, undef, undef, 0.1;
	}
	open my $file, '<', "$data/postmaster.pid" or die "postmaster.pid: $!";
	chomp(my $pid = <$file>);
	$postmaster = { tool => $tool, pid => $pid };
}

# The processes of the server that start_server_under() has started
sub server_children
{
	return split ' ', `pgrep -P $postmaster->{pid}`;
}

# compile(name): NAME.c here to NAME.so, which the server can load
sub compile
{
	my ($name) = @_;
	chomp(my $includes = `$ENV{PG_CONFIG} --includedir-server`);
	run('gcc', '-O2', '-fPIC', '-shared', "-I$includes", '-o', "$name.so", "$name.c");
}

1;
