# The rows of the benchmark that read. They share one store, of ten million messages.

package Reads;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use List::Util qw(max);

use Bench;
use Report;
use Rows;

our @EXPORT = qw(rows_that_read expunge_one_by_one);

# Single statements on random messages of a mailbox of :size, each another one
my $expunge = <<'SQL';
\set i :i + 1
\set uid permute(:i, :size) + 1
DELETE FROM mail WHERE mailbox_id = :box AND uid = :uid;
SQL

sub expunge_one_by_one
{
	my ($label, $box, $size, $n) = @_;
	local $ENV{PGDATABASE} = database($label);
	local $ENV{PGOPTIONS} = '-c search_path=store';
	transactions($expunge, { box => $box, size => $size, i => 0 }, $n);
}

sub change
{
	my ($box, $first, $last) = @_;
	in_store('reads', "UPDATE mail SET seen = true WHERE mailbox_id = $box AND uid = $_") for $first .. $last;
}

sub rows_that_read
{
	my @sizes = $quick ? (10_000, 100_000) : (10_000, 100_000, 1_000_000);
	my $expunges = $quick ? 10_000 : 100_000;
	my $total = $quick ? 0 : 10_000_000;
	my $values = join ', ', map { '(' . ($_ + 1) . ", $sizes[$_])" } 0 .. $#sizes;
	my $each = max(10, int(($total - 1_310_000) / 1000));

	my $status = 'STATUS of 1,000 mailboxes';
	my @changed_since = map { 'CHANGEDSINCE: 10 of ' . thousands($_) } @sizes;
	my $resync = 'resync: 100 changes of ' . thousands($sizes[-1]);
	my $vanished = 'VANISHED: ' . thousands($expunges) . ' expunged one by one';

	my $select = 'SELECT (QRESYNC): 20,000 changed and 20,000 vanished';
	my %scattered = map { $_ => 'FETCH ' . thousands($_) . ' scattered UIDs of 200,000' } 2, 100, 5000;

	return unless grep { wanted($_) } $status, @changed_since, $resync, $select, values %scattered, $vanished, "$vanished, compacted";
	progress('a store to read');
	create_store('reads', 'modseq', sizes => "VALUES $values, (4, 2 * $expunges), (5, 80000), (6, 200000) UNION ALL"
		  . " SELECT id, $each FROM generate_series(1001, 2000) AS id");
	change($_, 5001, 5010) for 1 .. @sizes;
	expunge_one_by_one('reads', 4, 2 * $expunges, $expunges);
	in_store('reads', slurp('reads.sql'));
	in_store('reads', 'VACUUM ANALYZE');

	read_row($status, 'status of many', {}, repeat => $transactions / 10);
	for my $i (0 .. $#sizes)
	{
		read_row($changed_since[$i], 'changed since', { box => $i + 1, since => 3 }, n => $sizes[$i]);
	}
	change(scalar @sizes, 6001, 6080);
	in_store('reads', "DELETE FROM mail WHERE mailbox_id = $#sizes + 1 AND uid = $_") for 7001 .. 7010;
	in_store('reads', "INSERT INTO by_hand.mail_vanished SELECT id, modseq, uids FROM mail_vanished WHERE id = $#sizes + 1");
	read_row($resync, 'resync', { box => scalar @sizes, since => 3 });

	in_store('reads', 'UPDATE mail SET seen = true WHERE mailbox_id = 5 AND uid % 4 = 0; DELETE FROM mail WHERE mailbox_id = 5 AND uid % 4 = 2;'
		  . ' INSERT INTO by_hand.mail_vanished SELECT id, modseq, uids FROM mail_vanished WHERE id = 5; VACUUM ANALYZE mail');
	read_row($select, 'select qresync', { box => 5, since => 3 }, repeat => 20, count => 0);
	for my $n (sort { $a <=> $b } keys %scattered)
	{
		my $uids = join ',', map { 1 + $_ * int(199_998 / $n) } 0 .. $n - 1;
		read_row($scattered{$n}, 'fetch scattered', { box => 6, set => $uids }, repeat => $transactions / 20);
	}

	my %vanished = (box => 4, since => 3);
	read_row($vanished, 'vanished since', \%vanished, repeat => 20);
	in_store('reads', "SELECT modseq.compact('mail', '0')");
	{
		local $ENV{PGOPTIONS} = '-c search_path=by_hand,store';
		local $ENV{PGDATABASE} = database('reads');
		psql(command('by_hand', 'compact'), box => 4);
	}
	read_row("$vanished, compacted", 'vanished since', \%vanished, repeat => 20);
}

1;
