/*-------------------------------------------------------------------------
 *
 * move_versions.c
 *	  Versions of rows at the source, each known by where it is.
 *
 * A row that is written is another version of it, elsewhere: so two lists of
 * versions say what has changed, in any table, whatever keys it has.  A place
 * that VACUUM has freed may be taken again, but by another transaction.  What
 * writes the table anew (VACUUM FULL, CLUSTER, some of ALTER TABLE) may put
 * another row of the same transaction there, but into another file.
 *
 *-------------------------------------------------------------------------
 */
#include "move.h"

/* What read_version() reads */
char *
version_of(const char *alias)
{
	return fmt("%1$s.tableoid, pg_relation_filenode(%1$s.tableoid),"
			   " %1$s.ctid, %1$s.xmin", alias);
}

/* From the first columns of a line of COPY; the others follow */
const char *
read_version(const char *line, Version *version)
{
	int			length = 0;

	memset(version, 0, sizeof(*version));
	if (sscanf(line, "%u\t%u\t(%u,%u)\t%u%n", &version->table, &version->file,
			   &version->block, &version->item, &version->xmin, &length) != 5)
		die("source: a row without a place: %s", line);
	return line + length + (line[length] == '\t');
}

static bool
is_same(const Version *a, const Version *b)
{
	return a->block == b->block && a->item == b->item && a->xmin == b->xmin &&
		a->file == b->file && a->table == b->table;
}

/* Where it is in slots, or would be */
static long
slot_of(const Versions *versions, const Version *version)
{
	unsigned long hash = version->block * 2654435761UL ^
		version->item * 0x9E3779B97F4A7C15UL ^ version->table * 40503UL;
	long		slot = (hash ^ hash >> 29) & (versions->n_slots - 1);

	while (versions->slots[slot] != 0 &&
		   !is_same(&versions->list[versions->slots[slot] - 1], version))
		slot = (slot + 1) & (versions->n_slots - 1);
	return slot;
}

/* Its place in the list, or -1 */
long
find_version(const Versions *versions, const Version *version)
{
	if (versions->n == 0)
		return -1;
	return versions->slots[slot_of(versions, version)] - 1;
}

/* One that is not there */
long
add_version(Versions *versions, const Version *version)
{
	if (versions->n == versions->size)
	{
		versions->size = 2 * versions->size + 1024;
		versions->list = allocate(versions->list,
								  versions->size * sizeof(Version));
		free(versions->slots);
		versions->n_slots = 4096;
		while (versions->n_slots < 2 * versions->size)
			versions->n_slots *= 2;
		versions->slots = calloc(versions->n_slots, sizeof(long));
		if (versions->slots == NULL)
			die("out of memory");
		for (long i = 0; i < versions->n; i++)
			versions->slots[slot_of(versions, &versions->list[i])] = i + 1;
	}
	versions->list[versions->n] = *version;
	versions->slots[slot_of(versions, version)] = versions->n + 1;
	return versions->n++;
}

void
forget_versions(Versions *versions)
{
	free(versions->list);
	free(versions->slots);
	memset(versions, 0, sizeof(*versions));
}
