/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What io_uring is asked to do. Rings make no system calls for their requests, so that what looks at calls sees nothing of
 * them: these are told when they are made, as the call that they stand for with result 0. The kernel has copied paths by
 * then, so nobody can change them afterwards. Connections, binds and listens are seen where others are; so are opens,
 * unless they come from system calls.
 */
#pragma once

#include "call.h"
#include "file.h"
#include "path.h"
#include "send.h"
#include "task.h"

/* Set by the loader. */
const volatile u8 opens_by_ring = 0;

/* include/uapi/linux/io_uring.h, stable ABI. */
enum {
	OP_ACCEPT = 13,
	OP_OPENAT = 18,
	OP_OPENAT2 = 28,
	OP_RENAMEAT = 35,
	OP_UNLINKAT = 36,
	OP_MKDIRAT = 37,
	OP_SYMLINKAT = 38,
	OP_LINKAT = 39,
	OP_SOCKET = 45,
};

/* model: SystemCall::ALL */
enum {
	AS_UNLINKAT = 1,
	AS_MKDIRAT = 4,
	AS_RENAMEAT2 = 7,
	AS_LINKAT = 9,
	AS_SYMLINKAT = 11,
	AS_SOCKET = 40,
	AS_ACCEPT4 = 42,
};

#define ACCESS_MODE 3
#define READ_ONLY 0

INLINE u32 append_name(struct scratch *scratch, struct filename *filename)
{
	return append_string(scratch, READ(filename, name), MAX_ASKED);
}

INLINE struct path folder_of(struct task_struct *task, s32 descriptor)
{
	struct fs_struct *fs = task->fs;
	struct path none = {};
	struct file *file;

	if (descriptor == AT_FDCWD)
		return read_path(&fs->pwd);
	file = file_of(task, descriptor);
	return file ? read_path(&file->f_path) : none;
}

INLINE int ring_open(struct io_kiocb *request, struct task_struct *task)
{
	struct io_open *open = (void *)&request->cmd;
	struct fs_struct *fs = task->fs;
	u64 flags = READ(open, how.flags);
	struct scratch *scratch;

	if ((flags & ACCESS_MODE) == READ_ONLY && reads == READS_NONE)
		return 0;
	scratch = take_scratch();
	if (!scratch) {
		count_lost(KIND_OPEN);
		return 0;
	}
	struct open_record *record = &scratch->open;

	fill_head(&record->head, KIND_OPEN, task);
	record->inode = 0;
	record->mode = (flags + 1) & ACCESS_MODE; /* as the kernel makes FMODE_READ and FMODE_WRITE of it */
	record->flags = flags;
	record->verdict = VERDICT_NONE;
	record->asked_length = append_name(scratch, READ(open, filename));
	record->path_flags = PATH_OF_FOLDER | append_path(scratch, folder_of(task, READ(open, dfd)), read_path(&fs->root),
							  &record->path_length);
	send(&record->head, (u64)scratch->text - (u64)record + offset(scratch), LATER);
	give_back(scratch);
	return 0;
}

INLINE u32 call_of(u8 operation)
{
	switch (operation) {
	case OP_ACCEPT:
		return AS_ACCEPT4;
	case OP_RENAMEAT:
		return AS_RENAMEAT2;
	case OP_UNLINKAT:
		return AS_UNLINKAT;
	case OP_MKDIRAT:
		return AS_MKDIRAT;
	case OP_SYMLINKAT:
		return AS_SYMLINKAT;
	case OP_LINKAT:
		return AS_LINKAT;
	case OP_SOCKET:
		return AS_SOCKET;
	}
	return 0;
}

/* Arguments in the order of the call that the request stands for, and its paths. */
INLINE void fill_call(struct scratch *scratch, struct call_record *record, struct io_kiocb *request,
		      struct task_struct *task)
{
	void *what = &request->cmd;

	switch (record->call) {
	case AS_UNLINKAT:
		record->arguments[0] = READ((struct io_unlink *)what, dfd);
		record->arguments[2] = READ((struct io_unlink *)what, flags);
		append_object(scratch, record, FOLDER_AT(0), task);
		record->lengths[1] = append_name(scratch, READ((struct io_unlink *)what, filename));
		break;
	case AS_MKDIRAT:
		record->arguments[0] = READ((struct io_mkdir *)what, dfd);
		record->arguments[2] = READ((struct io_mkdir *)what, mode);
		append_object(scratch, record, FOLDER_AT(0), task);
		record->lengths[1] = append_name(scratch, READ((struct io_mkdir *)what, filename));
		break;
	case AS_RENAMEAT2:
		record->arguments[0] = READ((struct io_rename *)what, old_dfd);
		record->arguments[2] = READ((struct io_rename *)what, new_dfd);
		append_object(scratch, record, FOLDER_AT(2), task);
		record->lengths[1] = append_name(scratch, READ((struct io_rename *)what, oldpath));
		record->lengths[2] = append_name(scratch, READ((struct io_rename *)what, newpath));
		break;
	case AS_LINKAT:
		record->arguments[0] = READ((struct io_link *)what, old_dfd);
		record->arguments[2] = READ((struct io_link *)what, new_dfd);
		append_object(scratch, record, FOLDER_AT(2), task);
		record->lengths[1] = append_name(scratch, READ((struct io_link *)what, oldpath));
		record->lengths[2] = append_name(scratch, READ((struct io_link *)what, newpath));
		break;
	case AS_SYMLINKAT:
		record->arguments[1] = READ((struct io_link *)what, new_dfd);
		append_object(scratch, record, FOLDER_AT(1), task);
		record->lengths[1] = append_name(scratch, READ((struct io_link *)what, oldpath));
		record->lengths[2] = append_name(scratch, READ((struct io_link *)what, newpath));
		break;
	case AS_SOCKET:
		record->arguments[0] = READ((struct io_socket *)what, domain);
		record->arguments[1] = READ((struct io_socket *)what, type);
		record->arguments[2] = READ((struct io_socket *)what, protocol);
		break;
	}
}

__attribute__((noinline)) int ring_request(u64 asked)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct io_kiocb *request = (void *)asked;
	struct scratch *scratch;
	u8 operation;
	u32 call;

	if (!EXISTS(request, cmd) || !is_caller_wanted(task))
		return 0;
	operation = READ(request, opcode);
	if (operation == OP_OPENAT || operation == OP_OPENAT2)
		return opens_by_ring ? ring_open(request, task) : 0;
	call = call_of(operation);
	if (!call || !is_asked_for(call))
		return 0;
	scratch = begin_call(task, call, 0);
	if (!scratch)
		return 0;
	fill_call(scratch, &scratch->call, request, task);
	send_call(scratch);
	return 0;
}

SECTION("tp_btf/io_uring_submit_req")
int on_ring_request(u64 *ctx)
{
	return ring_request(number_of((void *)ctx[0]));
}

/* Its name until 6.2. */
SECTION("tp_btf/io_uring_submit_sqe")
int on_ring_request_61(u64 *ctx)
{
	return ring_request(number_of((void *)ctx[0]));
}
