--
-- Mailboxes of tables "box" and "mail" that are renamed, go, and come back
--
INSERT INTO box (id) VALUES (1), (2), (3);
INSERT INTO mail (id, box_id, octets, seen) SELECT g, 1 + g % 3, g, g % 2 = 0 FROM generate_series(1, 12) g;
:counted

-- Renamed, in one statement or several; what follows where no foreign key takes it along, and what is left
UPDATE box SET id = 11 WHERE id = 1;
:counted
BEGIN;
UPDATE box SET id = 12 WHERE id = 2;
:counted
UPDATE mail SET box_id = 12, seen = true WHERE box_id = 2 AND id < 8;
:counted
UPDATE mail SET octets = 100, seen = false WHERE box_id IN (2, 12);
DELETE FROM mail WHERE id IN (1, 10);
SAVEPOINT a;
UPDATE box SET id = 2 WHERE id = 12;
:counted
ROLLBACK TO a;
UPDATE mail SET box_id = 12 WHERE box_id = 2;
INSERT INTO mail (id, box_id, octets) VALUES (20, 12, 20);
COMMIT;
:counted
UPDATE box SET id = 13 WHERE id = 3;
INSERT INTO mail (id, box_id, octets) VALUES (21, 13, 21);
-- Gone and back, in one transaction or two; changed meanwhile, with counts that somebody gives
BEGIN;
DELETE FROM box WHERE id = 12;
INSERT INTO box (id) VALUES (12);
INSERT INTO mail (id, box_id, octets) VALUES (22, 12, 22);
COMMIT;
:counted
DELETE FROM box WHERE id = 12;
UPDATE mail SET octets = 5, seen = seen IS NOT TRUE WHERE box_id = 12;
DELETE FROM mail WHERE id = 4;
INSERT INTO box (id) VALUES (12);
:counted
-- All go and come, with their messages gone or not
BEGIN;
DELETE FROM mail WHERE id = 22;
DELETE FROM box;
INSERT INTO box (id) VALUES (11), (12), (13);
DELETE FROM mail WHERE id = 20;
:counted
ROLLBACK;
WITH d AS (DELETE FROM box WHERE id = 13 RETURNING id), m AS (UPDATE mail SET seen = true WHERE box_id = 13)
DELETE FROM mail WHERE id = 21;
INSERT INTO box (id) VALUES (13), (14);
INSERT INTO mail (id, box_id, octets) VALUES (30, 14, 30);
:counted

-- Truncated
TRUNCATE box, mail;
INSERT INTO box (id) VALUES (11);
INSERT INTO mail (id, box_id, octets) VALUES (40, 11, 40);
:counted
