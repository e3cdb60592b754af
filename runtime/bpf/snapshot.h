/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Processes that run already: an exec record each, without filename and arguments, through a task iterator. */

#pragma once

#include "path.h"
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
