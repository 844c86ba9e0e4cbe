/*
 * Incarnations: lives of the server, each of which counts from a number on that
 * none before it can have reached. So after a failover or a restore nothing is
 * handed out a second time.
 */

CREATE TABLE modseq.incarnation (
	system_identifier bigint NOT NULL,
	timeline bigint NOT NULL,
	database oid NOT NULL,
	extension oid NOT NULL,
	started timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
	modseq bigint NOT NULL,
	uid_gap bigint NOT NULL
) USING heap;
COMMENT ON TABLE modseq.incarnation IS
	'Lives of the server, by its system identifier, its timeline, and the OIDs of the database and of this table. All mod-sequences that it '
	'hands out are above modseq, and the first UID of each mailbox is past a gap.';
SELECT pg_catalog.pg_extension_config_dump('modseq.incarnation', '');
GRANT SELECT ON modseq.incarnation TO PUBLIC;

CREATE FUNCTION modseq_internal.first_incarnation() RETURNS void
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'modseq_first_incarnation';
SELECT modseq_internal.first_incarnation();
DROP FUNCTION modseq_internal.first_incarnation();

CREATE FUNCTION modseq_internal.incarnation_changed() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_incarnation_changed';
COMMENT ON FUNCTION modseq_internal.incarnation_changed IS
	'Trigger of modseq.incarnation: all sessions read it again.';
-- Rows that logical replication brings fire no trigger FOR EACH STATEMENT
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON modseq.incarnation
	FOR EACH ROW EXECUTE FUNCTION modseq_internal.incarnation_changed();
CREATE TRIGGER truncated AFTER TRUNCATE ON modseq.incarnation
	FOR EACH STATEMENT EXECUTE FUNCTION modseq_internal.incarnation_changed();
ALTER TABLE modseq.incarnation ENABLE ALWAYS TRIGGER changed, ENABLE ALWAYS TRIGGER truncated;

CREATE FUNCTION modseq_internal.incarnation(OUT modseq bigint, OUT uid_gap bigint)
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'modseq_incarnation';
COMMENT ON FUNCTION modseq_internal.incarnation IS
	'The incarnation that hands out numbers now: what they are above, and what UIDs are left out. Begins it, if nobody has.';

CREATE FUNCTION modseq_internal.next_incarnation(highest bigint) RETURNS bigint
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'modseq_next_incarnation';
COMMENT ON FUNCTION modseq_internal.next_incarnation IS
	'The lowest number that an incarnation can have that would begin now, after one with that number. Mailboxes that have counted '
	'further would not know of it.';

CREATE FUNCTION modseq.recovered(above bigint DEFAULT 0) RETURNS bigint
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'modseq_recovered';
REVOKE EXECUTE ON FUNCTION modseq.recovered(bigint) FROM PUBLIC;
COMMENT ON FUNCTION modseq.recovered(bigint) IS
	'To be called after a loss that the server cannot see: a crash with synchronous_commit = off, a snapshot of its disks '
	'that was put back, rows restored by hand, a failover to a logical subscriber without the rows of modseq.incarnation. From its commit on, what '
	'is handed out is above all that was handed out before, as after a failover; and above the given number, for mailboxes whose '
	'HIGHESTMODSEQ is ahead of the clock, as check() tells. resync() answers unknown_modseq '
	'to who has seen what was lost. Returns the number that all mod-sequences will be above. For the owner of the extension, and '
	'whom he grants it to. Errors: 42501, 22004 for a null, 25006 on a standby.';
