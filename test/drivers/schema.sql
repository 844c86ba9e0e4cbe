-- Two stores: mailboxes by number, and by a uuid
CREATE EXTENSION modseq;
CREATE TABLE mailbox (id bigint PRIMARY KEY);
CREATE TABLE mail (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mailbox_id  bigint NOT NULL REFERENCES mailbox,
    flags       text[] NOT NULL DEFAULT '{}'
);
SELECT modseq.attach('mail', 'mailbox', notify => true);
INSERT INTO mailbox VALUES (1), (2), (3);
INSERT INTO mail (mailbox_id) SELECT 1 FROM generate_series(1, 5);
DELETE FROM mail WHERE uid = 3;

CREATE TABLE folder (tenant uuid, id uuid, PRIMARY KEY (tenant, id));
CREATE TABLE letter (tenant uuid, folder_id uuid, flags text[], FOREIGN KEY (tenant, folder_id) REFERENCES folder);
SELECT modseq.attach('letter', 'folder');
INSERT INTO folder VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002'),
    ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000003');

CREATE TABLE box (id uuid PRIMARY KEY);
CREATE TABLE note (box_id uuid REFERENCES box, flags text[]);
SELECT modseq.attach('note', 'box');
INSERT INTO box VALUES ('00000000-0000-0000-0000-000000000002'), ('00000000-0000-0000-0000-000000000003');
