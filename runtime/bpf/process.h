/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* exec, fork, exit, cgroup made: always sent, since the process tree and container identity are built from them. */
#pragma once

#include "path.h"
#include "policy.h"
#include "send.h"
#include "task.h"

/* A fault is a matter of whole pages, so the arguments are read page by page: what is there is had. */
INLINE u32 append_args(struct scratch *scratch, struct mm_struct *mm, u32 *total)
{
	u64 from = mm->arg_start, to = mm->arg_end;
	u64 length = to > from ? to - from : 0;
	u64 first = 4096 - (from & 4095);
	u32 at = offset(scratch);

	*total = length > 0xffffffff ? 0xffffffff : (u32)length;
	if (length > MAX_ARGS)
		length = MAX_ARGS;
	if (first > length)
		first = length;
	HIDE(first);
	if (first > MAX_ARGS || bpf_probe_read_user(&scratch->text[at], first, (void *)from))
		return 0;
	scratch->used = at + first;

	u64 second = length - first;

	at = offset(scratch);
	HIDE(second);
	if (second > MAX_ARGS || bpf_probe_read_user(&scratch->text[at], second, (void *)from + first))
		return first;
	scratch->used = at + second;
	return first + second;
}

/* Set by the loader: rules name variables of environments. */
const volatile u8 ask_environment = 0;

#define ENVIRONMENT_PAGES 4

_Static_assert(ENVIRONMENT_PAGES * 4096 <= TEXT_BYTES, "an environment fits");

/* A program's environment, as far as its first pages hold it: a record of its own, so that execs stay small. */
__attribute__((noinline)) int send_environment(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct mm_struct *mm = task->mm;
	struct scratch *scratch = take_scratch();
	u64 from, left;

	if (!scratch) {
		count_lost(KIND_ENVIRONMENT);
		return 0;
	}
	struct environment_record *record = &scratch->environment;

	from = mm->env_start;
	left = mm->env_end > from ? mm->env_end - from : 0;
	fill_head(&record->head, KIND_ENVIRONMENT, task);
	record->total = left > 0xffffffff ? 0xffffffff : (u32)left;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < ENVIRONMENT_PAGES; i++) {
		u64 length = 4096 - (from & 4095);
		u32 at = offset(scratch);

		if (length > left)
			length = left;
		HIDE(length);
		if (!length || length > MAX_ARGS || bpf_probe_read_user(&scratch->text[at], length, (void *)from))
			break;
		/* Where the last page would wrap, what was read before it is all. */
		if (at + length >= TEXT_BYTES)
			break;
		scratch->used = at + length;
		from += length;
		left -= length;
	}
	record->length = offset(scratch);
	send(&record->head, (u64)scratch->text - (u64)record + offset(scratch), LATER);
	give_back(scratch);
	return 0;
}

/*
 * The new program has not run yet. Where no hook could refuse it, the process dies of a signal before it does. A global
 * function, as those of policy.h.
 */
__attribute__((noinline)) int judge_exec(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct mm_struct *mm = task->mm;
	/* The policy is that of the program before. */
	struct policy *policy = find_policy(task, task->self_exec_id - 1);
	u32 verdict;

	if (!policy || !is_refused_exec(policy, mm->exe_file, task))
		return VERDICT_NONE;
	if (policy->mode == MODE_ENFORCE && !signal_instead)
		return VERDICT_NONE; /* the hook has let it pass */
	verdict = conclude(policy);
	if (verdict == VERDICT_REFUSED) {
		bpf_send_signal(signal_instead);
		return VERDICT_KILLED;
	}
	return verdict;
}

SECTION("tp_btf/sched_process_exec")
int on_exec(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct linux_binprm *program = (void *)ctx[2];
	struct scratch *scratch;

	if (ask_environment)
		send_environment();
	scratch = take_scratch();

	if (!scratch) {
		count_lost(KIND_EXEC);
		return 0;
	}
	struct exec_record *record = &scratch->exec;
	struct mm_struct *mm = task->mm;
	struct fs_struct *fs = task->fs;
	struct file *file = mm->exe_file;
	struct path root = read_path(&fs->root);
	struct path exe = read_path(&file->f_path);

	fill_head(&record->head, KIND_EXEC, task);
	fill_file(&record->exe, file, exe.dentry);
	record->filename_length = append_string(scratch, program->filename, MAX_FILENAME);
	record->exe_flags = append_path(scratch, exe, root, &record->exe_length);
	record->cwd_flags = append_path(scratch, read_path(&fs->pwd), root, &record->cwd_length);
	record->args_length = append_args(scratch, mm, &record->args_total);

	record->verdict = has_policies ? judge_exec() : VERDICT_NONE;

	u64 length = (u64)offset(scratch);

	send(&record->head, (u64)scratch->text - (u64)record + length, is_contained(task) ? SOON : LATER);
	give_back(scratch);
	return 0;
}

SECTION("tp_btf/sched_process_fork")
int on_fork(u64 *ctx)
{
	struct task_struct *parent = (void *)ctx[0], *child = (void *)ctx[1];
	struct fork_record record = {};

	if (child->pid != child->tgid)
		return 0;
	fill_head(&record.head, KIND_FORK, parent);
	fill_task(&record.child, child);
	send(&record.head, sizeof(record), LATER);
	return 0;
}

SECTION("tp_btf/sched_process_exit")
int on_exit(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct signal_struct *signal = task->signal;
	struct exit_record record = {};

	/* The count of live threads is lowered before the tracepoint; two that end together can both see none left. */
	if (signal->live.counter > 0)
		return 0;
	fill_head(&record.head, KIND_EXIT, task);
	record.status = signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code : task->group_leader->exit_code;
	send(&record.head, sizeof(record), LATER);
	return 0;
}

INLINE int tell_cgroup(u32 kind, struct cgroup *cgroup, const char *path, struct task_struct *task)
{
	struct scratch *scratch;

	/* Hierarchy 0 is the cgroup v2 one. */
	if (cgroup->root->hierarchy_id)
		return 0;
	scratch = take_scratch();
	if (!scratch) {
		count_lost(kind);
		return 0;
	}
	struct cgroup_record *record = &scratch->cgroup;

	fill_head(&record->head, kind, task);
	record->cgroup_id = cgroup->kn->id;
	record->path_length = append_string(scratch, path, MAX_ARGS);
	record->padding = 0;
	send(&record->head, (u64)scratch->text - (u64)record + offset(scratch), kind == KIND_CGROUP ? NOW : LATER);
	give_back(scratch);
	return 0;
}

SECTION("tp_btf/cgroup_mkdir")
int on_cgroup_mkdir(u64 *ctx)
{
	return tell_cgroup(KIND_CGROUP, (void *)ctx[0], (void *)ctx[1], bpf_get_current_task_btf());
}

/* When it is done: the task that is put there says already that it is in it. Threads alone do not move here. */
SECTION("tp_btf/cgroup_attach_task")
int on_cgroup_attach(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[2];

	if (!(u8)ctx[3])
		return 0;
	return tell_cgroup(KIND_ENTERED, (void *)ctx[0], (void *)ctx[1], task);
}
