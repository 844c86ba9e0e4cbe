# The benchmark's rows: which are wanted, the stores that they need, and how contenders take turns.

package Rows;

use strict;
use warnings FATAL => 'all';

use Cwd;
use Exporter 'import';
use List::Util qw(max uniq);

use Bench;
use Count;
use Report;

our @EXPORT = qw(
  $quick $rounds $transactions @contenders
  wanted rows_measured rows_not_wanted
  command slurp database in_store create_store check_same
  compare turns read_row
);

our $quick = $ENV{QUICK};
our $rounds = $quick ? 3 : 5;
our $transactions = $quick ? 100 : 2000;
our @contenders = qw(modseq by_hand seeds row_per_uid bare);
my $limit = $quick ? 2_000 : 60_000;    # ms, for seeds

my %sections = map { $_ => sections($_) } @contenders, 'empty';
$sections{empty}{'store, flag column, by hand'} = $sections{by_hand}{'store, flag column'};

# --- which rows -----------------------------------------------------------------------------------

# wanted(name): is that row to be measured? BENCH names one, or by * some.
my (@measured, @others);

sub wanted
{
	my ($name) = @_;
	my $pattern = join '.*', map { quotemeta } split /\*/, $ENV{BENCH} || '*', -1;
	my $is = $name =~ /^$pattern$/i;

	push @{ $is ? \@measured : \@others }, $name;
	return $is;
}

sub rows_measured { return @measured }
sub rows_not_wanted { return uniq(@others) }

# --- stores ---------------------------------------------------------------------------------------

# The SQL of a contender's command; those with triggers run the bare one
sub command
{
	my ($contender, $operation) = @_;
	return $sections{$contender}{$operation} // $sections{bare}{$operation} // die "$contender: $operation";
}

sub slurp
{
	my ($name) = @_;
	open my $file, '<', $name or die "$name: $!";
	local $/;
	return <$file>;
}

# The database of a contender, or of a variant
sub database { return lc 'bench_' . $_[0] =~ s/\W+/_/gr }

sub in_store
{
	my ($label, $sql, %variables) = @_;
	local $ENV{PGDATABASE} = database($label);
	local $ENV{PGOPTIONS} = '-c search_path=store -c client_min_messages=warning';
	return psql($sql, %variables);
}

# A new store in the contender's database: `file` makes it, and `setup` of the contender's sections completes it
my %created;

sub create_store
{
	my ($label, $contender, %store) = @_;
	my %variables = (scattered => 'false', flagtable => 'false', flagged => 'false', counters => 'beside', changes => 'index', fillfactor => 100, file => 'store.sql', setup => 'setup', library => getcwd() . '/empty', %store);

	if (!$created{$label}++)
	{
		psql('CREATE DATABASE ' . database($label) . ' TEMPLATE template0');
		in_store($label, 'CREATE EXTENSION modseq') if $contender eq 'modseq';
	}
	in_store($label, slurp($variables{file}), %variables);
	in_store($label, $sections{$contender}{ $variables{setup} } // '', %variables);
	in_store($label, 'VACUUM ANALYZE');
}

# Boxes to be measured, as many to warm up with, and for each of them an empty one to move messages to; and so many
# more that mailboxes are not found by reading their whole table
sub sizes
{
	my ($boxes, $messages) = @_;
	return "SELECT id, CASE WHEN id <= $boxes THEN $messages WHEN id <= 2 * $boxes THEN 100 ELSE 0 END"
	  . " FROM generate_series(1, 4 * $boxes + 1000) AS id";
}

# Do all that have done the same end with the same? With the very same numbers, if they take one a command.
sub check_same
{
	my ($name, $flagtable, @columns) = @_;
	my %holds;

	for my $column (@columns)
	{
		my ($label, $contender) = @$column{qw(label contender)};
		next if $contender =~ /^(bare|empty)$/;
		my $result = in_store($label, slurp('same.sql'), flagtable => $flagtable);

		$result .= in_store($label, "SELECT 'BROKEN', * FROM modseq.check('mail')") if $contender eq 'modseq';
		die "$name: $label is broken:\n$result" if $result =~ /^BROKEN/m;
		$result =~ s/^NUMBERS.*//ms if $contender !~ /^(modseq|by_hand)$/;
		$holds{$label} = $result;
	}
	for my $label (keys %holds)
	{
		next if index($holds{modseq}, $holds{$label}) == 0;
		die "$name: not the same\nmodseq:\n$holds{modseq}$label:\n$holds{$label}";
	}
}

# --- rows that write ------------------------------------------------------------------------------

# compare(name, ...): measures one row
#	op			the command, a section of the contenders' files
#	n			how many messages it is about; if few, it is repeated
#	messages	in a mailbox
#	contenders	if not the usual five
#	also		variants, each with a store of its own: [name, contender, command, the store's variables]
sub compare
{
	my ($name, %row) = @_;
	my $repeat = $row{repeat} // ($row{n} < 1000 ? max(20, $transactions / $row{n}) : 0);
	my $boxes = $row{rounds} // $rounds;
	my $messages = $row{messages} // ($repeat || 1) * $row{n};
	my %store = (sizes => sizes($boxes + 1, $messages), fillfactor => $row{fillfactor} // 100, map { $_ => $row{$_} // 'false' } qw(flagtable flagged scattered));
	my @columns = map { { label => $_, contender => $_, op => $row{op}, store => {} } } @{ $row{contenders} // \@contenders };
	my %results;

	return unless wanted($name);
	progress($name);
	push @columns, map { { label => $_->[0], contender => $_->[1], op => $_->[2], store => $_->[3] // {} } } @{ $row{also} // [] };
	psql('CHECKPOINT');
	create_store($_->{label}, $_->{contender}, %store, %{ $_->{store} }) for @columns;

	# The variables of a box, and of the one to warm up with
	my $variables = sub {
		my ($box) = @_;
		return ({ box => $box, target => $box + 2 * $boxes + 2, n => $row{n}, first => 1, last => $row{n} },
			{ box => $box + $boxes + 1, target => $box + 3 * $boxes + 3, n => 10, first => 1, last => 10 });
	};
	turns($boxes, \@columns, \%results, sub {
		my ($round, $column) = @_;
		my $sql = command($column->{contender}, $column->{op});

		local $ENV{PGDATABASE} = database($column->{label});
		local $ENV{PGOPTIONS} = '-c search_path=store -c synchronous_commit=' . ($row{wait} ? 'on' : 'off');
		return $repeat ? transactions($sql, ($variables->($round))[0], $repeat)
		  : statement($sql, $variables->($round), $column->{contender} eq 'seeds' ? $limit : 0);
	});
	check_same($name, $store{flagtable}, grep { @{ $results{ $_->{label} } } == $boxes && !$results{ $_->{label} }[-1]{capped} } @columns);

	# The last box is for counting
	counting(sub {
		for my $column (grep { $_->{contender} ne 'seeds' } @columns)
		{
			my $sql = command($column->{contender}, $column->{op});
			my @variables = $variables->($boxes + 1);

			local $ENV{PGDATABASE} = database($column->{label});
			local $ENV{PGOPTIONS} = '-c search_path=store';
			$results{ $column->{label} }[0]{instructions} = $repeat ? instructions_of_transactions($sql, $variables[0])
			  : instructions_of_statement($sql, @variables);
		}
	}) if ($row{n} <= 1000 && !$row{wait});
	report_row(name => $name, n => $row{n}, curve => $row{curve}, also => $row{also}, results => \%results);
}

# turns(rounds, columns, results, measure): every column in turn, then all again. Whoever comes first may find the
# machine in another state, so each round begins with another. What takes long is measured once.
sub turns
{
	my ($count, $columns, $results, $measure) = @_;
	my @columns = @$columns;

	for my $round (1 .. $count)
	{
		push @columns, shift @columns;
		for my $column (@columns)
		{
			my $so_far = $results->{ $column->{label} } //= [];

			next if @$so_far && ($so_far->[-1]{capped} || ($so_far->[-1]{ms} // 0) > 5_000);
			push @$so_far, $measure->($round, $column);
		}
	}
}

# --- rows that read -------------------------------------------------------------------------------

# read_row(name, command, variables): by all that have that command, in the one store of reads.sql
sub read_row
{
	my ($name, $operation, $variables, %row) = @_;
	my @columns = map { { label => $_ } } grep { exists $sections{$_}{$operation} } @contenders;
	my %results;

	return unless wanted($name);
	progress($name);
	my $as = sub {
		my ($column, $measure) = @_;
		local $ENV{PGDATABASE} = database('reads');
		local $ENV{PGOPTIONS} = "-c search_path=$column->{label},store";
		return $measure->($sections{ $column->{label} }{$operation}, $variables);
	};
	turns($rounds, \@columns, \%results,
		sub { $as->($_[1], sub { transactions(@_, $row{repeat} // $transactions) }) });
	counting(sub { $results{ $_->{label} }[0]{instructions} = $as->($_, \&instructions_of_transactions) for @columns })
	  if ($row{count} // 1);
	report_row(name => $name, n => $row{n}, results => \%results);
}

1;
