-- An empty trigger in C: what PostgreSQL itself takes for any trigger. Its store has the least that modseq
-- could do with: a trigger before each UPDATE of a row, and one after each DELETE. Statements are the bare ones,
-- or by hand.

-- == setup
CREATE FUNCTION empty() RETURNS trigger LANGUAGE C AS :'library';
CREATE TRIGGER before_update BEFORE UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION empty();
CREATE TRIGGER after_delete AFTER DELETE ON mail FOR EACH ROW EXECUTE FUNCTION empty();
