/* What an attacker preloads: says that it was there before the program's own first line. */
#include <stdio.h>

__attribute__((constructor)) static void loaded(void) { puts("preloaded"); }
