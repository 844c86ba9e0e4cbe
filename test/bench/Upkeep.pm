# What the upkeep of a store takes: attach, compact, and what storage parameters do.

package Upkeep;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use List::Util qw(max);

use Bench;
use Reads;
use Report;
use Rows;

our @EXPORT = qw(rows_of_upkeep);

sub rows_of_upkeep
{
	my $n = $quick ? 10_000 : 1_000_000;

	if (wanted('compact')) { compact_row($n, $_) for $n, 2 * $n }
	if (wanted('fillfactor and autovacuum')) { settings_rows() }
	if (wanted('partitions')) { partition_rows(2 * $n) }
	if (wanted('attach')) { attach_row(@$_) for [ 0, 0 ], [ 1, 0 ], [ 0, 1 ], [ 1, 1 ] }
}

# A statement in a store of its own; how long it took, in ms
sub timed
{
	my ($label, $sql) = @_;
	return in_store($label, "\\timing on\n$sql") =~ /^Time: ([0-9.]+)/m ? $1 : die;
}

sub kilobytes { return thousands(int(in_store('compact', "SELECT ($_[0]) / 1024"))) . ' kB' }

sub compact_row
{
	my ($n, $of) = @_;
	my $files = "pg_total_relation_size('mail_vanished')";

	progress('compact');
	create_store('compact', 'modseq', sizes => "VALUES (1, $of)");
	expunge_one_by_one('compact', 1, $of, $n);
	my $before = kilobytes($files);
	my $ms = timed('compact', "SELECT modseq.compact('mail', '0');");
	in_store('compact', 'VACUUM FULL mail_vanished');
	report_line('compact', sprintf '%s of %s messages expunged one by one in random order: %s;'
		  . ' %s in rows and index before, %s after (and VACUUM FULL), the set itself %s, of %s ranges',
		thousands($n), thousands($of), duration($ms), $before, kilobytes($files),
		kilobytes('SELECT pg_column_size(uids) FROM mail_vanished'),
		thousands(int in_store('compact', 'SELECT count(*) FROM mail_vanished, modseq.ranges(uids)')));
}

# What memory it takes that a partition of so many messages goes, all of which must be told
sub partition_rows
{
	my ($n) = @_;
	my $section = 'partitions';
	my %calls = %{ sections('partitions') };
	my $setup = delete $calls{setup};
	my $part = 0;

	progress($section);
	psql('DROP DATABASE IF EXISTS ' . database($section));
	psql('CREATE DATABASE ' . database($section) . ' TEMPLATE template0');
	in_store($section, $setup, n => $n);
	local $ENV{PGDATABASE} = database($section);
	for my $call (qw(DROP TRUNCATE DETACH))
	{
		$part++;
		my $measured = statement($calls{$call}, { part => "mail_$part" }, { part => 'mail_' . ($part + 3) });
		report_line($section, sprintf '%s of a partition of %s messages: %.1f MB, %s', $call, thousands($n),
			$measured->{memory} / 1e6, duration($measured->{ms}));
	}
}

# attach onto messages that have been there for long: with and without writers beside it
sub attach_row
{
	my ($prepared, $writers) = @_;
	my $n = $quick ? 20_000 : 1_000_000;

	psql('DROP DATABASE IF EXISTS bench_attach');
	psql('CREATE DATABASE bench_attach TEMPLATE template0');
	in_store('attach', slurp('attach.sql'), messages => $n, prepared => $prepared ? 'true' : 'false');
	my $files = "SELECT string_agg(oid || ':' || relfilenode, ',' ORDER BY oid) FROM pg_class WHERE relname ~ '^mail'"
	  . " AND relnamespace = 'store'::regnamespace AND relkind IN ('r', 'i') AND relname !~ 'vanished'";
	my $before = in_store('attach', $files);

	local $ENV{PGDATABASE} = database('attach');
	local $ENV{PGOPTIONS} = '-c search_path=store';
	writers(4, "\\set id random(1, :n)\nUPDATE mail SET seen = NOT seen WHERE id = :id;\n", { n => $n }) if $writers;
	sleep 1 if $writers;
	my $ms = timed('attach', "SELECT modseq.attach('mail', 'mailbox', message_flags => '{seen}');");
	sleep 1 if $writers;
	my $line = sprintf '%s messages, %s: %s', thousands($n), $prepared ? 'prepared' : 'not prepared', duration($ms);
	$line .= sprintf ' beside 4 clients storing flags; the longest that one of them waited was %s', duration(max(stop_writers())) if $writers;
	$line .= in_store('attach', $files) eq $before ? '; no file was rewritten' : '; FILES WERE REWRITTEN' if $prepared;
	report_line('attach', $line);
	in_store('attach', "SELECT 'BROKEN', * FROM modseq.check('mail')") eq '' or die 'attach is broken';
}

# What the tables' storage parameters do to them, and to a store that is busy: single flag changes of random
# messages, as many with each. Autovacuum looks every second, for the load is that of an hour or more.
sub busy_store
{
	my ($changes, $autovacuum, @settings) = @_;

	create_store('settings', 'modseq', sizes => 'SELECT id, 100 FROM generate_series(1, 1000) AS id');
	in_store('settings', join ';', @settings, 'VACUUM FULL ANALYZE mail_mailbox, mail');
	psql("ALTER SYSTEM SET autovacuum = $autovacuum; ALTER SYSTEM SET autovacuum_naptime = 1; SELECT pg_reload_conf()");
	my ($load, $read) = do
	{
		local $ENV{PGDATABASE} = database('settings');
		local $ENV{PGOPTIONS} = '-c search_path=store';
		(throughput(4, [ '-t', $changes / 4 ], { boxes => 1000, messages => 100 }, command('modseq', 'toggle')),
			transactions("SELECT count(*) FROM modseq.changed_since('mail', :first, 3);", {}, 1000));
	};
	psql('ALTER SYSTEM RESET autovacuum; ALTER SYSTEM RESET autovacuum_naptime; SELECT pg_reload_conf()');
	chomp(my $sizes = in_store('settings', "SELECT 100.0 * n_tup_hot_upd / n_tup_upd, pg_total_relation_size('mail_mailbox'),"
		  . " pg_table_size('mail'), pg_indexes_size('mail') FROM pg_stat_user_tables WHERE relname = 'mail_mailbox'"));
	return ($load->{tps}, split(/\|/, $sizes), @$read{qw(ms hits)});
}

sub settings_rows
{
	my $changes = $quick ? 20_000 : 400_000;
	my $section = 'fillfactor and autovacuum';
	my $full = 'ALTER TABLE mail_mailbox SET (fillfactor = 100)';
	my @mail = map { "ALTER TABLE mail SET (fillfactor = $_)" } 90, 80;
	my @rows = (
		[ 'counters 100', 'off', $full ],
		[ 'as made', 'off' ],
		[ '`mail` 90', 'off', $mail[0] ],
		[ '`mail` 80', 'off', $mail[1] ],
		[ 'counters 100, autovacuum', 'on', $full ],
		[ '`mail` 90, autovacuum', 'on', $mail[0] ]);
	my @measured;

	for my $round (1 .. ($quick ? 1 : 3))
	{
		for my $i (0 .. $#rows)
		{
			my ($name, @how) = @{ $rows[$i] };
			progress("$section: $name");
			push @{ $measured[$i] }, [ busy_store($changes, @how) ];
		}
	}
	report_line($section, thousands($changes) . ' flags of 100,000 messages in 1,000 mailboxes changed by 4 clients, one a transaction:');
	report_line($section, '');
	report_line($section, '| fillfactor | changes a second | counters updated in place (HOT) | counters | mail | its indexes | CHANGEDSINCE, all of 100 | pages read |');
	report_line($section, '| --- |' . ' ---: |' x 7);
	for my $i (0 .. $#rows)
	{
		my ($tps, $hot, $counters, $mail, $indexes, $ms, $hits) = map { my $column = $_; median(map { $_->[$column] } @{ $measured[$i] }) } 0 .. 6;
		report_line($section, sprintf '| %s | %s | %.1f %% | %s kB | %s kB | %s kB | %s | %.0f |', $rows[$i][0], thousands(int $tps), $hot,
			map({ thousands(int $_ / 1024) } $counters, $mail, $indexes), duration($ms), $hits);
	}
}

1;
