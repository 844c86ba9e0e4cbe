--
-- attach(): a UIDVALIDITY that is an integer lasts until 2038, which is said while there is time
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA validity;
RESET client_min_messages;
SET search_path = validity;

CREATE TABLE box (id int PRIMARY KEY, uidvalidity int);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box, seen boolean);
INSERT INTO box VALUES (1);
SELECT modseq.attach('mail', 'box');
INSERT INTO box VALUES (2);
SELECT id, uidvalidity BETWEEN 1790000000 AND 2147483647 AS serves FROM box ORDER BY id;
-- Again and again, until it is mended
SELECT modseq.attach('mail');
ALTER TABLE box ALTER uidvalidity TYPE bigint;
SELECT modseq.attach('mail');

-- What hides an integer; what has a default of its own
CREATE DOMAIN validity AS int CHECK (value > 0);
CREATE TABLE box2 (id int PRIMARY KEY, uidvalidity validity NOT NULL DEFAULT 7);
CREATE TABLE mail2 (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box2, seen boolean);
SELECT modseq.attach('mail2', 'box2');

SET client_min_messages = warning;
DROP SCHEMA validity CASCADE;
