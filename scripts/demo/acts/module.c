/* A Redis module that misbehaves while it is loaded, as those do that attackers load by replication. It needs no Redis
 * header: it refuses to be a module after its act, so Redis unloads it.
 *   -DACT_SHELL   starts a shell under redis-server
 *   -DACT_DROP    writes a program that the image does not have, and runs it */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define REDISMODULE_ERR 1

#ifdef ACT_DROP
static int copy(const char *from, const char *to) {
    char buffer[65536];
    ssize_t length;
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0755);
    if (in < 0 || out < 0) {
        return -1;
    }
    while ((length = read(in, buffer, sizeof buffer)) > 0) {
        if (write(out, buffer, (size_t)length) != length) {
            return -1;
        }
    }
    close(in);
    return close(out);
}
#endif

int RedisModule_OnLoad(void *context, void **arguments, int count) {
    (void)context, (void)arguments, (void)count;
#ifdef ACT_SHELL
    if (system("id >/dev/null") != 0) {
        return REDISMODULE_ERR;
    }
#endif
#ifdef ACT_DROP
    if (copy("/acts/payload", "/tmp/kinsing") == 0) {
        pid_t child = fork();
        if (child == 0) {
            execl("/tmp/kinsing", "kinsing", (char *)NULL);
            _exit(127);
        }
        waitpid(child, NULL, 0);
    }
#endif
    return REDISMODULE_ERR;
}
