# The rows of the benchmark for accounts: what they cost writers, and what it takes to tell what changed in one.

package Accounts;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

use Bench;
use Count;
use Report;
use Rows;

our @EXPORT = qw(rows_of_accounts);

# With accounts the message is the Email. A mailbox, and that to which its messages move, are an account.
my $accounts = 2 * $rounds + 2;
my %with = (setup => 'setup, accounts', accounts => $accounts);

sub rows_of_accounts
{
	my $n = $quick ? 2_000 : 50_000;

	for my $row ([ 'append 1', 'append one', 1 ], [ 'STORE 1, flag column', 'store one, flag column', 1 ],
		[ 'append ' . thousands($n), 'append', $n ], [ 'STORE ' . thousands($n) . ', flag column', 'store, flag column', $n ],
		[ $quick ? 'MOVE 100' : 'MOVE 1,000', 'move', $quick ? 100 : 1000 ])
	{
		my ($name, $op, $many) = @$row;
		compare("$name, with and without accounts", op => $op, n => $many, contenders => ['modseq'],
			also => [ [ 'with accounts', 'modseq', $op, \%with ] ]);
	}
	clients_row($quick ? 100 : 1000);
	changes_row(10, 10_000);
	changes_row($quick ? (100, 100_000) : (1000, 1_000_000));
}

# Each mailbox is an account of its own
sub clients_row
{
	my ($boxes) = @_;
	my $name = '16 clients, ' . thousands($boxes) . ' mailboxes, with and without accounts';
	my @with = ([ 'with accounts', 'modseq', 'append one' ]);
	my %results;

	return unless wanted($name);
	progress($name);
	my %sizes = (sizes => "SELECT id, 100 FROM generate_series(1, $boxes) AS id");
	create_store('modseq', 'modseq', %sizes);
	create_store('with accounts', 'modseq', %sizes, %with, accounts => $boxes);
	for my $round (1 .. ($quick ? 1 : 5))
	{
		for my $label ($round % 2 ? ('modseq', 'with accounts') : ('with accounts', 'modseq'))
		{
			in_store($label, 'VACUUM');
			local $ENV{PGDATABASE} = database($label);
			local $ENV{PGOPTIONS} = '-c search_path=store -c synchronous_commit=off';
			push @{ $results{$label} }, throughput(16, [ '-T', $quick ? 1 : 5 ], { boxes => $boxes, messages => 100 },
				command('modseq', 'append one'), command('modseq', 'toggle'));
		}
	}
	report_row(name => $name, also => \@with, results => \%results);
}

# Ten Emails changed in one account: six flags, two arrivals and two that are gone
sub changes_row
{
	my ($boxes, $messages) = @_;
	my $name = 'email_changes: 10 of ' . thousands($messages) . ' in ' . thousands($boxes) . ' mailboxes';
	my $each = $messages / $boxes;
	my @columns = ({ label => 'modseq' });
	my %results;

	return unless wanted($name);
	progress($name);
	create_store('modseq', 'modseq', sizes => "SELECT id, $each FROM generate_series(1, $boxes) AS id", %with, accounts => 1);
	in_store('modseq', "UPDATE mail SET seen = true WHERE mailbox_id = $_ AND uid = 7") for 1 .. 6;
	in_store('modseq', "INSERT INTO mail (mailbox_id) VALUES ($_)") for 2, 3;
	in_store('modseq', "DELETE FROM mail WHERE mailbox_id = $_ AND uid = 8") for 4, 5;
	turns($rounds, \@columns, \%results, sub {
		local $ENV{PGDATABASE} = database('modseq');
		local $ENV{PGOPTIONS} = '-c search_path=store';
		return transactions(command('modseq', 'email changes'), {}, $transactions);
	});
	counting(sub {
		local $ENV{PGDATABASE} = database('modseq');
		local $ENV{PGOPTIONS} = '-c search_path=store';
		$results{modseq}[0]{instructions} = instructions_of_transactions(command('modseq', 'email changes'), {});
	});
	report_row(name => $name, n => $messages, results => \%results);
}

1;
