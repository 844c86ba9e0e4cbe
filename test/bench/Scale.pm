# The rows of the benchmark that ask whether cost stays linear: in statements, savepoints, cascades, renames.

package Scale;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

use Bench;
use Report;
use Rows;

our @EXPORT = qw(rows_of_scale);

sub rows_of_scale
{
	my $n = $quick ? 2000 : 50_000;

	for my $statements ($quick ? 1000 : (5000, 20_000, 40_000))
	{
		my $count = thousands($statements);
		my %row = (n => $statements, messages => 10, rounds => 3);

		compare("append $count, a statement each", %row, op => 'append, a statement each',
			contenders => [qw(modseq by_hand bare)],
			also => [ [ 'counters in the mailbox', 'modseq', 'append, a statement each', { counters => 'mailbox' } ] ]);
		compare("append $count, a savepoint each", %row, op => 'append, a savepoint each',
			contenders => [qw(modseq bare)]);
	}
	compare('EXPUNGE ' . thousands($n) . ', two flags each', op => 'expunge', n => $n, messages => 2 * $n, repeat => 0,
		flagtable => 'true', flagged => 'true');
	rename_row($quick ? 400 : 4000);
}

# Mailboxes of five messages, of which the foreign key renames the messages. With modseq, and without.
sub rename_row
{
	my ($n) = @_;
	my $name = 'rename ' . thousands($n) . ' mailboxes';
	my @columns = map { { label => $_ } } qw(modseq bare);
	my %results;

	return unless wanted($name);
	progress($name);
	create_store($_->{label}, $_->{label}, sizes => "SELECT id, 5 FROM generate_series(1, 10 + $rounds * $n) AS id") for @columns;
	turns($rounds, \@columns, \%results, sub {
		my ($round, $column) = @_;
		my $first = 11 + ($round - 1) * $n;

		local $ENV{PGDATABASE} = database($column->{label});
		return statement(command('bare', 'rename'), { first => $first, last => $first + $n - 1 },
			{ first => 2 * $round - 1, last => 2 * $round });
	});
	report_row(name => $name, n => $n, results => \%results);
}

1;
