/*
 * One thing done many times; what one took comes out, in nanoseconds.
 *
 *   workload syscall COUNT          getppid, which no sensor asks for
 *   workload read COUNT FILE        open for reading and close
 *   workload write COUNT FILE       open for writing and close
 *   workload exec COUNT PROGRAM     fork, exec of a program, wait
 *   workload flood RATE MS FOLDER   opens for writing at a rate per second, of 64 files in turns; says the rate that it had
 *   workload execs RATE MS PROGRAM  the same with fork and exec
 *
 * cc -O2 -static -o workload workload.c: it must run in any container.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

static void open_and_close(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0) {
		perror(path);
		exit(1);
	}
	close(fd);
}

static void run(const char *program)
{
	char *arguments[] = { (char *)program, NULL };
	pid_t child;

	if (posix_spawn(&child, program, NULL, NULL, arguments, NULL)) {
		perror(program);
		exit(1);
	}
	waitpid(child, NULL, 0);
}

static void act(const char *what, const char *on, long number)
{
	char path[4096];

	if (!strcmp(what, "syscall"))
		syscall(SYS_getppid);
	else if (!strcmp(what, "read"))
		open_and_close(on, O_RDONLY);
	else if (!strcmp(what, "write"))
		open_and_close(on, O_WRONLY | O_CREAT);
	else if (!strcmp(what, "flood")) {
		snprintf(path, sizeof(path), "%s/%ld", on, number % 64);
		open_and_close(path, O_WRONLY | O_CREAT);
	} else
		run(on);
}

/* As many as there should be by now, then a short rest. */
static void pace(const char *what, long rate, long milliseconds, const char *on)
{
	const struct timespec rest = { 0, 500000 };
	long start = now_ns(), end = start + milliseconds * 1000000L, done = 0, now;

	while ((now = now_ns()) < end) {
		long due = (now - start) / 1000 * rate / 1000000;

		if (done >= due)
			nanosleep(&rest, NULL);
		for (int burst = 0; done < due && burst < 1000; burst++)
			act(what, on, done++);
	}
	printf("%.0f\n", done / ((now_ns() - start) / 1e9));
}

int main(int count, char **arguments)
{
	const char *what = count > 2 ? arguments[1] : "";
	long number = count > 2 ? atol(arguments[2]) : 0, start;

	if (count == 5 && (!strcmp(what, "flood") || !strcmp(what, "execs"))) {
		pace(what, number, atol(arguments[3]), arguments[4]);
		return 0;
	}
	if (number <= 0 || (count < 4 && strcmp(what, "syscall"))) {
		fprintf(stderr, "usage: see workload.c\n");
		return 2;
	}
	start = now_ns();
	for (long i = 0; i < number; i++)
		act(what, count > 3 ? arguments[3] : "", i);
	printf("%.1f\n", (double)(now_ns() - start) / number);
	return 0;
}
