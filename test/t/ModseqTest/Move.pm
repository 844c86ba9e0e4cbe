# What the tests of modseq-move share: two servers, calls of it, and stores of all kinds.

package ModseqTest::Move;

use strict;
use warnings FATAL => 'all';

use Cwd;
use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;

our @EXPORT = qw(
  %kinds
  move_servers
  move_in
  command_for
  move
  moves
  refuses
  alone
  value
);

my $tool = getcwd . "/test/tools/modseq-move";
my $dbname = 'postgres';
my ($source, $target);

# Two servers that are not started yet; the first one is where mailboxes move from
sub move_servers
{
	my ($settings) = @_;

	$source = new_server('source', "max_prepared_transactions = 5\n");
	$target = new_server('target', $settings);
	return ($source, $target);
}

# In another database from now on
sub move_in
{
	($dbname) = @_;
	return;
}

# The command, without the store
sub command_for
{
	my ($from, $to, @options) = @_;

	return ($tool, @options, $from->connstr($dbname), $to->connstr($dbname));
}

# Move, and return what was said; whether it went well is told by an exit code, or a signal
sub move
{
	my ($what, $key, $store, %options) = @_;
	my ($from, $to) = ($options{from} // $source, $options{to} // $target);
	my ($out, $err) = ('', '');
	local $ENV{MODSEQ_MOVE_KILL} = $options{kill} // '';
	local $ENV{PGUSER} = $options{user} if $options{user};

	IPC::Run::run([ command_for($from, $to, "--$what", $key, @{ $options{options} // [] }), $store ],
		'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return ($? & 127 ? "signal " . ($? & 127) : $? >> 8, $err);
}

# The same, where it must go well; what was said
sub moves
{
	my ($what, $key, $store, %options) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($code, $said) = move($what, $key, $store, %options);

	is($code, 0, "$store: $what $key moves") or diag $said;
	return $said;
}

# Where it must not
sub refuses
{
	my ($what, $key, $store, $why, %options) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($code, $said) = move($what, $key, $store, %options);

	is($code, 1, "$store: refuses $what $key");
	like($said, $why, "$store: $why");
	like($said, qr/Nothing has moved/, 'and has moved nothing');
	return;
}

# Until no backend is left of one that was killed
sub alone
{
	foreach my $node ($source, $target)
	{
		$node->poll_query_until('postgres',
			"SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'modseq-move'")
		  or die 'a backend stays';
	}
	return;
}

# What a query returns in the database that we are in
sub value
{
	my ($node, $sql) = @_;

	return $node->safe_psql($dbname, $sql);
}

# How tables of all kinds are made
our %kinds = (
	'In its row' => <<'SQL',
CREATE TABLE "In a row" ("Acc't" text COLLATE "C", "Na{m}e" text, uidvalidity bigint, uidnext bigint, highestmodseq bigint,
	twice int GENERATED ALWAYS AS (uidnext * 2) STORED, PRIMARY KEY ("Acc't", "Na{m}e"));
CREATE TABLE "In its row" ("Acc't" text COLLATE "C", "Na{m}e" text, id bigint, seen boolean, expunged_at timestamptz,
	FOREIGN KEY ("Acc't", "Na{m}e") REFERENCES "In a row" ON UPDATE CASCADE ON DELETE CASCADE) PARTITION BY HASH ("Acc't");
CREATE TABLE "In 0" PARTITION OF "In its row" FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE "In 1" PARTITION OF "In its row" FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE "In flags" ("Acc't" text, "Na{m}e" text, uid bigint, flag text);
SELECT modseq.attach('"In its row"', '"In a row"', '"In flags"', counters => 'mailbox', message_expunged => 'expunged_at',
	flag_mailbox => '{Acc''t,"Na{m}e"}', flag_uid => 'uid', changes => 'log');
SQL
	mixed => <<'SQL',
CREATE DOMAIN name_of AS varchar(40);
CREATE TABLE mixed_box (id uuid PRIMARY KEY, "Owner" name_of, realm int, name text);
CREATE TABLE mixed (id uuid PRIMARY KEY, thread int, box uuid NOT NULL REFERENCES mixed_box ON DELETE CASCADE, flags jsonb);
CREATE TABLE mixed_flag (id uuid REFERENCES mixed ON DELETE CASCADE, flag text);
SELECT modseq.attach('mixed', 'mixed_box', 'mixed_flag', account => '{Owner,realm}', thread => 'thread',
	mailbox_properties => '{name}', message_flags => '{flags}');
SQL
	one => <<'SQL',
CREATE TABLE one_source (path text PRIMARY KEY, parent text);
CREATE TABLE one_box (path text PRIMARY KEY, uidvalidity bigint, uidnext bigint, highestmodseq bigint);
CREATE TABLE one (path text NOT NULL, email int, seen boolean);
SELECT modseq.attach('one', 'one_box', mailbox_source => 'one_source', account => '{}', email => 'email');
SQL
	shared => <<'SQL',
CREATE TABLE shared_box (id int PRIMARY KEY);
CREATE TABLE shared (box_id int REFERENCES shared_box, id int);
CREATE TABLE shared_flag (id int, flag text, PRIMARY KEY (id, flag));
SELECT modseq.attach('shared', 'shared_box', 'shared_flag', message_key => '{id}', flag_message => '{id}');
SQL
);

1;
