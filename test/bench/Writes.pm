# The rows of the benchmark that write: append, STORE, EXPUNGE, MOVE, and many clients.

package Writes;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use List::Util qw(max);

use Bench;
use Report;
use Rows;

our @EXPORT = qw(rows_that_write);

my @many = $quick ? 2000 : (1000, 50000);

sub rows_that_write
{
	rows_of_one();
	rows_of_many($_) for @many;
	rows_between($_) for $quick ? 50 : (10, 100, 10_000);
	other_writing_rows();
	rows_of_clients();
}

sub rows_of_one
{
	my @in_mailbox = ({ counters => 'mailbox' });
	compare('append 1', op => 'append one', n => 1, curve => 'append',
		also => [
			[ 'by hand, in one statement', 'by_hand', 'append one, one statement' ],
			[ 'counters in the mailbox', 'modseq', 'append one', @in_mailbox ]
		]);
	compare('STORE 1, flag table', op => 'store one, flag table', n => 1, flagtable => 'true', curve => 'STORE, flag table',
		also => [ [ 'lock() first', 'modseq', 'store one, flag table, lock()' ] ]);
	compare('STORE 1, flag column', op => 'store one, flag column', n => 1,
		also => [
			[ 'lock() first', 'modseq', 'store one, flag column, lock()' ],
			[ 'by hand, in one statement', 'by_hand', 'store one, flag column, one statement' ]
		]);
	compare('STORE 1, flag column, pages with room', op => 'store one, flag column', n => 1, fillfactor => 50, contenders => [qw(modseq by_hand)],
		also => [ [ 'changes logged', 'modseq', 'store one, flag column', { changes => 'log' } ] ]);
	compare('EXPUNGE 1', op => 'expunge one', n => 1, messages => 2 * $transactions, curve => 'EXPUNGE');
	for my $wait ([ 'append 1', 'append one' ], [ 'STORE 1, flag column', 'store one, flag column' ])
	{
		compare("$wait->[0]; commits wait for the disk", op => $wait->[1], n => 1, wait => 1, repeat => $transactions / 10);
	}
}

sub rows_of_many
{
	my ($n) = @_;
	my $count = thousands($n);

	compare("append $count", op => 'append', n => $n, curve => 'append');
	compare("STORE $count, flag table", op => 'store, flag table', n => $n, flagtable => 'true', curve => 'STORE, flag table',
		also => [ [ 'lock() first', 'modseq', 'store, flag table, lock()' ] ]);
	compare("STORE $count, flag column", op => 'store, flag column', n => $n,
		also => [
			[ 'lock() first', 'modseq', 'store, flag column, lock()' ],
			[ 'lock() first, SET modseq = modseq', 'modseq', 'store, flag column, lock(), naming modseq' ],
			[ 'under an empty trigger in C', 'empty', 'store, flag column' ],
			[ 'by hand under an empty trigger in C', 'empty', 'store, flag column, by hand' ]
		]);
	# Where pages have room, a log of changes in place of the index lets an UPDATE leave all indexes alone
	my @logged = ({ changes => 'log' });
	compare("STORE $count, flag column, pages with room", op => 'store, flag column', n => $n, fillfactor => 50, contenders => [qw(modseq by_hand)],
		also => [ [ 'changes logged', 'modseq', 'store, flag column', @logged ] ]);
	compare("append $count, changes logged", op => 'append', n => $n, contenders => [qw(modseq by_hand)],
		also => [ [ 'changes logged', 'modseq', 'append', @logged ] ]);
	my %expunge = (op => 'expunge', n => $n, messages => 2 * $n, repeat => 0,
		also => [ [ 'by hand, set made by the front end', 'by_hand', 'expunge, set made by the front end' ] ]);
	compare("EXPUNGE $count", %expunge, curve => 'EXPUNGE');
	compare("EXPUNGE $count, every other message", %expunge, scattered => 'true');
}

# Between the sizes of the table, for the picture
sub rows_between
{
	my ($n) = @_;
	my $count = thousands($n);
	my %row = (n => $n, contenders => [qw(modseq by_hand seeds)]);

	compare("append $count", %row, op => 'append', curve => 'append');
	compare("STORE $count, flag table", %row, op => 'store, flag table', flagtable => 'true', curve => 'STORE, flag table');
	compare("EXPUNGE $count", %row, op => 'expunge', messages => 2 * $n, repeat => 0, curve => 'EXPUNGE');
}

sub other_writing_rows
{
	my $some = $quick ? 100 : 1000;
	my $million = $quick ? 100_000 : 1_000_000;
	my $count = thousands($some);

	compare("MOVE $count", op => 'move', n => $some);
	for my $n (10, $some)
	{
		compare('STORE ' . thousands($n) . ' (UNCHANGEDSINCE), flag column', op => 'conditional store', n => $n,
			repeat => max(20, $transactions / $n), contenders => [qw(modseq by_hand)]);
	}
	compare('DELETE ' . thousands($million), op => 'expunge', n => $million, messages => 2 * $million, rounds => 1,
		contenders => [qw(modseq by_hand row_per_uid bare)],
		also => [ [ 'under an empty trigger in C', 'empty', 'expunge' ] ]);
}

# Clients that append and store, as often the one as the other
sub rows_of_clients
{
	my $seconds = $quick ? 1 : 5;
	my @clients = $quick ? 16 : (2, 4, 8, 16);

	for my $boxes (1, 1000)
	{
		my $created;
		for my $load (map({ [ $_, 'off' ] } @clients), [ $clients[-1], 'on' ])
		{
			my ($clients, $wait) = @$load;
			my $name = "$clients clients, " . ($boxes == 1 ? '1 mailbox' : thousands($boxes) . ' mailboxes')
			  . ($wait eq 'on' ? '; commits wait for the disk' : '');
			my %results;

			next unless wanted($name);
			progress($name);
			$created++ or map { create_store($_, $_, sizes => "SELECT id, 100 FROM generate_series(1, $boxes) AS id") } @contenders;
			for my $round (1 .. ($quick ? 1 : 3))
			{
				for my $contender (@contenders)
				{
					in_store($contender, 'VACUUM');
					local $ENV{PGDATABASE} = database($contender);
					local $ENV{PGOPTIONS} = "-c search_path=store -c synchronous_commit=$wait";
					push @{ $results{$contender} }, throughput($clients, [ '-T', $seconds ], { boxes => $boxes, messages => 100 },
						command($contender, 'append one'), command($contender, 'toggle'));
				}
			}
			report_row(name => $name, results => \%results);
		}
		die 'modseq is broken' if $created && in_store('modseq', "SELECT 'BROKEN', * FROM modseq.check('mail')") ne '';
	}
}

1;
