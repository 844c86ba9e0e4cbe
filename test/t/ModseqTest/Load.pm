# Writers at work on the store of create_store(), through pgbench.

package ModseqTest::Load;

use strict;
use warnings FATAL => 'all';

use IPC::Run;
use Test::More;

# What a writer does, and how often. Those that write to mail_flag lock first, or a message could go
# between the writer's look at it and the foreign key's; single statements on mail are raw.
my %scripts = (
	'append@6' => <<'SQL',
INSERT INTO mail (box_id, subject, flags)
SELECT :box, 'a', ARRAY['i' || i % 3] FROM generate_series(1, :n) AS i;
SQL
	'flag_column@4' => <<'SQL',
UPDATE mail SET flags = CASE WHEN 'seen' = ANY (flags) THEN array_remove(flags, 'seen') ELSE flags || 'seen'::text END
WHERE box_id = :box AND uid % 5 = :r;
SQL
	'flag@4' => <<'SQL',
BEGIN;
SELECT FROM modseq.lock('mail', :box);
INSERT INTO mail_flag SELECT id, 'f' || :n FROM mail WHERE box_id = :box AND uid % 5 = :r
ON CONFLICT DO NOTHING;
COMMIT;
SQL
	'unflag@2' => <<'SQL',
BEGIN;
SELECT FROM modseq.lock('mail', :box);
DELETE FROM mail_flag WHERE flag = 'f' || :n
	AND mail_id IN (SELECT id FROM mail WHERE box_id = :box AND uid % 5 = :r);
COMMIT;
SQL
	'conditional@2' => <<'SQL',
UPDATE mail m SET flags = ARRAY['c' || :n]
FROM modseq.unchanged_since('mail', :box, (
	SELECT coalesce(modseq.uidset_agg(uid), '') FROM mail WHERE box_id = :box AND uid % 5 = :r), (
	SELECT greatest(highestmodseq - :n, 0) FROM modseq.status('mail', :box))) AS u
WHERE m.box_id = :box AND m.uid = u.uid AND u.verdict = 'unchanged';
SQL
	'expunge@3' => <<'SQL',
DELETE FROM mail WHERE box_id = :box AND uid % 6 = :r;
SQL
	'move@2' => <<'SQL',
BEGIN;
SELECT FROM modseq.lock('mail', ARRAY[:box, :other]);
UPDATE mail SET box_id = :other WHERE box_id = :box AND uid % 6 = :r;
COMMIT;
SQL
	'mixed@2' => <<'SQL',
BEGIN;
SELECT FROM modseq.lock('mail', :box);
INSERT INTO mail (box_id, subject) VALUES (:box, 'kept');
SAVEPOINT a;
INSERT INTO mail (box_id, subject) VALUES (:box, 'lost'), (:box, 'lost');
DELETE FROM mail WHERE box_id = :box AND uid % 5 = :r;
ROLLBACK TO a;
UPDATE mail SET flags = '{mixed}' WHERE box_id = :box AND uid % 7 = :r;
COMMIT;
SQL
	'rollback@1' => <<'SQL',
BEGIN;
INSERT INTO mail (box_id, subject) SELECT :box, 'never' FROM generate_series(1, :n);
DELETE FROM mail WHERE box_id = :box AND uid % 6 = :r;
ROLLBACK;
SQL
);

# Load on the first BOXES mailboxes of a node, until stop() or until the server is gone
sub start
{
	my ($class, $node, $boxes, $dbname) = @_;
	my $seed = ModseqTest::seed();
	my $self = { node => $node, dbname => $dbname || 'postgres', output => '' };
	my @files;

	foreach my $name (sort keys %scripts)
	{
		my ($file, $weight) = split(/@/, $name);
		my $path = $node->basedir . "/$file.sql";

		open(my $fh, '>', $path) or die "$path: $!";
		print $fh <<"PGBENCH";
\\set box random(1, $boxes)
\\set other 1 + (:box + random(0, $boxes - 2)) % $boxes
\\set n random(1, 8)
\\set r random(0, 4)
$scripts{$name}
PGBENCH
		close($fh);
		push @files, '-f', "$path\@$weight";
	}

	# Raw and locking writers can deadlock with each other; those that lose try again
	local $ENV{PGAPPNAME} = 'load';
	$self->{run} = IPC::Run::start(
		[
			'pgbench', '--no-vacuum', '--host', $node->host, '--port',
			$node->port, '--client=4', '--time=86400', '--rate=200',
			'--max-tries=1000', "--random-seed=$seed", @files,
			$self->{dbname}
		],
		'<', \undef, '>&', \$self->{output});
	return bless $self, $class;
}

# Wait until that many more mod-sequences were taken
sub work
{
	my ($self, $modseqs) = @_;
	my $node = $self->{node};
	my $status = q{modseq.status('mail', ARRAY(SELECT id FROM box))};
	my $now = $node->safe_psql($self->{dbname}, "SELECT sum(highestmodseq) FROM $status");

	$node->poll_query_until($self->{dbname},
		"SELECT sum(highestmodseq) >= $now + $modseqs FROM $status")
	  or die "no load: $self->{output}";
	return;
}

# Stop the writers
sub stop
{
	my ($self) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	$self->{run}->signal('TERM');
	$self->lose;
	$self->{node}->safe_psql($self->{dbname}, <<'SQL');
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'load'
SQL
	return;
}

# The server is gone or going, and so are the writers: but for that they met no error
sub lose
{
	my ($self) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	eval { $self->{run}->finish; };
	unlike($self->{output}, qr/ERROR:/, 'writers met no error');
	return;
}

1;
