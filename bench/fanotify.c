/*
 * Marks the file system that holds FOLDER and reads what fanotify tells of it, until its input ends; says how much.
 *
 *   fanotify FOLDER open      opens and closes after writing
 *   fanotify FOLDER write     closes after writing only
 *
 * FAN_OPEN does not say for what a file was opened, so that writing is known at the close, and not before. An overlay, which
 * is what containers have, cannot be marked for identifiers of files (no file handles to decode: EOPNOTSUPP), so there each
 * event is an open descriptor; its path would be one more readlink, which is not made here.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

/* The queue, or -1. */
static int mark(unsigned int report, unsigned long mask, const char *folder)
{
	int queue = fanotify_init(FAN_CLASS_NOTIF | FAN_UNLIMITED_QUEUE | FAN_NONBLOCK | report, O_RDONLY);

	if (queue >= 0 && fanotify_mark(queue, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, mask, AT_FDCWD, folder)) {
		close(queue);
		return -1;
	}
	return queue;
}

int main(int count, char **arguments)
{
	static char buffer[1 << 20] __attribute__((aligned(8)));
	unsigned long mask = FAN_CLOSE_WRITE;
	long told = 0, overflows = 0;
	int queue;

	if (count != 3)
		return 2;
	if (!strcmp(arguments[2], "open"))
		mask |= FAN_OPEN;
	queue = mark(FAN_REPORT_DFID_NAME, mask, arguments[1]);
	if (queue < 0)
		queue = mark(0, mask, arguments[1]);
	if (queue < 0) {
		perror("fanotify");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct pollfd waits[] = { { queue, POLLIN, 0 }, { 0, POLLIN, 0 } };
		long length;

		poll(waits, 2, -1);
		while ((length = read(queue, buffer, sizeof(buffer))) > 0) {
			struct fanotify_event_metadata *event = (void *)buffer;

			for (; FAN_EVENT_OK(event, length); event = FAN_EVENT_NEXT(event, length)) {
				told++;
				if (event->fd >= 0)
					close(event->fd);
				overflows += !!(event->mask & FAN_Q_OVERFLOW);
			}
		}
		if (waits[1].revents)
			break;
	}
	printf("%ld events, %ld overflows\n", told, overflows);
	return 0;
}
