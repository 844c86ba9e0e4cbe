/*
 * From 1.0 to 1.1: what update.awk does not see by itself. It comes first, and
 * what it drops the script creates again.
 */
