\set ECHO none
-- Does a statement, :sql, cost the same however often it ran before in its transaction? Counted are the blocks that are
-- read of the tables that are ours, in 2,000 of them, whose number is $1; without and with an EXCEPTION block around
-- each. It was far above :limit where each has walked what those before it had left.
SELECT pg_stat_force_next_flush();
SELECT n FROM blocks \gset before_
CALL loop(:'sql', false);
SELECT pg_stat_force_next_flush();
SELECT n FROM blocks \gset plain_
CALL loop(:'sql', true);
SELECT pg_stat_force_next_flush();
SELECT n FROM blocks \gset block_
SELECT CASE WHEN greatest(:plain_n - :before_n, :block_n - :plain_n) < 2000 * :limit THEN 'linear'
	ELSE format('%s, %s blocks each', (:plain_n - :before_n) / 2000, (:block_n - :plain_n) / 2000) END;
\set ECHO all
