/*
 * The functions that triggers call. attach() creates the triggers, as
 * wanted.sql lists them; the event triggers are in event.sql.
 */

CREATE FUNCTION modseq.trigger_open() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_open';
COMMENT ON FUNCTION modseq.trigger_open() IS
	'BEFORE STATEMENT trigger of a message or flag table: begins to collect what the statement changes. Takes no '
	'lock. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_assign() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_assign';
COMMENT ON FUNCTION modseq.trigger_assign() IS
	'BEFORE INSERT OR UPDATE ROW trigger of a message table: assigns UID and mod-sequence to what arrives, and '
	'keeps the application from writing mod-sequences. Its arguments are the configuration of the store, as '
	'name=value. Takes the row lock of the mailbox that a message arrives in. Errors: 23502 and 23503 for no or '
	'an unknown mailbox, 22023 for a UID below UIDNEXT, 22003 for what is no UID, or when UIDs or mod-sequences are '
	'used up, 55000 if the configuration is out of date. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_collect() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_collect';
COMMENT ON FUNCTION modseq.trigger_collect() IS
	'AFTER INSERT OR UPDATE OR DELETE ROW trigger of a message table: collects what really became of the row. '
	'Takes no lock. Error 27000 if a later BEFORE trigger changed what trigger_assign() had set. Created by '
	'modseq.attach().';

CREATE FUNCTION modseq.trigger_flush() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_flush';
COMMENT ON FUNCTION modseq.trigger_flush() IS
	'AFTER STATEMENT trigger of a message or flag table: locks the mailboxes that changed, ascending by key, '
	'stamps messages, remembers vanished UIDs and writes the counters. Errors: 40001 in REPEATABLE READ or '
	'SERIALIZABLE if a mailbox has changed since the snapshot, 22003 when mod-sequences are used up. Created by '
	'modseq.attach().';

CREATE FUNCTION modseq.trigger_truncate() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_truncate';
COMMENT ON FUNCTION modseq.trigger_truncate() IS
	'BEFORE TRUNCATE trigger of a message table or partition: notes that the UIDs of all its messages vanish, '
	'which trigger_flush() completes AFTER TRUNCATE. Error 40001 in REPEATABLE READ or SERIALIZABLE if a mailbox '
	'is newer than the snapshot. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_collect_flag() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_collect_flag';
COMMENT ON FUNCTION modseq.trigger_collect_flag() IS
	'AFTER INSERT OR UPDATE OR DELETE ROW trigger of a flag table: collects the message whose flags changed. Its '
	'argument is the qualified name of the message table. Takes no lock. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_truncate_flag() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_truncate_flag';
COMMENT ON FUNCTION modseq.trigger_truncate_flag() IS
	'BEFORE TRUNCATE trigger of a flag table or partition: all messages that have a flag in it change, which '
	'trigger_flush() completes AFTER TRUNCATE. Its argument is the qualified name of the message table. Created '
	'by modseq.attach().';

CREATE FUNCTION modseq.trigger_mailbox() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_mailbox';
COMMENT ON FUNCTION modseq.trigger_mailbox() IS
	'AFTER INSERT OR UPDATE OR DELETE ROW trigger of a mailbox table: keeps the vanished UIDs with their mailbox, '
	'and drops them when the mailbox goes or gets a new UIDVALIDITY. Its argument is the qualified name of the '
	'message table. Errors: 22023 if UIDNEXT, HIGHESTMODSEQ or UIDVALIDITY would be lowered, 0A000 if a new key '
	'takes the mailbox to another partition. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_truncate_mailbox() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_truncate_mailbox';
COMMENT ON FUNCTION modseq.trigger_truncate_mailbox() IS
	'AFTER TRUNCATE trigger of a mailbox table or partition: drops the vanished UIDs of mailboxes that are gone, '
	'and closes what trigger_open() opened BEFORE TRUNCATE. Its argument is the qualified name of the message '
	'table. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_source() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_source';
COMMENT ON FUNCTION modseq.trigger_source() IS
	'AFTER INSERT OR UPDATE OR DELETE ROW trigger of the table that a mailbox table has its rows from '
	'(mailbox_source): adds, renames and removes these with its own. Its argument is the qualified name of the '
	'message table. Takes the row lock of the mailbox that is renamed or removed. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_truncate_source() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_truncate_source';
COMMENT ON FUNCTION modseq.trigger_truncate_source() IS
	'AFTER TRUNCATE trigger of the table that a mailbox table has its rows from (mailbox_source): removes all of '
	'these. Its argument is the qualified name of the message table. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_account() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_account';
COMMENT ON FUNCTION modseq.trigger_account() IS
	'AFTER UPDATE OR DELETE ROW trigger of the table of accounts: forgets what has left an account that goes. Its argument '
	'is the qualified name of the message table. Errors: 22023 if a number is lowered, or a state is above highestmodseq, '
	'55000 if an account goes that has mailboxes. Takes no lock. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_truncate_account() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_truncate_account';
COMMENT ON FUNCTION modseq.trigger_truncate_account() IS
	'BEFORE TRUNCATE trigger of the table of accounts: forgets what has left them. Its argument is the qualified name of the '
	'message table. Error 55000 if there are mailboxes. Takes no lock. Created by modseq.attach().';

CREATE FUNCTION modseq.event_before() RETURNS event_trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_event_before';
COMMENT ON FUNCTION modseq.event_before() IS
	'ddl_command_start event trigger. Before DETACH PARTITION and DROP TABLE of a partition of a store: its '
	'messages vanish, or the messages whose flags it holds change, or the vanished UIDs of its mailboxes are '
	'dropped. Locks what the command locks, then mailboxes. Errors: 0A000 for DETACH PARTITION CONCURRENTLY, and '
	'for ATTACH PARTITION of a table that is in a store; 55000 if the store is out of date, 40001 as for '
	'trigger_truncate(). All other DDL passes.';

CREATE FUNCTION modseq.event_after() RETURNS event_trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_event_after';
COMMENT ON FUNCTION modseq.event_after() IS
	'ddl_command_end event trigger. A new partition of a store gets the statement triggers of its parent, and one '
	'that was detached loses them. Of one that was attached, messages get a new UID and mod-sequence each, flags '
	'change their messages, and mailboxes get a new UIDVALIDITY. Triggers are created as the owner of the '
	'partition; locks mailboxes. Errors: 0A000 for foreign, unlogged and temporary tables, for tables of a store '
	'that become a partition or inherit; and those of trigger_assign(). All other DDL passes.';
