--
-- The mod-sequence with which a message has arrived: set on arrival, kept by all else, whatever the application writes
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_created_modseq;
SET search_path = t_created_modseq;
\set VERBOSITY terse

CREATE TABLE mailbox (id bigint PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id bigint NOT NULL REFERENCES mailbox, subject text, seen boolean, gone boolean, created_modseq bigint);
SELECT modseq.attach('mail', 'mailbox', message_expunged => 'gone');
INSERT INTO mailbox (id) VALUES (1), (2);
INSERT INTO mail (id, mailbox_id, created_modseq) VALUES (1, 1, NULL), (2, 1, 99);
INSERT INTO mail (id, mailbox_id) VALUES (3, 1);
\set all 'SELECT id, mailbox_id AS box, uid, modseq, created_modseq AS created FROM mail ORDER BY id;'
:all
UPDATE mail SET created_modseq = 1 WHERE id = 1;
UPDATE mail SET created_modseq = NULL, subject = 'x' WHERE id = 2;
UPDATE mail SET created_modseq = 99, modseq = 99, seen = true WHERE id = 3;
:all
BEGIN;
SELECT count(*) FROM modseq.lock('mail', ARRAY[1, 2]);
UPDATE mail SET created_modseq = 1, seen = false WHERE id = 3;
UPDATE mail SET created_modseq = 1, mailbox_id = 2 WHERE id = 2;
COMMIT;
:all
UPDATE mail SET gone = true, created_modseq = 1 WHERE id = 1;
:all
UPDATE mail SET gone = false, created_modseq = 1 WHERE id = 1;
:all
SELECT * FROM modseq.check('mail');

DROP SCHEMA t_created_modseq CASCADE;
