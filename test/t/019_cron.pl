# pg_cron calls compact_all(), as docs/attach.md says: what is old folds, and what departed is forgotten, though
# nobody writes.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;

my $node = new_server('cron', "cron.database_name = 'postgres'\n");
# The library must be there for the server to start
my ($library) = run_command([ 'pg_config', '--pkglibdir' ]);
plan skip_all => 'pg_cron is not installed' if !-e "$library/pg_cron.so";
$node->append_conf('postgresql.conf', <<"CONF");
shared_preload_libraries = 'pg_cron'
cron.use_background_workers = on
max_worker_processes = 20
CONF
$node->start;

# Of two stores one cannot be compacted, which does not keep the other from it
create_store($node, 'postgres', 2);
$node->safe_psql('postgres', <<'SQL');
INSERT INTO mail (box_id) SELECT 1 FROM generate_series(1, 10);
CREATE SCHEMA broken;
CREATE TABLE broken.box (id bigint PRIMARY KEY);
CREATE TABLE broken.mail (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES broken.box);
SELECT modseq.attach('broken.mail', 'broken.box', message_flags => '{}');
DROP TABLE broken.mail_vanished;
SQL
$node->safe_psql('postgres', "DELETE FROM mail WHERE id = $_") for 1 .. 5;
$node->safe_psql('postgres', "UPDATE mail_vanished SET vanished_at = vanished_at - interval '31 days' WHERE modseq < 6");
my $rows = "SELECT string_agg(modseq || ' ' || uids, ', ' ORDER BY modseq) FROM mail_vanished";
is($node->safe_psql('postgres', $rows), '3 1, 4 2, 5 3, 6 4, 7 5', 'five rows, of which three are old');

# At once, not at night; pg_cron 1.4 knows no seconds, so it is up to a minute until then
my $job = join '', blocks_of('docs/attach.md', 'sql pg_cron');
ok($job =~ s/'0 4 \* \* \*'/'* * * * *'/, 'the document has a schedule');
$node->safe_psql('postgres', $job);
ok($node->poll_query_until('postgres', "SELECT status = 'succeeded' FROM cron.job_run_details ORDER BY runid LIMIT 1"),
	'the job has run')
  or diag $node->safe_psql('postgres', 'SELECT status, return_message FROM cron.job_run_details');
is($node->safe_psql('postgres', $rows), '5 1:3, 6 4, 7 5', 'the old rows are one');
like(slurp_file($node->logfile), qr/WARNING:  store broken\.mail could not be compacted/, 'the log says which store failed');
sound($node, 'after the job');
$node->stop;

done_testing();
