# A cluster of Citus: a coordinator, workers, and servers that are not added yet. Citus must be installed where the
# servers look for libraries and extensions; MODSEQ_SETTINGS can say where.

package ModseqTest::Citus;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use Test::More;
use ModseqTest;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(
  start_citus
  late_server
  stop_citus
  sql
  add_node
  nodes
  place_of
  server_of
  move_of
  split_of
  until_somebody_waits
);

my %server;		# all that are started, by name
my $coordinator;
my @workers;	# that are added

sub sql
{
	my ($node, $sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

sub new_citus_server
{
	my ($name) = @_;
	my $node = new_server($name, <<'CONF');
wal_level = logical
max_connections = 100
max_prepared_transactions = 100
max_worker_processes = 20
max_wal_senders = 20
max_replication_slots = 20
max_logical_replication_workers = 16
CONF
	$node->start;
	return $node;
}

sub give_citus
{
	my ($node, $settings) = @_;
	# Late minor versions have a list of those that may decode the WAL, as splits of shards do
	my $plugins = sql($node, "SELECT current_setting('output_plugin_libraries', true)");

	$node->append_conf('postgresql.conf', <<"CONF");
shared_preload_libraries = 'citus'
citus.node_conninfo = 'sslmode=disable'
citus.local_hostname = '@{[ $node->host ]}'
citus.shard_count = 8
$settings
CONF
	$node->append_conf('postgresql.conf', 'output_plugin_libraries = ' . "'" . join(', ', grep { $_ } $plugins, 'citus') . "'")
	  if sql($node, "SELECT count(*) FROM pg_settings WHERE name = 'output_plugin_libraries'");
	$node->restart;
	sql($node, 'CREATE EXTENSION citus');
	return;
}

# SETTINGS, NAME: another one, which was not there at first
sub late_server
{
	my ($settings, $name) = @_;

	$server{$name} = new_citus_server($name);
	give_citus($server{$name}, $settings);
	return $server{$name};
}

# SETTINGS, NAMES: starts servers that have Citus; the first is the coordinator. Skips the test if it is not installed.
sub start_citus
{
	my ($settings, @names) = @_;

	$server{ $names[0] } = $coordinator = new_citus_server($names[0]);
	# It says that it must be preloaded, if it is there
	my (undef, undef, $error) = $coordinator->psql('postgres', 'CREATE EXTENSION citus');
	plan skip_all => 'Citus is not installed' if $error !~ /shared_preload_libraries/;
	$server{$_} = new_citus_server($_) foreach @names[ 1 .. $#names ];
	give_citus($_, $settings) foreach values %server;
	sql($coordinator, "SELECT citus_set_coordinator_host('@{[ $coordinator->host ]}', @{[ $coordinator->port ]})");
	return @server{@names};
}

sub stop_citus
{
	$_->stop foreach values %server;
	return;
}

sub add_node
{
	my ($node) = @_;

	sql($coordinator, "SELECT citus_add_node('@{[ $node->host ]}', @{[ $node->port ]})");
	push @workers, $node;
	return;
}

# The coordinator, and the workers that were added
sub nodes { return ($coordinator, @workers); }

# The port of the server that has an account
sub place_of
{
	my ($account, $table) = @_;

	$table //= 'mw.mail';
	return sql($coordinator, "SELECT nodeport FROM pg_dist_node JOIN pg_dist_placement USING (groupid)"
		. " WHERE shardid = get_shard_id_for_distribution_column('$table', $account)");
}

sub server_of
{
	my ($account, $table) = @_;
	my $port = place_of($account, $table);

	return (grep { $_->port == $port } nodes())[0];
}

# The command that moves the shard of an account, to another worker if it is not said to which
sub move_of
{
	my ($account, $mode, $table, $to) = @_;
	my $from = server_of($account, $table);

	($to) = grep { $_ != $from } @workers unless $to;
	$table //= 'mw.mail';
	return "SELECT citus_move_shard_placement(get_shard_id_for_distribution_column('$table', $account), "
	  . "'@{[ $from->host ]}', @{[ $from->port ]}, '@{[ $to->host ]}', @{[ $to->port ]}, '$mode')";
}

# The command that splits the shard of an account in its middle, on two servers
sub split_of
{
	my ($account, $mode) = @_;
	my ($id, $middle) = split /\|/, sql($coordinator, <<"SQL");
SELECT shardid, (shardminvalue::bigint + shardmaxvalue::bigint) / 2 FROM pg_dist_shard
WHERE shardid = get_shard_id_for_distribution_column('mw.mail', $account)
SQL
	my $places = sql($coordinator,
		"SELECT (array_agg(nodeid ORDER BY random()))[1:2] FROM pg_dist_node WHERE groupid <> 0");

	return "SELECT citus_split_shard_by_split_points($id, ARRAY['$middle'], '$places'::int[], '$mode')";
}

# For Citus's lock at the server of the transaction; or, before a shard is copied by logical replication, at the server
# of the shard for transactions to end
sub until_somebody_waits
{
	wait_until(sub { grep { sql($_, 'SELECT count(*) FROM pg_locks WHERE NOT granted') > 0 } nodes() })
	  or die 'the move does not wait';
	return;
}

1;
