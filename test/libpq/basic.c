/*-------------------------------------------------------------------------
 *
 * basic.c
 *	  The clock and random numbers, for this program and for test/schedules.
 *
 *-------------------------------------------------------------------------
 */
#include "converge.h"

#include <time.h>

/* splitmix64, by Sebastiano Vigna, who put it in the public domain */
uint64_t
next_random(uint64_t *state)
{
	uint64_t	z = (*state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}
