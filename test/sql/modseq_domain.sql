--
-- The domain modseq: from 0 to 2^63 - 1
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_modseq_domain;
RESET client_min_messages;
SET search_path = t_modseq_domain, modseq;
\set SHOW_CONTEXT never
\pset null '(null)'
SELECT 0::modseq.modseq, 9223372036854775807::modseq.modseq, NULL::modseq.modseq;
SELECT (-1)::modseq.modseq;
\echo :SQLSTATE

SET client_min_messages = warning;
DROP SCHEMA t_modseq_domain CASCADE;
