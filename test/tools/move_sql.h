/*-------------------------------------------------------------------------
 *
 * move_sql.h
 *	  The texts of move_sql.c, which says what each is.
 *
 *-------------------------------------------------------------------------
 */
extern const char key_text[];
extern const char gid_text[];
extern const char prepared_text[];
extern const char identity_text[];
extern const char number_text[];
extern const char options_text[];
extern const char schema_text[];
extern const char queries_text[];
extern const char with_text[];
extern const char parts_text[];
extern const char patience_text[];
extern const char ordinary_text[];
extern const char referring_text[];
extern const char referred_text[];
extern const char sequences_text[];
extern const char uidvalidity_text[];
extern const char owns_uidvalidity_text[];
extern const char taken_text[];
