/*-------------------------------------------------------------------------
 *
 * part.h
 *	  What text.c puts its texts together from.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODSEQ_PART_H
#define MODSEQ_PART_H

#include "query/query.h"

#include "lib/stringinfo.h"

/* A query's text while it is put together, with its parameters' types */
typedef struct PlanText
{
	Store	   *store;
	const char *table;			/* for plan_scan(), else NULL */
	StringInfoData text;
	int			nparams;
	Oid			params[MODSEQ_MAX_PARAMS];
} PlanText;

extern void plan_add(PlanText *query, const char *fmt,...) pg_attribute_printf(2, 3);
extern int	plan_add_param(PlanText *query, Oid type);
extern Oid	plan_uidset_oid(void);
extern const char *plan_collate_clause(Oid collation);
extern void plan_add_key_columns(PlanText *query, const char *alias,
								 TableRole side);
extern void plan_add_key_equality(PlanText *query, const char *alias,
								  TableRole side, const char *format);
extern void plan_add_key_condition(PlanText *query, const char *alias,
								   TableRole side);
extern void plan_add_key_params(PlanText *query);
extern const char *plan_live_condition(const Store *store);

#endif							/* MODSEQ_PART_H */
