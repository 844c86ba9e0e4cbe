# The rows of the benchmark that ask whether cost stays linear: in statements, savepoints, cascades, renames.

package Scale;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

use Bench;
use Count;
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
	tenants_row($quick ? 50 : 2000);
	stores_rows($quick ? 50 : 1000) if wanted('many stores');
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

# A message's key is (tenant, id), and ids restart for each tenant: a flag row is one message's
sub tenants_row
{
	my ($tenants) = @_;
	my $name = 'STORE 1, flag table, ids restart for ' . thousands($tenants) . ' tenants';
	my @one = [ 'one tenant', 'modseq', 'store one, tenants' ];
	my @columns = (map({ { label => $_, contender => $_, tenants => $tenants } } qw(modseq by_hand)),
		{ label => 'one tenant', contender => 'modseq', tenants => 1 });
	my %results;

	return unless wanted($name);
	progress($name);
	for my $column (@columns)
	{
		create_store($column->{label}, $column->{contender}, file => 'tenants.sql', setup => 'setup, tenants', tenants => $column->{tenants});
	}
	my $as = sub {
		my ($column, $measure) = @_;
		local $ENV{PGDATABASE} = database($column->{label});
		local $ENV{PGOPTIONS} = '-c search_path=store';
		return $measure->(command($column->{contender}, 'store one, tenants'), { tenants => $column->{tenants} });
	};
	turns($rounds, \@columns, \%results, sub { $as->($_[1], sub { transactions(@_, $transactions) }) });
	counting(sub { $results{ $_->{label} }[0]{instructions} = $as->($_, \&instructions_of_transactions) for @columns });
	report_row(name => $name, also => \@one, results => \%results);
}

# What attach, check and the rest take where there are many stores, beside where there are three
sub stores_rows
{
	my ($n) = @_;
	my $section = 'many stores';
	my %databases = (few => 3, many => $n);
	my %calls = %{ sections('stores') };
	my $setup = delete $calls{setup};
	my $use = delete $calls{use};
	my $look = delete $calls{'use, many sessions'};
	my %ms;

	for my $label (sort keys %databases)
	{
		progress("$section: $databases{$label}");
		psql('CREATE DATABASE ' . database($label) . ' TEMPLATE template0');
		in_store($label, $setup, n => $databases{$label});
	}
	progress($section);
	for my $round (1 .. $rounds)
	{
		for my $call (sort keys %calls)
		{
			for my $label (sort keys %databases)
			{
				local $ENV{PGDATABASE} = database($label);
				push @{ $ms{$call}{$label} }, statement($calls{$call}, {}, {})->{ms};
			}
		}
	}
	report_line($section, '| | of ' . join(' | of ', map { thousands($databases{$_}) } qw(few many)) . ' | ratio |');
	report_line($section, '| --- |' . ' ---: |' x 3);
	for my $call (sort keys %calls)
	{
		my ($few, $many) = map { median(@{ $ms{$call}{$_} }) } qw(few many);
		report_line($section, sprintf '| %s | %s | %s | %.2f |', $call, duration($few), duration($many), $many / $few);
	}
	report_line($section, '');
	report_line($section, sprintf 'A session that uses all of them has %.1f kB of ours for each, with the plans of its queries', in_store('many', $use, n => $n));

	# And as many sessions as use them at a time, by pgbench
	my $sessions = $quick ? 5 : 90;
	local $ENV{PGDATABASE} = database('many');
	local $ENV{PGOPTIONS} = '-c search_path=store,public -c synchronous_commit=off';
	throughput($sessions, [ '-t', 1 ], { boxes => 1, messages => 1, n => $n }, $look);
	report_line($section, sprintf 'Each of %s sessions that use all of them at a time has %.1f MB of ours, %.1f MB at most', $sessions,
		split /\|/, in_store('many', 'SELECT avg(bytes) / 1e6, max(bytes) / 1e6 FROM sessions'));
}

1;
