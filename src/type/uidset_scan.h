/*-------------------------------------------------------------------------
 *
 * uidset_scan.h
 *	  What the planner's part of "uid <@ set" knows of the executor's, and of
 *	  the operator.  For the files of this folder, and for _PG_init().
 *
 *-------------------------------------------------------------------------
 */
#ifndef UIDSET_SCAN_H
#define UIDSET_SCAN_H

#include "type/uidset.h"

#include "nodes/extensible.h"

/*
 * uidset_scan.c: the scan.  Of a CustomScan it wants, as custom_plans, the
 * index scan; as custom_exprs the set; and as custom_private two integers:
 * which of the index scan's conditions is uid >= min(set) (uid <= max(set) is
 * the next), and whether it finds UIDs in descending order.
 */
extern const CustomScanMethods uidset_scan_methods;

/* uidset_plan.c: of "uid <@ set" and "set @> uid", the set; NULL: is neither */
extern Node *uidset_plan_operand(Node *clause, Node **uid);

/* uidset_path.c: the hook that offers the scan, for _PG_init() */
extern void uidset_path_init(void);

#endif							/* UIDSET_SCAN_H */
