# The front ends on a standby that lags: who knows more than it has is told to come back, and not that something was
# lost. If it catches up in time, they have waited for it.
#
#   test/jmapd/run standby      or: test/tap test/jmapd/t/standby.pl :: JMAPD IMAPD SCHEMA

use strict;
use warnings FATAL => 'all';

use HTTP::Tiny;
use IO::Socket::INET;
use IPC::Run;
use JSON::PP;
use MIME::Base64;
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;

my ($jmapd, $imapd, $schema) = @ARGV;
my $long = $PostgreSQL::Test::Utils::timeout_default;
my $primary = new_server('primary', undef, allows_streaming => 1);
my @running;

$primary->start;
$primary->safe_psql('postgres', "SET client_min_messages = warning; \\i $schema");
$ENV{IMAPD_PASSWORD} = 'secret';
system_or_bail($imapd, '-d', $primary->connstr('postgres'), '--create-user', 'fred');
# Has no mailbox yet, and so no account
$primary->safe_psql('postgres', "INSERT INTO mw_user (name, password) VALUES ('new', crypt('secret', gen_salt('bf')))");
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

# A front end on a node: its port
sub serve
{
	my ($program, $node, $wait) = @_;
	my ($out, $log) = ('', $PostgreSQL::Test::Utils::log_path . "/front_ends.log");
	my $handle = IPC::Run::start([ $program, '-d', $node->connstr('postgres'), '--port', '0', '--wait', $wait ],
		'>', \$out, '2>>', $log, IPC::Run::timeout($long));

	push @running, $handle;
	$handle->pump until $out =~ /port (\d+)\n/;
	return $1;
}

END
{
	my $status = $?;

	$_->kill_kill foreach @running;
	$? = $status;
}

# A method call: the response's arguments, or the type of the error
sub jmap
{
	my ($port, $method, $args, $user) = @_;
	my $account = 'A'
	  . $primary->safe_psql('postgres', "SELECT id FROM mw_user WHERE name = '" . ($user || 'fred') . "'");
	my $response = HTTP::Tiny->new(timeout => $long)->post("http://127.0.0.1:$port/jmap/api", {
		headers => {
			'Authorization' => 'Basic ' . encode_base64(($user || 'fred') . ':secret', ''),
			'Content-Type' => 'application/json' },
		content => encode_json({
			using => [ 'urn:ietf:params:jmap:core', 'urn:ietf:params:jmap:mail' ],
			methodCalls => [ [ $method, { accountId => $account, %$args }, 'c' ] ] }) });
	die "$response->{status} $response->{content}" unless $response->{success};
	my ($name, $answer) = @{ decode_json($response->{content})->{methodResponses}[0] };

	return $name eq 'error' ? $answer->{type} : $answer;
}

# A session of IMAP; and a command: the untagged responses, and the tagged one without its tag
sub imap
{
	my ($port) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Timeout => $long) or die $!;

	<$socket>;
	command($socket, 'LOGIN fred secret');
	command($socket, 'ENABLE QRESYNC');
	return $socket;
}

sub command
{
	my ($socket, @parts) = @_;
	my $untagged = '';

	print $socket 'a ', shift @parts, "\r\n";
	while (my $line = <$socket>)
	{
		if ($line =~ /^\+ / && @parts)
		{
			print $socket shift @parts, "\r\n";
			next;
		}
		return ($untagged, $1) if $line =~ /^a (.*)\r\n/;
		$untagged .= $line;
	}
	die 'the server has hung up';
}

sub tagged { return (command(@_))[1]; }

sub append
{
	my ($socket, $subject) = @_;
	my $text = "Subject: $subject\r\n\r\nText\r\n";

	like(tagged($socket, sprintf('APPEND INBOX {%d}', length $text), $text), qr/^OK/, "APPEND of $subject");
	return;
}

my ($at_primary, $at_standby, $patient) =
  (serve($jmapd, $primary, 0), serve($jmapd, $standby, 0), serve($jmapd, $standby, $long));
my $writer = imap(serve($imapd, $primary, 0));
my $imap_port = serve($imapd, $standby, 0);
my $imap_patient = serve($imapd, $standby, $long);

append($writer, 'one');
append($writer, 'two');
$primary->wait_for_catchup($standby);

my $all = { ids => jmap($at_primary, 'Email/query', {})->{ids}, properties => ['keywords'] };
my %before = map { $_ => jmap($at_primary, "$_/get", { ids => [] })->{state} } qw(Email Mailbox Thread);
is_deeply(jmap($at_standby, 'Email/get', $all), jmap($at_primary, 'Email/get', $all), 'a standby that has it all');
my $reader = imap($imap_port);
like(tagged($reader, 'SELECT INBOX'), qr/^OK \[READ-ONLY\]/, 'SELECT: read-only');
my $highest = sub {
	return $primary->safe_psql('postgres', <<'SQL');
SELECT s.uidvalidity || ' ' || s.highestmodseq
FROM mw_mailbox b JOIN mw_user u ON u.id = b.user_id, modseq.status('mw_mail', b.id) s WHERE b.name = 'INBOX' AND u.name = 'fred'
SQL
};
my ($uidvalidity, $old) = split / /, $highest->();

#
# It lags: a message arrives, another is read; and somebody gets a first mailbox
#

$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$standby->poll_query_until('postgres', "SELECT pg_get_wal_replay_pause_state() = 'paused'") or die;
append($writer, 'three');
like(tagged($writer, 'SELECT INBOX'), qr/^OK/, 'SELECT');
like(tagged($writer, 'UID STORE 1 +FLAGS (\Seen)'), qr/^OK/, 'STORE');
is(jmap($at_primary, 'Mailbox/get', { ids => undef }, 'new'), 'accountNotFound', 'the primary: no such account');
$primary->safe_psql('postgres',
	"INSERT INTO mw_mailbox (user_id, name) SELECT id, 'INBOX' FROM mw_user WHERE name = 'new'");
push @{ $all->{ids} }, @{ jmap($at_primary, 'Email/query', {})->{ids} };
my %after = map { $_ => jmap($at_primary, "$_/get", { ids => [] })->{state} } qw(Email Mailbox Thread);
my (undef, $known) = split / /, $highest->();
my $in_walk =
  jmap($at_primary, 'Email/changes', { sinceState => $before{Email}, maxChanges => 1 });
ok($in_walk->{hasMoreChanges}, 'a walk');

# What is read there is older, and of one snapshot
my $here = jmap($at_standby, 'Email/get', $all);
is(join(' ', map { keys %{ $_->{keywords} } } @{ $here->{list} }), '', 'Email/get on the standby: nothing is read');
is(scalar @{ $here->{list} } . ' ' . @{ $here->{notFound} }, '2 1', 'and a message is not there');
is($here->{state}, $before{Email}, 'and its state is that of what it has');
is(jmap($at_standby, 'Email/query', {})->{queryState}, $before{Email}, 'Email/query');

foreach my $type (qw(Email Mailbox Thread))
{
	is(jmap($at_standby, "$type/changes", { sinceState => $after{$type} }), 'serverUnavailable', "$type/changes");
	my $changes = jmap($at_standby, "$type/changes", { sinceState => $before{$type} });
	is($changes->{newState}, $before{$type}, "$type/changes from what it has");
	is(jmap($at_standby, "$type/changes", { sinceState => $after{$type} . 'x' }),
		'cannotCalculateChanges', "$type/changes from what is no state");
	next if $type eq 'Thread';
	is(jmap($at_standby, "$type/queryChanges", { sinceQueryState => $after{$type} }),
		'serverUnavailable', "$type/queryChanges");
	is(jmap($at_standby, "$type/queryChanges", { sinceQueryState => 'x' }),
		'cannotCalculateChanges', "$type/queryChanges from what is no state");
	is(jmap($at_standby, "$type/set", { destroy => ['x'] }), 'serverUnavailable', "$type/set");
}
is(jmap($at_standby, 'Email/changes', { sinceState => $in_walk->{newState} }),
	'serverUnavailable', 'Email/changes in a walk');
is(jmap($at_standby, $_, { ids => [] }, 'new'), 'serverUnavailable', "$_ of an account that is to come")
  foreach 'Mailbox/get', 'Email/get', 'Thread/get';
is(jmap($at_standby, 'Mailbox/changes', { sinceState => $after{Mailbox} }, 'new'),
	'serverUnavailable', 'Mailbox/changes of an account that is to come');

# IMAP
like(tagged($reader, $_), qr/^NO \[UNAVAILABLE\]/, $_)
  foreach "FETCH 1:* (FLAGS) (CHANGEDSINCE $known)",
  "UID FETCH 1:* (FLAGS) (CHANGEDSINCE $known VANISHED)",
  "UID SEARCH MODSEQ $known", 'CREATE new', 'COPY 1 INBOX', 'RENAME INBOX old';
like(tagged($reader, 'APPEND INBOX {15}', "Subject: x\r\n\r\ny"), qr/^NO \[UNAVAILABLE\]/, 'APPEND');
like(tagged($reader, "UID FETCH 1:* (FLAGS) (CHANGEDSINCE $old)"), qr/^OK/, 'CHANGEDSINCE of what it has');
like(tagged($reader, 'STORE 1 +FLAGS (\Seen)'), qr/^NO \[READ-ONLY\]/, 'STORE');
my ($told, $end) = command($reader, 'FETCH 1 BODY[]');
like($told, qr/Subject: one/, 'FETCH of a text');
like($end, qr/^OK/, 'does not try to set \Seen');
is((command($reader, 'NOOP'))[0], '', 'NOOP: nothing to tell');
my $qresync = "SELECT INBOX (QRESYNC ($uidvalidity $known))";
($told, $end) = command($reader, $qresync);
like($end, qr/^NO \[UNAVAILABLE\]/, 'SELECT (QRESYNC …)');
unlike($told, qr/HIGHESTMODSEQ|EXISTS|VANISHED/, 'announces nothing');
like(tagged($reader, 'FETCH 1 FLAGS'), qr/^BAD/, 'and no mailbox is selected');
like(tagged($reader, 'SELECT INBOX (QRESYNC (' . ($uidvalidity + 1) . ' 1))'),
	qr/^NO \[UNAVAILABLE\]/, 'SELECT (QRESYNC …): a UIDVALIDITY that may be to come');
($told, $end) = command($reader, "SELECT INBOX (QRESYNC ($uidvalidity $old))");
like($end, qr/^OK/, 'SELECT (QRESYNC …) of what it has');
like($told, qr/\* 2 EXISTS/, 'as it has it');

#
# It catches up while they wait
#

my %asked = (
	"email_changes" => sub { jmap($patient, 'Email/changes', { sinceState => $after{Email} })->{newState} },
	"query_changes" => sub { jmap($patient, 'Email/queryChanges', { sinceQueryState => $after{Email} })->{newQueryState} },
	"mailbox_query" =>
	  sub { jmap($patient, 'Mailbox/queryChanges', { sinceQueryState => $after{Mailbox} })->{newQueryState} },
	"select" => sub { join '', command(imap($imap_patient), $qresync) },
	"fetch" => sub {
		my $socket = imap($imap_patient);
		tagged($socket, 'EXAMINE INBOX');
		return join '', command($socket, "UID FETCH 1:* (FLAGS) (CHANGEDSINCE $known)");
	});
my %pipes;
foreach my $name (sort keys %asked)
{
	my $pid = open($pipes{$name}, '-|') // die $!;
	next if $pid;
	print eval { $asked{$name}->() } // $@;
	close STDOUT;
	POSIX::_exit(0);			# the servers are the parent's
}
$standby->poll_query_until('postgres',
	"SELECT count(*) = 5 FROM pg_stat_activity WHERE query LIKE '%wait\\_for(%' AND wait_event = 'Extension'")
  or die 'they do not wait';
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
my %answers = map { my $pipe = $pipes{$_}; ($_ => do { local $/; <$pipe> }) } sort keys %pipes;
is($answers{email_changes}, $after{Email}, 'Email/changes has waited');
is($answers{query_changes}, $after{Email}, 'Email/queryChanges');
is($answers{mailbox_query}, $after{Mailbox}, 'Mailbox/queryChanges');
like($answers{select}, qr/\* 3 EXISTS.*HIGHESTMODSEQ $known\b.*OK \[READ-ONLY\]/s, 'SELECT (QRESYNC …)');
like($answers{fetch}, qr/OK .*FETCH completed/, 'FETCH (CHANGEDSINCE …)');
is_deeply(jmap($at_standby, 'Email/get', $all), jmap($at_primary, 'Email/get', $all), 'they have the same again');
is(ref jmap($at_standby, 'Mailbox/get', { ids => undef }, 'new'), 'HASH', 'and the account is there');

# A state that may be to come, and never does: only the primary knows
my $invented = { sinceState => $after{Email} =~ s/[^.]*$/ffffff/r };
is(jmap($at_standby, 'Email/changes', $invented), 'serverUnavailable', 'a state that may be to come');
is(jmap($at_primary, 'Email/changes', $invented), 'cannotCalculateChanges', 'the primary knows that it is none');
done_testing();
