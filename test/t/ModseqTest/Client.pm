# An IMAP client with a cache: it knows some mailboxes as of when it last synced, and learns the rest
# by modseq.resync() and a read of the messages that changed.
#
# Each sync is one statement, so one snapshot, which also brings all of the mailboxes. So the client
# can tell right after each sync whether it has what the server has, however busy the server is.

package ModseqTest::Client;

use strict;
use warnings FATAL => 'all';

use JSON::PP;
use Storable qw(dclone);

# A client that knows nothing of these mailboxes yet
sub new
{
	my ($class, @boxes) = @_;
	my %known = map {
		$_ => { uidvalidity => 0, modseq => 0, uidnext => 1, mail => {} }
	} @boxes;

	return bless { boxes => \%known, verdicts => {} }, $class;
}

# The same client in the same state, which then goes offline
sub copy
{
	my ($self) = @_;

	return dclone($self);
}

# How often a sync was answered with that verdict
sub told
{
	my ($self, $verdict) = @_;

	return $self->{verdicts}{$verdict} // 0;
}

# The UIDs of a set in IMAP's notation
sub uids
{
	my ($set) = @_;

	return map { /^(\d+):(\d+)$/ ? ($1 .. $2) : $_ } split(/,/, $set);
}

# The ranges of a set, which can have millions of UIDs
sub ranges
{
	my ($set) = @_;

	return map { /^(\d+):(\d+)$/ ? [ $1, $2 ] : [ $_, $_ ] } split(/,/, $set);
}

# Sync all mailboxes through a node or a session, and return what is wrong
sub sync
{
	my ($self, $server, $dbname) = @_;
	my $boxes = $self->{boxes};
	my $known = join(', ',
		map { "($_, $boxes->{$_}{uidvalidity}, $boxes->{$_}{modseq})" }
		  sort { $a <=> $b } keys %$boxes);
	my $sql = <<"SQL";
SELECT json_agg(row_to_json(answer))
FROM (
	SELECT c.id, r.*,
		(r.changed::text, r.vanished::text) = (
			SELECT coalesce(modseq.uidset_agg(uid)::text, ''), modseq.vanished_since('mail', c.id, c.since)::text
			FROM modseq.changed_since('mail', c.id, c.since)) AS same,
		(SELECT coalesce(json_object_agg(m.uid, m.modseq || ' ' || coalesce(m.subject || ' ', '') || array_to_string(ARRAY(
				SELECT unnest(m.flags)
				UNION ALL SELECT flag FROM mail_flag f WHERE f.mail_id = m.id
				ORDER BY 1), ' ')), '{}')
		 FROM mail m WHERE m.box_id = c.id) AS mail
	FROM (VALUES $known) AS k (id, uidvalidity, since),
		LATERAL (SELECT k.id::bigint, k.uidvalidity::bigint, k.since::bigint) AS c (id, uidvalidity, since),
		modseq.resync('mail', c.id, c.uidvalidity, c.since) AS r) AS answer
SQL
	my $json =
		$server->isa('PostgreSQL::Test::BackgroundPsql')
	  ? $server->query_safe($sql)
	  : $server->safe_psql($dbname || 'postgres', $sql);

	return map { $self->_learn($_) } @{ decode_json($json) };
}

# What one mailbox's answer says that cannot be, going by what the client knows
sub _learn
{
	my ($self, $answer) = @_;
	my $box = $self->{boxes}{ $answer->{id} };
	my $since = $box->{modseq};
	my $all = $answer->{mail};
	my @problems;

	$self->{verdicts}{ $answer->{verdict} }++;
	if ($answer->{verdict} eq 'ok')
	{
		my @ranges = ranges($answer->{vanished});
		my $vanished = sub { my ($uid) = @_; return scalar grep { $uid >= $_->[0] && $uid <= $_->[1] } @ranges };

		push @problems, "HIGHESTMODSEQ $answer->{highestmodseq} after $since"
		  if $answer->{highestmodseq} < $since;
		push @problems, "UIDNEXT $answer->{uidnext} after $box->{uidnext}"
		  if $answer->{uidnext} < $box->{uidnext};
		push @problems,
		  'resync and changed_since or vanished_since do not agree'
		  if !$answer->{same};
		push @problems, "first_vanished $answer->{first_vanished}"
		  if @ranges
		  && ( $answer->{first_vanished} <= $since
			|| $answer->{first_vanished} > $answer->{highestmodseq});

		delete @{ $box->{mail} }{ grep { $vanished->($_) } keys %{ $box->{mail} } };
		foreach my $uid (uids($answer->{changed}))
		{
			my ($modseq) = ($all->{$uid} // '0 is not there') =~ /^(\d+)/;

			push @problems, "UID $uid vanished and changed" if $vanished->($uid);
			push @problems, "UID $uid has modseq $modseq"
			  if $modseq <= $since || $modseq > $answer->{highestmodseq};
			push @problems,
			  "new UID $uid is below UIDNEXT $box->{uidnext}, as was told"
			  if !exists $box->{mail}{$uid} && $uid < $box->{uidnext};
			$box->{mail}{$uid} = $all->{$uid};
		}
		push @problems, $self->_differences($box->{mail}, $all);
	}
	elsif ($answer->{verdict} eq 'behind' && $self->{may_be_ahead})
	{
		# A server that lags: the client keeps what it has
		return map { "mailbox $answer->{id}, since $since: $_" }
		  $answer->{highestmodseq} < $since
		  && !defined $answer->{vanished} && !defined $answer->{changed} ? () : ('behind with an answer');
	}
	else
	{
		# A client that has to start over
		push @problems, "verdict $answer->{verdict}"
		  unless $answer->{verdict} eq 'uidvalidity_changed'
		  && $answer->{uidvalidity} != $box->{uidvalidity}
		  || $answer->{verdict} eq 'unknown_modseq'
		  && (($answer->{highestmodseq} < $since && $self->{may_be_ahead})
			|| $self->{may_have_lost});
		$box->{mail} = $all;
	}
	foreach my $uid (keys %$all)
	{
		push @problems, "UID $uid is not below UIDNEXT $answer->{uidnext}"
		  if $uid >= $answer->{uidnext};
	}
	$box->{uidvalidity} = $answer->{uidvalidity};
	$box->{modseq} = $answer->{highestmodseq};
	$box->{uidnext} = $answer->{uidnext};
	return map { "mailbox $answer->{id}, since $since: $_" } @problems;
}

# Where the client's messages are not the server's
sub _differences
{
	my ($self, $mine, $all) = @_;
	my %uids = map { $_ => 1 } keys %$mine, keys %$all;

	return map {
		my ($have, $should) = ($mine->{$_} // 'gone', $all->{$_} // 'gone');
		$have eq $should ? () : "UID $_ is ($have), should be ($should)"
	} sort { $a <=> $b } keys %uids;
}

1;
