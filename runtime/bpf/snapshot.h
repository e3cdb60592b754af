/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What is there already, through iterators. Of each process an exec record, without filename and arguments. Of the sockets
 * that processes hold, what would have been told when they were made: that they listen, and that they were put where
 * standard streams are.
 */
#pragma once

#include "call.h"
#include "path.h"
#include "send.h"
#include "socket.h"
#include "task.h"

SECTION("iter/task")
int on_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = ctx->meta->seq;

	if (!task || task->pid != task->tgid)
		return 0;
	struct scratch *scratch = take_scratch();

	if (!scratch)
		return 0;
	struct exec_record *record = &scratch->exec;
	struct mm_struct *mm = task->mm;
	struct fs_struct *fs = task->fs;
	struct path root = read_path(&fs->root);

	__builtin_memset(record, 0, sizeof(*record));
	fill_head(&record->head, KIND_TASK, task);
	if (mm && fs) {
		struct file *file = mm->exe_file;
		struct path exe = read_path(&file->f_path);

		fill_file(&record->exe, file, exe.dentry);
		record->exe_flags = append_path(scratch, exe, root, &record->exe_length);
		record->cwd_flags = append_path(scratch, read_path(&fs->pwd), root, &record->cwd_length);
	}
	bpf_seq_write(seq, record, sizeof(*record));
	bpf_seq_write(seq, scratch->text, offset(scratch));
	give_back(scratch);
	return 0;
}

#define CALL_DUP2 38
#define LAST_STANDARD_STREAM 2

/* Each record behind its length. What does not fit into the iterator's buffer is asked for again, both together. */
INLINE void write_record(struct seq_file *seq, void *record, u64 length)
{
	u64 told = length; /* in memory a bound is forgotten by older verifiers as soon as a helper has seen it */

	bpf_seq_write(seq, &told, sizeof(told));
	bpf_seq_write(seq, record, length);
}

INLINE void write_listening(struct seq_file *seq, struct sock *sock, struct task_struct *task)
{
	struct address_record record = {};

	fill_head(&record.head, KIND_LISTEN, task);
	fill_listening(&record, sock);
	write_record(seq, &record, sizeof(record));
}

INLINE void write_stream(struct seq_file *seq, struct sock *sock, struct task_struct *task, u32 fd)
{
	struct scratch *scratch = begin_call(task, CALL_DUP2, fd);

	if (!scratch)
		return;
	scratch->call.arguments[1] = fd;
	scratch->call.object_flags = OBJECT_SOCKET;
	scratch->call.lengths[0] = append_socket(scratch, sock);
	write_record(seq, &scratch->call, call_bytes(scratch));
	give_back(scratch);
}

SECTION("iter/task_file")
int on_task_file(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct sock *sock;

	if (!task || !file)
		return 0;
	sock = ip_socket(file);
	if (!sock || !is_wanted(task))
		return 0;
	if (READ(sock, __sk_common.skc_state) == TCP_LISTEN)
		write_listening(ctx->meta->seq, sock, task);
	if (ctx->fd <= LAST_STANDARD_STREAM && is_asked_for(CALL_DUP2))
		write_stream(ctx->meta->seq, sock, task, ctx->fd);
	return 0;
}
