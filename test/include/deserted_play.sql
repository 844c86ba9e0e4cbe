-- What happens to the messages of mailboxes that are renamed. A test that includes it has attached a store, mail in box,
-- and has set :sync, which tells the clients.
INSERT INTO box (owner, id, name) SELECT 'o', 10 * i, chr(96 + i) FROM generate_series(1, 4) AS i;
INSERT INTO mail SELECT b + i, 'o', b FROM generate_series(10, 40, 10) AS b, generate_series(1, 4) AS i;
DELETE FROM mail WHERE id = 12;
UPDATE mail SET gone = true WHERE id = 13;
:sync

\echo they follow in the same transaction, some with another flag, one is inserted in between
BEGIN;
UPDATE box SET id = 15 WHERE id = 10;
INSERT INTO mail VALUES (15, 'o', 15);
INSERT INTO flag VALUES (1, 'x');
UPDATE mail SET box = 15 WHERE id = 11;
UPDATE mail SET box = 15, seen = true WHERE box = 10;
COMMIT;
:sync
\echo they do not follow, but in the next one; one is expunged
UPDATE box SET id = 10 WHERE id = 15;
:sync
BEGIN;
UPDATE mail SET box = 10 WHERE box = 15 AND gone;
UPDATE mail SET box = 10 WHERE box = 15;
COMMIT;
:sync
\echo some follow, one goes elsewhere, one is deleted, one is expunged, one is flagged and follows later
BEGIN;
UPDATE box SET id = 25 WHERE id = 20;
UPDATE mail SET box = 25 WHERE id = 21;
UPDATE mail SET box = 30 WHERE id = 22;
DELETE FROM mail WHERE id = 23;
UPDATE mail SET gone = true WHERE id = 24;
COMMIT;
:sync
INSERT INTO mail VALUES (26, 'o', 25), (27, 'o', 25);
BEGIN;
UPDATE box SET id = 20 WHERE id = 25;
UPDATE mail SET seen = true WHERE id = 26;
COMMIT;
UPDATE mail SET box = 20 WHERE box = 25;
:sync
\echo twice in a row, and there and back; some follow in between
BEGIN;
UPDATE box SET id = 35 WHERE id = 30;
UPDATE mail SET box = 35 WHERE id = 31;
UPDATE box SET id = 36 WHERE id = 35;
UPDATE mail SET box = 36 WHERE id IN (31, 32);
COMMIT;
:sync
UPDATE mail SET box = 36 WHERE box = 30;
BEGIN;
UPDATE box SET id = 30 WHERE id = 36;
UPDATE box SET id = 36 WHERE id = 30;
COMMIT;
:sync
BEGIN;
UPDATE box SET id = 30 WHERE id = 36;
UPDATE mail SET box = 30 WHERE id IN (31, 33);
DELETE FROM flag WHERE name = 'x';
UPDATE box SET id = 36 WHERE id = 30;
COMMIT;
:sync
UPDATE mail SET box = 36 WHERE box = 30;
\echo savepoints
BEGIN;
SAVEPOINT s;
UPDATE box SET id = 45 WHERE id = 40;
ROLLBACK TO s;
COMMIT;
:sync
BEGIN;
SAVEPOINT s;
UPDATE box SET id = 45 WHERE id = 40;
RELEASE s;
INSERT INTO flag VALUES (1, 'y');
SAVEPOINT t;
UPDATE mail SET box = 45 WHERE id < 43;
ROLLBACK TO t;
UPDATE mail SET box = 45 WHERE id = 41;
SAVEPOINT u;
UPDATE mail SET box = 45 WHERE id = 42;
RELEASE u;
COMMIT;
:sync
UPDATE mail SET box = 45 WHERE box = 40;
\echo two are swapped
BEGIN;
UPDATE box SET id = 99 WHERE id = 36;
UPDATE mail SET box = 99 WHERE box = 36;
UPDATE box SET id = 36 WHERE id = 45;
UPDATE mail SET box = 36 WHERE box = 45;
UPDATE box SET id = 45 WHERE id = 99;
UPDATE mail SET box = 45 WHERE box = 99;
COMMIT;
:sync
BEGIN;
UPDATE box SET id = 99 WHERE id = 36;
SELECT failure('UPDATE box SET id = 36 WHERE id = 45');
ROLLBACK;
\echo by one query, with a message that arrives and one that is deleted
WITH r AS (UPDATE box SET id = 46 WHERE id = 45), d AS (DELETE FROM mail WHERE id = 31) INSERT INTO mail VALUES (38, 'o', 45);
:sync
UPDATE mail SET box = 46 WHERE box = 45;
:sync
\echo a trigger takes some along
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE mail SET box = new.id WHERE box = old.id AND id % 2 = 0;
	RETURN NULL;
END $$;
CREATE TRIGGER follow AFTER UPDATE OF id ON box FOR EACH ROW EXECUTE FUNCTION follow();
UPDATE box SET id = id + 1 WHERE id IN (36, 46);
:sync
DROP TRIGGER follow ON box;
UPDATE mail SET box = box + 1 WHERE box IN (36, 46);
:sync
\echo the mailbox goes after that
BEGIN;
UPDATE box SET id = 48 WHERE id = 47;
UPDATE mail SET box = 48 WHERE id = 32;
DELETE FROM box WHERE id = 48;
COMMIT;
:sync
\echo a new one has the key, and what was left
INSERT INTO box (owner, id, name) VALUES ('o', 47, 'e');
:sync
UPDATE box SET id = 40 WHERE id = 37;
BEGIN;
DELETE FROM mail WHERE id = 41;
INSERT INTO box (owner, id, name) VALUES ('o', 37, 'f');
COMMIT;
INSERT INTO mail VALUES (49, 'o', 37);
:sync
\echo another one gets the key, or the same again
UPDATE box SET id = 38 WHERE id = 37;
SELECT failure('UPDATE box SET id = 37 WHERE id = 38');
:sync
UPDATE box SET id = 38 WHERE id = 37;
UPDATE mail SET box = 38 WHERE box = 37;
:sync
UPDATE box SET id = 39 WHERE id = 38;
SELECT failure('UPDATE box SET id = 38 WHERE id = 20');
:sync
