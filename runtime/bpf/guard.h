/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Programs that refuse, and those that keep policies where their processes are. They can outlive the agent when they are
 * pinned: they need nobody to read what they send.
 */
#pragma once

#include "file.h"
#include "policy.h"

/* A child is what its parent is until it executes something: no gap between fork and what user space says. */
SECTION("tp_btf/sched_process_fork")
int guard_fork(u64 *ctx)
{
	struct task_struct *parent = (void *)ctx[0], *child = (void *)ctx[1];
	struct policy *policy;
	struct process_key key;

	if (child->pid != child->tgid)
		return 0;
	policy = process_policy(parent, parent->self_exec_id);
	if (!policy)
		return 0;
	key = key_of(child);
	if (bpf_map_update_elem(&process_policies, &key, policy, 0))
		tally(TALLY_UNINHERITED);
	return 0;
}

SECTION("tp_btf/sched_process_exit")
int guard_exit(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct process_key key;

	if (task->signal->live.counter > 0)
		return 0;
	key = key_of(task);
	bpf_map_delete_elem(&process_policies, &key);
	return 0;
}

INLINE void send_refused_exec(struct linux_binprm *program, struct file *file, struct task_struct *task)
{
	struct fs_struct *fs = task->fs;
	struct path root = read_path(&fs->root);
	struct scratch *scratch = take_scratch();

	if (!scratch) {
		count_lost(KIND_EXEC);
		return;
	}
	struct exec_record *record = &scratch->exec;
	struct path exe = read_path(&file->f_path);

	fill_head(&record->head, KIND_EXEC, task);
	fill_file(&record->exe, file, exe.dentry);
	record->filename_length = append_string(scratch, READ(program, filename), MAX_FILENAME);
	record->exe_flags = append_path(scratch, exe, root, &record->exe_length);
	record->cwd_flags = append_path(scratch, read_path(&fs->pwd), root, &record->cwd_length);
	/* Its arguments are in the memory of the program that will not be. */
	record->args_length = 0;
	record->args_total = 0;
	record->verdict = VERDICT_REFUSED;
	send(&record->head, (u64)scratch->text - (u64)record + offset(scratch), NOW);
	give_back(scratch);
}

__attribute__((noinline)) int must_refuse_exec(u64 file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct policy *policy = find_policy(task, task->self_exec_id);

	if (!policy || policy->mode != MODE_ENFORCE || !is_refused_exec(policy, (struct file *)file, task))
		return false;
	conclude(policy);
	return true;
}

SECTION("lsm/bprm_check_security")
int guard_exec(u64 *ctx)
{
	struct linux_binprm *program = (void *)ctx[0];
	struct task_struct *task = bpf_get_current_task_btf();
	struct file *file = program->file;
	char first[2] = {};

	/* A script is its interpreter's argument; that one comes next. */
	bpf_probe_read_kernel(first, sizeof(first), &program->buf);
	if (first[0] == '#' && first[1] == '!')
		return 0;
	if (!must_refuse_exec(number_of(file)))
		return 0;
	send_refused_exec(program, file, task);
	return -EPERM;
}

/*
 * A refused change of a file: told as an open for writing that failed. Not inline: older verifiers add up the stacks of all
 * that a program calls, and the search for a refusal needs most of what there is.
 */
static __attribute__((noinline)) int send_refused_write(struct dentry *dentry, struct vfsmount *mount, struct inode *inode,
							u32 flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fs_struct *fs = task->fs;
	struct scratch *scratch = take_scratch();
	struct path path = {};

	if (!scratch) {
		count_lost(KIND_OPEN);
		return 0;
	}
	path.dentry = dentry;
	path.mnt = mount;
	struct open_record *record = &scratch->open;

	fill_head(&record->head, KIND_OPEN, task);
	record->inode = inode ? READ(inode, i_ino) : 0;
	record->mode = FMODE_WRITE;
	record->flags = flags;
	record->asked_length = 0;
	record->verdict = VERDICT_REFUSED;
	record->path_flags = append_path(scratch, path, read_path(&fs->root), &record->path_length);
	send(&record->head, (u64)scratch->text - (u64)record + offset(scratch), NOW);
	give_back(scratch);
	return 0;
}

__attribute__((noinline)) int must_refuse_write(u64 dentry, u64 mount)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct policy *policy = find_policy(task, task->self_exec_id);
	struct path path = {};

	path.dentry = (void *)dentry;
	path.mnt = (void *)mount;
	if (!policy || policy->mode != MODE_ENFORCE || !is_refused_write(policy, path, task))
		return false;
	conclude(policy);
	return true;
}

INLINE int refuse_write(struct path path, struct inode *inode, u32 flags)
{
	if (!must_refuse_write(number_of(path.dentry), number_of(path.mnt)))
		return 0;
	send_refused_write(path.dentry, path.mnt, inode, flags);
	return -EPERM;
}

SECTION("lsm/file_open")
int guard_open(u64 *ctx)
{
	struct file *file = (void *)ctx[0];
	u32 mode = file->f_mode, flags = file->f_flags;
	struct path path;

	if (!(mode & FMODE_WRITE) && !(flags & O_TRUNC))
		return 0;
	if (is_internal(file, mode))
		return 0;
	path = read_path(&file->f_path);
	return refuse_write(path, file->f_inode, flags);
}

INLINE int refuse_entry(struct path *folder, struct dentry *entry)
{
	struct path path = {};

	path.mnt = READ(folder, mnt);
	path.dentry = (void *)number_of(entry);
	return refuse_write(path, NULL, 0);
}

SECTION("lsm/path_unlink")
int guard_unlink(u64 *ctx)
{
	return refuse_entry((void *)ctx[0], (void *)ctx[1]);
}

SECTION("lsm/path_rename")
int guard_rename(u64 *ctx)
{
	int result = refuse_entry((void *)ctx[0], (void *)ctx[1]);

	return result ? result : refuse_entry((void *)ctx[2], (void *)ctx[3]);
}

SECTION("lsm/path_link")
int guard_link(u64 *ctx)
{
	return refuse_entry((void *)ctx[1], (void *)ctx[2]);
}

SECTION("lsm/path_symlink")
int guard_symlink(u64 *ctx)
{
	return refuse_entry((void *)ctx[0], (void *)ctx[1]);
}

SECTION("lsm/path_truncate")
int guard_truncate(u64 *ctx)
{
	struct path path = read_path((void *)ctx[0]);

	return refuse_write(path, NULL, 0);
}
