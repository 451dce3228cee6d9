/* Steps the wall clock of one process: clock_gettime(CLOCK_REALTIME) plus the seconds that the
 * file named by DAILYARB_TEST_STEP holds. Preloaded by the chaos tests (F81). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    const char *path = getenv("DAILYARB_TEST_STEP");
    if (clock == CLOCK_REALTIME && path) {
        FILE *file = fopen(path, "r");
        long step = 0;
        if (file) {
            if (fscanf(file, "%ld", &step) == 1) now->tv_sec += step;
            fclose(file);
        }
    }
    return result;
}
