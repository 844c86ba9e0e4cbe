/*
 * The event triggers: partitions that come or go, and DDL that changes flags.
 */

CREATE EVENT TRIGGER modseq_before ON ddl_command_start
	WHEN TAG IN ('ALTER TABLE', 'DROP TABLE', 'DROP EXTENSION')
	EXECUTE FUNCTION modseq.event_before();
COMMENT ON EVENT TRIGGER modseq_before IS
	'Before a partition of a store is detached or dropped, for its messages vanish; and it refuses DDL that clients '
	'could not be told of. Without it, check() reports nothing until modseq.attach() is called again, which notices '
	'the messages that are gone.';

CREATE EVENT TRIGGER modseq_after ON ddl_command_end
	WHEN TAG IN ('CREATE TABLE', 'CREATE FOREIGN TABLE', 'CREATE SCHEMA', 'ALTER TABLE',
		'ALTER FOREIGN TABLE', 'ALTER TYPE')
	EXECUTE FUNCTION modseq.event_after();
COMMENT ON EVENT TRIGGER modseq_after IS
	'After a partition of a store was created, attached or detached; it refuses tables that inherit from those of a '
	'store, and gives new mod-sequences where DDL changes flags. Without it, a partition lacks triggers, which '
	'check() reports and modseq.attach() creates, and clients miss such changes.';
