\set ECHO none
-- Plays what load() was given, all in one transaction and then each statement by itself, and says what is wrong. For tests
-- that include accounts_model.sql; the variable what is their name for it.
SELECT play();
SELECT verify(:'what' || ', one transaction');
SELECT x FROM play \gexec
SELECT verify(:'what');
SELECT * FROM modseq.check('message');
\set ECHO all
