# The benchmark's results as Markdown and as a picture.

package Report;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use List::Util qw(first max min);

use Bench;

our @EXPORT = qw(report report_row report_line thousands duration);

my @contenders = qw(modseq by_hand seeds row_per_uid bare);
my %names = (modseq => 'modseq', by_hand => 'by hand', seeds => 'seeds', row_per_uid => 'row per UID', bare => 'bare');
my @rows;
my %lines;

# report_row(name, n, curve, results, also): what was measured; see compare() in run
sub report_row { push @rows, {@_} }

# report_line(section, text): of the upkeep, which has no contenders; an item of a list, or a line of a table
sub report_line { my ($section, $line) = @_; push @{ $lines{$section} }, $line }

# --- numbers --------------------------------------------------------------------------------------

sub thousands
{
	my $number = reverse shift;
	$number =~ s/(\d{3})(?=\d)/$1,/g;
	return scalar reverse $number;
}

# With three digits
sub rounded
{
	my ($value) = @_;
	return thousands(sprintf '%.0f', $value) if $value >= 100;
	return sprintf $value >= 10 ? '%.1f' : '%.2f', $value;
}

sub duration
{
	my ($ms) = @_;
	return rounded($ms * 1000) . ' µs' if $ms < 1;
	return rounded($ms) . ' ms' if $ms < 10_000;
	return rounded($ms / 1000) . ' s';
}

# The median of what was measured; undef if nothing was
sub value
{
	my ($row, $label, $what) = @_;
	my @values = grep { defined } map { $_->{$what} } @{ $row->{results}{$label} // [] };
	return @values ? median(@values) : undef;
}

# A row's time, or transactions a second, as text
sub cell
{
	my ($row, $label) = @_;
	my $results = $row->{results}{$label} or return '';
	my $tps = value($row, $label, 'tps');
	return rounded($tps) . '/s' if defined $tps;
	return ($results->[-1]{capped} ? '> ' : '') . duration(value($row, $label, 'ms'));
}

# How dear: a time by another, or another's throughput by one; above 1 the first is slower
sub ratio
{
	my ($row, $label, $other_row, $other) = @_;
	for my $what ('ms', 'tps')
	{
		my @values = (value($row, $label, $what), value($other_row, $other, $what));
		next if grep { !defined } @values;
		return $what eq 'ms' ? $values[0] / $values[1] : $values[1] / $values[0];
	}
	return undef;
}

sub ratio_cell
{
	my $ratio = ratio(@_);
	return defined $ratio ? sprintf('%.2f', $ratio) : '';
}

# --- tables ---------------------------------------------------------------------------------------

sub table_of_times
{
	my @table = ('| | ' . join(' | ', @names{@contenders}) . ' | modseq ÷ by hand |', '| --- |' . ' ---: |' x 6);

	for my $row (@rows)
	{
		push @table, "| $row->{name} | " . join(' | ', map { cell($row, $_) } @contenders) . ' | '
		  . ratio_cell($row, 'modseq', $row, 'by_hand') . ' |';
		for my $also (@{ $row->{also} // [] })
		{
			my ($label, $contender) = @$also;
			my $of_modseq = $contender eq 'modseq';
			my @cells = map { '' } @contenders;

			$cells[$of_modseq ? 0 : 1] = cell($row, $label);
			push @table, "| … $label | " . join(' | ', @cells) . ' | '
			  . ($of_modseq ? ratio_cell($row, $label, $row, 'by_hand') : ratio_cell($row, 'modseq', $row, $label)) . ' |';
		}
	}
	return @table;
}

# Instructions, bytes of WAL, pages found in buffers, memory
sub table_of_costs
{
	my @table = ('| | | ' . join(' | ', @names{@contenders}) . ' |', '| --- | --- |' . ' ---: |' x 5);
	my @kinds = ([ 'instructions', 'instructions, k', 1000 ], [ 'wal', 'WAL, kB', 1024 ], [ 'hits', 'buffer hits', 1 ], [ 'memory', 'memory, MB', 1024 * 1024 ]);

	for my $row (@rows)
	{
		my $name = $row->{name};
		for my $kind (@kinds)
		{
			my ($what, $title, $unit) = @$kind;
			my @values = map { value($row, $_, $what) } @contenders;
			next unless grep { defined } @values;
			push @table, "| $name | $title | " . join(' | ', map { defined $_ ? rounded($_ / $unit) : '' } @values) . ' |';
			$name = '';
		}
	}
	return @table;
}

# What must not become dearer: [what, row, label, other row, other label, at most]. A row is a pattern.
my @targets = (
	[ 'append, many: by hand', qr/^append [0-9,]{4,}$/, 'modseq', undef, 'by_hand', 1.10 ],
	[ 'append 1: by hand in four round trips', qr/^append 1$/, 'modseq', undef, 'by_hand', 0.75 ],
	[ 'STORE, many, flag table: by hand', qr/^STORE [0-9,]{4,}, flag table$/, 'modseq', undef, 'by_hand', 1.10 ],
	[ 'STORE, many, flag column, lock() first: by hand', qr/^STORE [0-9,]{4,}, flag column$/, 'lock() first', undef, 'by_hand', 1.5 ],
	[ '… the same UPDATE under an empty trigger in C', qr/^STORE [0-9,]{4,}, flag column$/, 'lock() first', undef,
		'under an empty trigger in C', 1.15 ],
	[ '… naming modseq: by hand under an empty trigger in C', qr/^STORE [0-9,]{4,}, flag column$/,
		'lock() first, SET modseq = modseq', undef, 'by hand under an empty trigger in C', 1.15 ],
	[ 'STORE, many, flag column, raw: by hand', qr/^STORE [0-9,]{4,}, flag column$/, 'modseq', undef, 'by_hand', 2.8 ],
	[ 'STORE 1, flag table: by hand', qr/^STORE 1, flag table$/, 'modseq', undef, 'by_hand', 0.80 ],
	[ 'STORE 1, flag column: by hand', qr/^STORE 1, flag column$/, 'modseq', undef, 'by_hand', 0.80 ],
	[ 'EXPUNGE, many: by hand', qr/^EXPUNGE [0-9,]{4,}$/, 'modseq', undef, 'by_hand', 0.9 ],
	[ 'EXPUNGE, many: row per UID', qr/^EXPUNGE [0-9,]{4,}$/, 'modseq', undef, 'row_per_uid', 0.5 ],
	[ 'CHANGEDSINCE, largest mailbox: the bare index query', qr/^CHANGEDSINCE/, 'modseq', undef, 'by_hand', 1.3 ],
	[ 'CHANGEDSINCE, largest mailbox: 10,000 messages', qr/^CHANGEDSINCE/, 'modseq', qr/^CHANGEDSINCE: 10 of 10,000$/, 'modseq', 1.2 ],
	[ '16 clients, 1,000 mailboxes: by hand', qr/^16 clients, 1,000 mailboxes$/, 'modseq', undef, 'by_hand', 1.0 ],
	[ 'append, a statement each: no counter at all', qr/^append [0-9,]+, a statement each$/, 'modseq', undef, 'bare', 1.5 ],
	[ 'append, a statement each: by hand', qr/^append [0-9,]+, a statement each$/, 'modseq', undef, 'by_hand', 0.1 ],
	[ 'append, a savepoint each: no counter at all', qr/^append [0-9,]+, a savepoint each$/, 'modseq', undef, 'bare', 1.5 ],
	[ 'EXPUNGE, many, two flags each: by hand', qr/^EXPUNGE [0-9,]+, two flags each$/, 'modseq', undef, 'by_hand', 1.05 ],
	[ 'rename, many: without modseq', qr/^rename/, 'modseq', undef, 'bare', 1.3 ],
	[ 'STORE, many, UNCHANGEDSINCE: by hand', qr/UNCHANGEDSINCE/, 'modseq', undef, 'by_hand', 1.1 ],
	[ 'STATUS of 1,000 mailboxes: by hand', qr/^STATUS/, 'modseq', undef, 'by_hand', 1.0 ],
	[ 'VANISHED before compact: by hand', qr/^VANISHED.*one by one$/, 'modseq', undef, 'by_hand', 1.5 ],
	[ 'SELECT (QRESYNC), many: by hand', qr/^SELECT \(QRESYNC/, 'modseq', undef, 'by_hand', 1.5 ],
	[ 'FETCH of scattered UIDs by a set: by = ANY', qr/^FETCH 5,000 scattered/, 'modseq', undef, 'by_hand', 1.2 ],
	[ 'STORE, flag table, ids restart for each tenant: one tenant', qr/^STORE 1, flag table, ids restart/, 'modseq', undef, 'one tenant', 1.1 ],
	[ 'append, many: seeds', qr/^append [0-9,]{4,}$/, 'modseq', undef, 'seeds', 1 / 150 ],
);

sub table_of_targets
{
	my @table = ('| modseq against | row | ratio | at most | |', '| --- | --- | ---: | ---: | --- |');

	for my $target (@targets)
	{
		my ($what, $pattern, $label, $other_pattern, $other, $most) = @$target;
		my ($row) = sort { ($b->{n} // 0) <=> ($a->{n} // 0) } grep { $_->{name} =~ $pattern } @rows;
		next unless $row;
		my $other_row = $other_pattern ? first { $_->{name} =~ $other_pattern } @rows : $row;
		my $ratio = $other_row ? ratio($row, $label, $other_row, $other) : undef;
		next unless defined $ratio;
		push @table, sprintf '| %s | %s | %s | %s | %s |', $what, $row->{name}, (map { sprintf $_ < 0.05 ? '%.4f' : '%.2f', $_ } $ratio, $most),
		  $ratio <= $most ? 'met' : '**missed**';
	}
	my $delete = first { $_->{name} =~ /^DELETE/ } @rows;
	if ($delete)
	{
		my $more = (value($delete, 'modseq', 'memory') - value($delete, 'under an empty trigger in C', 'memory')) / 1024 / 1024;
		push @table, sprintf '| an empty trigger in C | %s | %.1f MB more | 16 MB | %s |', $delete->{name}, $more, $more <= 16 ? 'met' : '**missed**';
	}
	return @table;
}

# --- the picture ----------------------------------------------------------------------------------

my %colours = (modseq => '#0b6e4f', by_hand => '#3b6fb6', seeds => '#c0392b');
my ($width, $height, $left, $top) = (300, 300, 70, 60);

sub log10 { return log($_[0]) / log(10) }

# Points of a contender's curve, by n; the last may be where it was stopped
sub points
{
	my ($curve, $contender) = @_;
	my @points;
	for my $row (sort { $a->{n} <=> $b->{n} } grep { ($_->{curve} // '') eq $curve } @rows)
	{
		my $ms = value($row, $contender, 'ms') or next;
		push @points, [ $row->{n}, $ms, $row->{results}{$contender}[-1]{capped} ];
		last if $points[-1][2];
	}
	return @points;
}

sub panel
{
	my ($number, $curve, $most_n, $least_ms, $most_ms) = @_;
	my $x0 = $left + $number * ($width + 50);
	my $x = sub { $x0 + $width * log10($_[0]) / log10($most_n) };
	my $y = sub { $top + $height * (log10($most_ms) - log10($_[0])) / (log10($most_ms) - log10($least_ms)) };
	my @svg = sprintf '<text x="%d" y="%d" class="title">%s</text>', $x0, $top - 12, $curve;

	for (my $n = 1; $n <= $most_n; $n *= 10)
	{
		push @svg, sprintf '<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" class="grid"/>', ($x->($n)) x 2, $top, $top + $height;
		push @svg, sprintf '<text x="%.1f" y="%d" class="n">%s</text>', $x->($n), $top + $height + 18, thousands($n);
	}
	for (my $ms = $least_ms; $ms <= $most_ms * 1.001; $ms *= 10)
	{
		my $label = $ms < 0.999 ? sprintf('%g µs', $ms * 1000) : $ms < 999 ? sprintf('%g ms', $ms) : sprintf '%g s', $ms / 1000;
		push @svg, sprintf '<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" class="grid"/>', $x0, $x0 + $width, ($y->($ms)) x 2;
		push @svg, sprintf '<text x="%d" y="%.1f" class="ms">%s</text>', $x0 - 6, $y->($ms) + 4, $label if $number == 0;
	}
	push @svg, sprintf '<text x="%.1f" y="%d" class="axis">messages in one command</text>', $x0 + $width / 2, $top + $height + 38;
	for my $contender (qw(seeds by_hand modseq))
	{
		my @points = points($curve, $contender) or next;
		push @svg, sprintf '<polyline points="%s" fill="none" stroke="%s" stroke-width="2"%s/>',
		  join(' ', map { sprintf '%.1f,%.1f', $x->($_->[0]), $y->($_->[1]) } @points), $colours{$contender},
		  $contender eq 'by_hand' ? ' stroke-dasharray="6 4"' : '';
		for my $point (@points)
		{
			push @svg, sprintf '<circle cx="%.1f" cy="%.1f" r="4" fill="%s" stroke="%s" stroke-width="2"/>',
			  $x->($point->[0]), $y->($point->[1]), $point->[2] ? 'white' : $colours{$contender}, $colours{$contender};
			push @svg, sprintf '<text x="%.1f" y="%.1f" class="stopped">stopped after %s</text>',
			  $x->($point->[0]) - 8, $y->($point->[1]) + 4, duration($point->[1]) if $point->[2];
		}
	}
	return @svg;
}

sub picture
{
	my @curves = ('append', 'STORE, flag table', 'EXPUNGE');
	my @all = map { my $curve = $_; map { points($curve, $_) } qw(modseq by_hand seeds) } @curves;
	return '' unless @all;
	my $most_n = max(10, map { $_->[0] } @all);
	my $least_ms = 10**int(log10(min(map { $_->[1] } @all)) - 1);
	my $most_ms = 10**int(log10(max(map { $_->[1] } @all)) + 1);
	my ($w, $h) = ($left + 3 * ($width + 50), $top + $height + 90);
	my @svg = (
		qq{<svg xmlns="http://www.w3.org/2000/svg" width="$w" height="$h" viewBox="0 0 $w $h" font-family="sans-serif" font-size="12">},
		'<style>.grid{stroke:#ddd}.title{font-size:15px;font-weight:bold}.n,.axis{text-anchor:middle}.ms,.stopped{text-anchor:end}</style>',
		qq{<rect width="$w" height="$h" fill="white"/>},
		sprintf('<text x="16" y="%d" class="axis" transform="rotate(-90 16 %1$d)">time of the command</text>', $top + $height / 2),
		map({ panel($_, $curves[$_], $most_n, $least_ms, $most_ms) } 0 .. $#curves));
	my $x = $left;
	for my $contender (qw(modseq by_hand seeds))
	{
		my $y = $h - 18;
		push @svg, sprintf '<line x1="%d" x2="%d" y1="%d" y2="%3$d" stroke="%s" stroke-width="2"%s/><circle cx="%d" cy="%3$d" r="4" fill="%4$s"/>',
		  $x, $x + 30, $y, $colours{$contender}, $contender eq 'by_hand' ? ' stroke-dasharray="6 4"' : '', $x + 15;
		my $text = $names{$contender} . { modseq => '', by_hand => ': SQL of an expert', seeds => ': PL/pgSQL row triggers' }->{$contender};
		push @svg, sprintf '<text x="%d" y="%d">%s</text>', $x + 38, $y + 4, $text;
		$x += 60 + 7 * length $text;
	}
	return join "\n", @svg, '</svg>', '';
}

# --- all ------------------------------------------------------------------------------------------

sub first_line
{
	my ($text) = @_;
	return $text =~ /^(.*)$/m ? $1 : '';
}

# report(out, settings, quick, minutes): writes the files, and the Markdown to stdout too
sub report
{
	my %run = @_;
	my ($cpu) = map { /^model name\s*: (.*)/ ? $1 : () } split /\n/, join '', do { open my $f, '<', '/proc/cpuinfo' or die; <$f> };
	my ($memory) = map { /^MemTotal:\s*(\d+)/ ? $1 : () } do { open my $f, '<', '/proc/meminfo' or die; <$f> };
	my ($load) = do { open my $f, '<', '/proc/loadavg' or die; <$f> =~ /^(\S+)/ };
	my @shown = grep { !$_->{curve} || keys %{ $_->{results} } > 3 } @rows;
	my $settings = join ', ', map { "`$_ = $run{settings}{$_}`" } sort keys %{ $run{settings} };
	my $version = first_line(psql('SELECT version()'));
	my $cpus = `nproc`;
	chomp $cpus;

	my @all = @rows;
	my $picture = $run{only} ? undef : picture();
	my @text = ('# Results of `make bench`' . ($run{quick} ? ' QUICK=1' : ''), '',
		"$version", '',
		sprintf('%s cores of %s, %d GB; load average at the end %s; %d minutes.', $cpus, $cpu // 'unknown', $memory / 1024 / 1024 + 0.5, $load, $run{minutes} + 0.5),
		"Settings: $settings.", 'Clients and server are on one machine, TCP on the loopback.', '',
		'## What must hold', '', table_of_targets(), '');
	@rows = @shown;
	push @text, '## Times', '', table_of_times(), '', '## What they cost', '',
	  'For each command, as far as it was measured; memory is the peak above what the session had before.', '', table_of_costs(), '';
	for my $section (sort keys %lines)
	{
		push @text, "## $section", '', map({ /^(\||$)/ ? $_ : "- $_" } @{ $lines{$section} }), '';
	}
	my $text = join "\n", @text;
	print $text;
	write_file("$run{out}/results.md", $text);
	write_file("$run{out}/results.svg", $picture) if $picture;
}

1;
