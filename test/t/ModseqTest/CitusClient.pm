# Clients of a store that Citus distributes: of its mailboxes, as IMAP has them, and of an account, as JMAP has it. Each
# answer is of one statement, which goes to the server of the account, so of one snapshot: what a client knows then is
# compared with the rows at once, however busy the servers are.

package ModseqTest::CitusClient;

use strict;
use warnings FATAL => 'all';

use JSON::PP;
use parent 'ModseqTest::Client';

# ACCOUNTS, MAILBOXES of each
sub new
{
	my ($class, $accounts, $boxes) = @_;
	my $self = $class->SUPER::new(map { my $a = $_; map { "$a,$_" } 1 .. $boxes } 1 .. $accounts);

	$self->{accounts} = { map { $_ => { state => undef, mail => {} } } 1 .. $accounts };
	return $self;
}

# What a message of that account is to a client: all its flags. Citus sends a statement to one server as a whole only if
# it says the account of each table as a constant; else parts of it would be read first, in snapshots of their own.
sub _flags
{
	my ($account) = @_;

	return "m.flags::text || coalesce((SELECT string_agg(f.flag, ' ' ORDER BY f.flag) FROM mw.mail_flag f"
	  . " WHERE f.account = $account AND f.mail_id = m.id), '')";
}

sub _ask_mailbox
{
	my ($box, $known) = @_;
	my ($account, $id) = split /,/, $box;
	my $args = "'mw.mail', '{$box}'";
	my $flags = _flags($account);

	return <<"SQL";
SELECT row_to_json(answer)
FROM (
	SELECT '$box' AS id, r.*,
		(r.changed::text, r.vanished::text) = (
			SELECT coalesce(modseq.uidset_agg(uid)::text, ''), modseq.vanished_since($args, $known->{modseq})::text
			FROM modseq.changed_since($args, $known->{modseq})) AS same,
		(SELECT json_build_array(c.messages, c.unseen) FROM modseq.counts($args) AS c) AS counts,
		(SELECT json_build_array(count(*), count(*) FILTER (WHERE NOT m.flags @> '{seen}'))
		 FROM mw.mail m WHERE m.account = $account AND m.box_id = $id) AS counted,
		(SELECT coalesce(json_object_agg(m.uid, m.modseq || ' ' || $flags), '{}')
		 FROM mw.mail m WHERE m.account = $account AND m.box_id = $id) AS mail
	FROM mw.box b, modseq.resync($args, $known->{uidvalidity}, $known->{modseq}) AS r
	WHERE b.account = $account AND b.id = $id) AS answer;
SQL
}

sub _ask_account
{
	my ($account, $known) = @_;
	my $flags = _flags($account);
	my $mail = "(SELECT coalesce(json_object_agg(m.id, $flags), '{}') AS mail FROM mw.mail m WHERE m.account = $account) AS m";

	return defined $known->{state}
	  ? "SELECT row_to_json(answer) FROM (SELECT $account AS account, c.*, m.mail"
	  . " FROM $mail, modseq.email_changes('mw.mail', $account, '$known->{state}') AS c) AS answer;\n"
	  : "SELECT row_to_json(answer) FROM (SELECT $account AS account, s.email AS new_state, m.mail"
	  . " FROM $mail, modseq.account_state('mw.mail', $account) AS s) AS answer;\n";
}

# What the account's answer says that cannot be
sub _learn_account
{
	my ($self, $answer) = @_;
	my $known = $self->{accounts}{ $answer->{account} };
	my $all = $answer->{mail};
	my @problems;

	if (!defined $known->{state})
	{
		$known->{mail} = $all;
	}
	elsif ($answer->{verdict} ne 'ok')
	{
		push @problems, "verdict $answer->{verdict}";
		$known->{mail} = $all;
	}
	else
	{
		push @problems, map { "Email $_ is created, and was known" } grep { exists $known->{mail}{$_} } @{ $answer->{created} };
		push @problems, map { "Email $_ is destroyed, and is there" } grep { exists $all->{$_} } @{ $answer->{destroyed} };
		delete @{ $known->{mail} }{ @{ $answer->{destroyed} } };
		$known->{mail}{$_} = $all->{$_} foreach @{ $answer->{created} }, @{ $answer->{updated} };
		push @problems, $self->_differences($known->{mail}, $all);
	}
	$known->{state} = $answer->{new_state};
	return map { "account $answer->{account}: $_" } @problems;
}

sub _learn
{
	my ($self, $answer) = @_;
	my $known = $self->{boxes}{ $answer->{id} };
	my $before = $known->{uidvalidity};
	my @problems = $self->SUPER::_learn($answer);

	# It must rise (RFC 9051 section 2.3.1.1)
	push @problems, "mailbox $answer->{id}: UIDVALIDITY $answer->{uidvalidity} after $before" if $answer->{uidvalidity} < $before;
	push @problems, "mailbox $answer->{id}: counts @{ $answer->{counts} } of @{ $answer->{counted} }"
	  if "@{ $answer->{counts} }" ne "@{ $answer->{counted} }";
	return @problems;
}

# Syncs all through a node, and returns what is wrong; nothing is learnt of what the node could not answer
sub sync
{
	my ($self, $node) = @_;
	my $boxes = $self->{boxes};
	my $accounts = $self->{accounts};
	my $sql = join '', (map { _ask_mailbox($_, $boxes->{$_}) } sort keys %$boxes),
	  (map { _ask_account($_, $accounts->{$_}) } sort keys %$accounts);
	my ($ret, $stdout, $stderr) = $node->psql('postgres', $sql, on_error_stop => 0, timeout => 180);

	$self->{unanswered} += () = ($stderr // '') =~ /ERROR:|connection/g;
	push @{ $self->{errors} }, $stderr if $stderr;
	return map {
		my $answer = decode_json($_);

		$self->{answers}++;
		exists $answer->{id} ? $self->_learn($answer) : $self->_learn_account($answer);
	} grep { /^{/ } split /\n/, $stdout // '';
}

1;
