-- What a contender's store holds after a row of the benchmark, one line each, to be compared with the others'.

-- Messages, their flags, UIDNEXT
SELECT 'MESSAGES', count(*), md5(string_agg(concat_ws(' ', mailbox_id, uid, seen, deleted), ',' ORDER BY mailbox_id, uid)) FROM mail;
SELECT 'UIDNEXT', md5(string_agg(uidnext::text, ',' ORDER BY mailbox_id)) FROM counters;
\if :flagtable
SELECT 'FLAGS', count(*), md5(string_agg(concat_ws(' ', mailbox_id, uid, flag), ',' ORDER BY mailbox_id, uid))
	FROM mail_flag JOIN mail ON mail_id = id;
\endif

-- UIDs that vanished
SELECT 'VANISHED', md5(string_agg(mailbox_id || uids::text, ',' ORDER BY mailbox_id))
	FROM (SELECT mailbox_id, range_agg(uids) AS uids FROM vanished GROUP BY mailbox_id) AS v;

-- Numbers are in order
SELECT 'BROKEN', mailbox_id, uid, modseq FROM mail JOIN counters USING (mailbox_id)
	WHERE (uid < uidnext AND modseq <= highestmodseq) IS NOT TRUE LIMIT 1;

-- Where each command takes one number: the very numbers
SELECT 'NUMBERS', md5(string_agg(concat_ws(' ', mailbox_id, uid, modseq), ',' ORDER BY mailbox_id, uid)) FROM mail;
SELECT 'HIGHESTMODSEQ', md5(string_agg(highestmodseq::text, ',' ORDER BY mailbox_id)) FROM counters;
SELECT 'VANISHED UNDER', md5(string_agg(concat_ws(' ', mailbox_id, modseq, uids::text), ',' ORDER BY mailbox_id, modseq)) FROM vanished;
