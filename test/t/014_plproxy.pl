# docs/scale.md: accounts on two servers, PL/Proxy as the router, PgBouncer before both. Front ends call functions
# while accounts move between the servers, and clients go on with what they know. All of the page's SQL and settings
# are taken from it.

use strict;
use warnings FATAL => 'all';

use Cwd;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;

# A client of one account that asks through the router, as front ends do: where the account has moved, it has that
# looked up, and asks again.
package RouterClient
{
	use JSON::PP;
	our @ISA = ('ModseqTest::Client');

	sub of
	{
		my ($class, $who, @boxes) = @_;
		my $self = $class->new(@boxes);

		$self->{who} = $who;
		return $self;
	}

	sub sync
	{
		my ($self, $router) = @_;
		my @known = map { { name => $_, %{ $self->{boxes}{$_} }{ 'uidvalidity', 'modseq' } } } sort keys %{ $self->{boxes} };
		my $call = "sync('$self->{who}', '" . encode_json(\@known) . "')";

		return map { $self->_learn($_) } @{ decode_json($router->safe_psql('mail', ModseqTest::tried($self->{who}, $call))) };
	}
}

package main;

my $page = 'docs/scale.md';
my $pgbouncer = installed_program('pgbouncer');
my $router = new_server('router', '');

$router->start;
plan skip_all => 'PL/Proxy or PgBouncer is not installed'
  if !$pgbouncer
  || !$router->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name = 'plproxy'");

# Each block of the page is run by this test or another
my %known = map { $_ => 1 } 'sql node', 'sql router', 'sql call', 'ini pgbouncer', 'sh move', 'yaml patroni',
  'sh patronictl', 'sh connect', 'sh callback', 'sql primary', 'sql standby';
is(join(', ', grep { !$known{$_} } slurp_file($page) =~ /^```(.+)$/mg), '', 'each block is tested');

my @nodes = map { new_server("node$_", "max_prepared_transactions = 5\n") } 1, 2;
$_->start foreach @nodes;
$_->safe_psql('postgres', 'CREATE DATABASE mail') foreach $router, @nodes;

#
# As the page says, but for the names of hosts
#

my $port = PostgreSQL::Test::Cluster::get_free_port();
my $basedir = $router->basedir;
my $user = $router->safe_psql('postgres', 'SELECT current_user');

sub here
{
	my ($text) = @_;
	my %place = (router => $router, mail1 => $nodes[0], mail2 => $nodes[1]);

	$text =~ s/host=pgbouncer port=6432/host=127.0.0.1 port=$port/g;
	$text =~ s/host=(router|mail[12]) dbname=mail/'host=' . $place{$1}->host . ' port=' . $place{$1}->port . ' dbname=mail'/ge;
	return $text;
}

foreach my $node (@nodes)
{
	$node->safe_psql('mail', $_) foreach blocks_of($page, 'sql node');
}
$router->safe_psql('mail', here($_)) foreach blocks_of($page, 'sql router');

my $settings = here(join '', blocks_of($page, 'ini pgbouncer'));
$settings =~ s/^(listen_addr =) .*$/$1 127.0.0.1/m;
$settings =~ s/^(listen_port =) .*$/$1 $port/m;
$settings =~ s/^(auth_type =) .*$/$1 trust/m;
$settings =~ s/^(auth_file =) .*$/$1 $basedir\/userlist.txt/m;
# Two stores more, and fewer connections than clients
$settings =~ s/^(default_pool_size =) .*$/$1 3/m;
$settings =~ s/^(node1 = .*) dbname=mail$/$1 dbname=mail\n$1 dbname=postgres/m;
$settings =~ s/^node1 (= .* dbname=postgres)$/postgres $1/m;
$settings .= "unix_socket_dir =\n";
append_to_file("$basedir/pgbouncer.ini", $settings);
append_to_file("$basedir/userlist.txt", qq("$user" ""\n));
run_beside('pgbouncer', $pgbouncer, "$basedir/pgbouncer.ini");

# A node as it is seen through the pooler
sub pooled
{
	my ($node) = @_;

	return bless { %$node, _host => '127.0.0.1', _port => $port }, ref $node;
}
my $pool = pooled($router);

wait_until_ready($pool);

sub value
{
	return $pool->safe_psql('mail', "SELECT $_[0]");
}

#
# What front ends are told to do
#

like(join("\n", map { $pool->safe_psql('mail', $_) } blocks_of($page, 'sql call')),
	qr/^\n\n\{"verdict":"ok".*"highestmodseq":4.*"changed":"1","messages":\[\[1, 4, \["\\\\Seen"\]\]\]\}$/, 'calls');
my ($uidvalidity) = $nodes[0]->safe_psql('mail', "SELECT uidvalidity FROM modseq.status('mail', open_mailbox('alice', 'INBOX'))");
is(value("append('alice', 'INBOX', 'two', '{}')"), '2', 'append');
is(value("store('alice', 'INBOX', '1:2', 4, 'x')"), '2', 'store: one was modified');
is(sqlstate($pool, $_, 'mail'), '42704', $_)
  foreach "SELECT append('nobody', 'INBOX', '', '{}')", "SELECT append('alice', 'none', '', '{}')",
  "SELECT create_mailbox('nobody', 'INBOX')";
is(sqlstate($pool, "SELECT create_account('node2', 'alice')", 'mail'), '23505', 'an account is on one node');

#
# Accounts on both, clients, and writers that call functions
#

sub ModseqTest::tried
{
	my ($who, $call) = @_;

	return "SELECT tried('$who', \$call\$$call\$call\$)";
}

# What a front end does about an account that is elsewhere; and a look at an account from one snapshot
$router->safe_psql('mail', <<'SQL');
CREATE FUNCTION tried(who text, call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	FOR i IN 1 .. 20 LOOP
		BEGIN
			EXECUTE 'SELECT ' || call INTO answer;
			RETURN answer;
		EXCEPTION WHEN undefined_object OR foreign_key_violation THEN
			PERFORM locate(who);
			INSERT INTO redirected VALUES (who);
		END;
	END LOOP;
	RAISE '% goes round in circles', call;
END $$;
CREATE TABLE redirected (who text);
CREATE FUNCTION sync(who text, known json) RETURNS json LANGUAGE plproxy AS 'CLUSTER node_of(who);';
SQL
foreach my $node (@nodes)
{
	$node->safe_psql('mail', <<'SQL');
CREATE FUNCTION sync(who text, known json) RETURNS json STABLE LANGUAGE sql AS $$
SELECT json_agg(row_to_json(answer))
FROM (
	SELECT k.name AS id, r.*,
		(r.changed::text, r.vanished::text) = (
			SELECT coalesce(modseq.uidset_agg(uid)::text, ''), modseq.vanished_since('mail', b.key, k.modseq)::text
			FROM modseq.changed_since('mail', b.key, k.modseq)) AS same,
		(SELECT coalesce(json_object_agg(m.uid, m.modseq || ' ' || array_to_string(m.flags, ' ')), '{}')
			FROM mail AS m WHERE m.mailbox_id = b.key) AS mail
	FROM json_to_recordset(known) AS k (name text, uidvalidity bigint, modseq bigint),
		LATERAL (SELECT open_mailbox(who, k.name) AS key) AS b,
		modseq.resync('mail', b.key, k.uidvalidity, k.modseq) AS r) AS answer
$$;
SQL
}
my @accounts = map { "a$_" } 1 .. 4;
foreach my $i (0 .. $#accounts)
{
	value("create_account('node" . (1 + $i % 2) . "', '$accounts[$i]')");
	value("create_mailbox('$accounts[$i]', '$_')") foreach 'INBOX', 'Archive';
	value("append('$accounts[$i]', 'INBOX', 'old', '{}')") foreach 1 .. 5;
}
my @live = map { RouterClient->of($_, 'INBOX', 'Archive') } @accounts;
in_sync(\@live, $pool, 'first');
my @clients = map { $_->copy } @live;

my %scripts = (
	'append@5' => q{format('append(%L, %L, %L, %L)', 'a' || :a, :box, 'new', '{}')},
	'store@5' => q{format('store(%L, %L, %L, 1 << 40, %L)', 'a' || :a, :box, :u || ':' || :u + 3, 'f' || :r)},
	'conditional@2' => q{format('store(%L, %L, %L, %s, %L)', 'a' || :a, :box, :u || ':' || :u + 20, :u, 'c' || :r)},
	'move@2' => q{format('move(%L, %L, %L, %L)', 'a' || :a, :box, :other, :u || ':' || :u + 1)},
	'expunge@3' => q{format('expunge(%L, %L, %L)', 'a' || :a, :box, :u)},
	'resync@2' => q{format('resync(%L, %L, 1, 1)', 'a' || :a, :box)});
my @files;
foreach my $name (sort keys %scripts)
{
	my ($file, $weight) = split /@/, $name;

	append_to_file("$basedir/$file.sql", <<"PGBENCH" =~ s/:box/(ARRAY['INBOX', 'Archive'])[:b]/gr =~ s/:other/(ARRAY['INBOX', 'Archive'])[3 - :b]/gr);
\\set a random(1, 4)
\\set b random(1, 2)
\\set r random(1, 5)
\\set u random(1, 120)
SELECT tried('a' || :a, $scripts{$name});
PGBENCH
	push @files, '-f', "$basedir/$file.sql\@$weight";
}
my $output = '';
my $load = IPC::Run::start([ 'pgbench', '--no-vacuum', '--client=6', '--time=86400', '--rate=150', '--host', '127.0.0.1',
		'--port', $port, "--random-seed=" . ModseqTest::seed(), @files, 'mail' ], '<', \undef, '>&', \$output);

# Wait until an account has seen that much more
sub written
{
	my ($who, $times) = @_;
	my $node = $nodes[ value("node_of('$who')") eq 'node2' ];
	my $now = $node->safe_psql('mail', "SELECT highestmodseq FROM mail_account WHERE account = '$who'");

	$node->poll_query_until('mail', "SELECT highestmodseq >= $now + $times FROM mail_account WHERE account = '$who'")
	  or die "no load: $output";
	return;
}

#
# Accounts move, there and back, while all of that goes on
#

my $tool = getcwd . '/test/tools/modseq-move';
my ($command) = blocks_of($page, 'sh move');

sub start_move
{
	my ($who, $from) = @_;
	my $text = $command =~ s/^modseq-move/$tool/r =~ s/alice/$who/gr;

	$text =~ s/mail([12]) dbname/'mail' . (3 - $1) . ' dbname'/ge if $from == 2;
	append_to_file("$basedir/move.log", $text);
	return IPC::Run::start([ 'sh', '-c', here($text) ], '>>', "$basedir/move.log", '2>&1');
}

foreach my $step ([ 'a1', 1 ], [ 'a2', 2 ], [ 'a1', 2 ])
{
	my ($who, $from) = @$step;
	my $to = 3 - $from;
	my $what = "$who goes from node $from to $to";

	written($who, 20);
	push @clients, map { $_->copy } @live;
	my $move = start_move($who, $from);
	do
	{
		in_sync(\@live, $pool, "$what, during it");
	} while $move->pumpable;
	ok($move->finish, $what) or diag slurp_file("$basedir/move.log");
	in_sync(\@live, $pool, "$what, after it");
	is(value("node_of('$who')"), "node$to", "$what: and is found there");
	like($nodes[ $to - 1 ]->safe_psql('mail', (blocks_of($page, 'sql node'))[-1]), qr/^$who$/m, "$what: is there");
	unlike($nodes[ $from - 1 ]->safe_psql('mail', (blocks_of($page, 'sql node'))[-1]), qr/^$who$/m, "$what: and not here");
}

# The directory can be lost
$router->safe_psql('mail', 'TRUNCATE directory');
in_sync(\@live, $pool, 'without a directory');
is(value("node_of('$_->[0]')"), "node$_->[1]", "$_->[0] is found") foreach [ 'a1', 1 ], [ 'a2', 1 ], [ 'a3', 1 ], [ 'a4', 2 ];
written('a1', 20);
$load->signal('TERM');
eval { $load->finish; };
unlike($output, qr/error/i, 'writers met no error');
cmp_ok(value('count(*) FROM redirected'), '>', 0, 'some were sent on');
in_sync([ @live, @clients ], $pool, 'at the end');
is(join(' ', map { $_->told('uidvalidity_changed') } @live), '2 2 2 2', 'and live ones were never told to start over');
is($_->safe_psql('mail', "SELECT * FROM modseq.check('mail')"), '', $_->name . ' is sound') foreach @nodes;
is($nodes[$_]->safe_psql('mail', 'SELECT (SELECT count(*) FROM mail_account) - (SELECT count(*) FROM account)'), '0',
	"no ghost on node $_") foreach 0, 1;

#
# Transactions of several statements, savepoints and raw writers through the pooler, with more of them than connections
#

create_store($nodes[0], 'postgres', 3);
my $pooled = pooled($nodes[0]);
my $client = ModseqTest::Client->new(1 .. 3);
my $writers = ModseqTest::Load->start($pooled, 3, 'postgres');
foreach my $step (1 .. 5)
{
	$writers->work(20);
	in_sync([$client], $pooled, "pooled, step $step");
}
$writers->stop;
in_sync([$client], $pooled, 'pooled');
sound($nodes[0], 'pooled');

done_testing();
