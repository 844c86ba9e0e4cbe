# Two copies of the library: whichever of them comes second is refused, in LOAD, by a function of the extension, or
# when a session begins, and the first one goes on. Preloaded once, by any of the settings, all is as ever.

use strict;
use warnings FATAL => 'all';

use File::Copy;
use PostgreSQL::Test::Utils;
use Test::More;

use ModseqTest;

my $node = new_server('load', '');
$node->start;
create_store($node, 'postgres', 1);
my $write = 'INSERT INTO mail (box_id) VALUES (1)';

# The file that the server has found
my $library = $node->safe_psql('postgres', <<'SQL');
SELECT FROM modseq.next_uidvalidity();
SELECT substring(pg_read_file('/proc/self/maps') FROM '(/\S*/modseq\.so)');
SQL
my $copy = $node->basedir . '/modseq_copy.so';
copy($library, $copy) or die "$library: $!";

# The errors of statements in one session, and the number that the last one returned
sub in_session
{
	my (@commands) = @_;
	my ($code, $out, $err) = $node->psql('postgres', join(";\n", @commands), on_error_stop => 0);

	return join(' ', $out, $err =~ /ERROR:\s+(.*)/g);
}

my $refusal = 'modseq is loaded already, from another file';
my $count = 'SELECT uidnext FROM mail_mailbox';
is(in_session("LOAD '$library'", $write, $count), '2', 'one file by two names');
is(in_session($write, "LOAD '$copy'", "LOAD '$copy'", $write, $count),
	"4 $refusal $refusal", 'a copy after the extension');
is(in_session("LOAD '$copy'", $write, 'DELETE FROM mail', $count),
	"4 $refusal $refusal", 'the extension after a copy');

foreach my $setting ('shared_preload_libraries', 'session_preload_libraries')
{
	$node->append_conf('postgresql.conf', "$setting = '$library'");
	$node->restart;
	like(in_session("LOAD '$library'", $write, $count), qr/^[56]$/, "$setting");
	like(in_session("LOAD '$copy'", $count), qr/^[56] \Q$refusal\E$/, "$setting, and a copy");
	$node->append_conf('postgresql.conf', "$setting = '$copy'");
	$node->restart;
	like(in_session($write, $count), qr/^[56] \Q$refusal\E$/, "$setting of a copy");
	$node->append_conf('postgresql.conf', "$setting = ''");
}
$node->restart;
is($node->safe_psql('postgres', 'SELECT count(*) FROM modseq."check"(\'mail\')'), '0', 'the store is sound');

$node->stop;
done_testing();
